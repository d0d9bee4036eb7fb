#pragma once
// Active Mixup within a trial: what a round asks about are mixes of pairs of the filmed clips known
// so far, chosen by the student of the round before (active/mixup.h: c1, c2, random, unixkd). A mix
// is a clip with a key, an answer and a price of its own (Clip::mixed), so budget, store and
// training treat it as any other. What was asked before is not asked again. As many mixes as the
// budget says, or as there are. Seconds watched are those of a mix's first clip: both are shown at
// once.

#include "distal/learn/trainer.h"
#include "distal/study/labeled_set.h"

namespace distal {

class Random;

struct ChosenMixes {
  std::vector<Clip> clips;
  int64_t forwards = 0;  // mixes that the student predicted to choose these
};

/// `student` is null with criterion random. Throws Error: fewer than 3 known clips can be read.
ChosenMixes choose_mixes(Trainer& trainer, const ArmOptions& arm, const Model& student,
                         const LabeledSet& known, Random random, const Task& task = default_task());

}  // namespace distal
