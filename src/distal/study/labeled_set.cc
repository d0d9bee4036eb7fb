#include "distal/study/labeled_set.h"

#include "distal/base/random.h"
#include "distal/learn/trainer.h"

namespace distal {
namespace {

// `count` clips, even over the classes as far as they go, in an order that depends on `random`
// alone.
std::vector<Clip> balanced_draw(const ClipRefs& clips, int64_t count, int64_t classes,
                                Random random) {
  if (count < 0 || count >= std::ssize(clips)) return copies_of(clips);
  std::vector<ClipRefs> by_class(classes);
  for (const int64_t row : random.permutation(std::ssize(clips)))
    by_class[clips[row]->label].push_back(clips[row]);
  const std::vector<int64_t> order = random.permutation(classes);
  std::vector<Clip> drawn;
  for (size_t depth = 0; std::ssize(drawn) < count; ++depth) {
    for (const int64_t k : order) {
      if (depth < by_class[k].size() && std::ssize(drawn) < count)
        drawn.push_back(*by_class[k][depth]);
    }
  }
  return drawn;
}

}  // namespace

std::vector<Clip> LabeledSet::clips() const { return copies_of(refs_of(samples)); }

ClipRefs LabeledSet::open(const std::vector<Clip>& pool) const {
  ClipRefs open;
  open.reserve(pool.size());
  for (const Clip& clip : pool) {
    if (!closed.contains(clip.key())) open.push_back(&clip);
  }
  return open;
}

void LabeledSet::close(const std::vector<Clip>& clips) {
  for (const Clip& clip : clips) closed.insert(clip.key());
}

std::vector<Clip> initial_draw(const ClipRefs& clips, const ArmOptions& arm, int64_t classes,
                               Random random) {
  if (arm.start_draw != "random") return balanced_draw(clips, arm.start, classes, random);
  if (arm.start < 0 || arm.start >= std::ssize(clips)) return copies_of(clips);
  std::vector<Clip> drawn;
  for (const int64_t row : random.choose(std::ssize(clips), arm.start))
    drawn.push_back(*clips[row]);
  return drawn;
}

LabeledSet limited_pool(const std::vector<Clip>& pool, int64_t pool_size, Random random) {
  LabeledSet set;
  if (pool_size < 0) return set;
  const std::vector<int64_t> order = random.permutation(std::ssize(pool));
  for (int64_t i = pool_size; i < std::ssize(order); ++i) set.closed.insert(pool[order[i]].key());
  return set;
}

}  // namespace distal
