#pragma once
// How long a network takes: the seconds of a training step and of scoring one clip, which plans are
// made of. Measured on this machine; tests give paces of their own, so that what they see does not
// depend on the clock.

#include <functional>
#include <string>

#include "distal/learn/learner.h"

namespace distal {

struct Pace {
  double step_s =
      0;  // forward and back over one batch (through the head alone where the backbone is frozen)
  double clip_s = 0;  // of scoring one clip
};

/// Of a learner's network with that input and so many classes.
using PaceOf =
    std::function<Pace(const Learner& learner, const InputOptions& input, int64_t classes)>;

/// Times the real network on noise, in the precision it trains in, on the threads that LibTorch
/// has. Throws Interrupted between two calls.
Pace measured_pace(const Learner& learner, const InputOptions& input, int64_t classes);

/// The quicker of measured_pace on all threads and on one, as a run would choose (study/split.h).
/// Side by side trials end sooner still. Leaves the number of threads as it was.
Pace quickest_pace(const Learner& learner, const InputOptions& input, int64_t classes);

/// Gives LibTorch its number of threads back at the end.
class SameThreads {
 public:
  SameThreads();
  ~SameThreads();

 private:
  int count_;
};

/// The mean seconds of two calls after one that warms up; of one where that takes a second or more.
/// Throws Interrupted between them.
double seconds_a_call(const std::function<void()>& work);

/// `pace_of`, asked once for each distinct network: its options without the file of its weights,
/// clip size, batch size, precision, classes. How long it trains, on what and with which
/// augmentation changes no pace.
PaceOf once_each(PaceOf pace_of);

/// One sentence where others use the machine as well, which makes measured paces slow; else empty.
/// `load`: mean number of busy threads.
std::string busy_sentence(double load, int64_t processors);
/// The load average of the last minute; 0 where it is not known.
double load_average();

}  // namespace distal
