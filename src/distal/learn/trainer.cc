#include "distal/learn/trainer.h"

namespace distal {

ClipRefs refs_of(const std::vector<Sample>& samples) {
  ClipRefs refs;
  for (const Sample& sample : samples) refs.push_back(&sample.clip);
  return refs;
}

std::vector<Clip> copies_of(const ClipRefs& refs) {
  std::vector<Clip> clips;
  for (const Clip* clip : refs) clips.push_back(*clip);
  return clips;
}

}  // namespace distal
