#pragma once
// What a run keeps of its last look at the pool, for the map of distal serve.

#include "distal/study/trial.h"

namespace distal {

/// Keeps embeddings of a random sample of the scored clips, of the first seed alone: with people
/// also of those known so far, by a pass of the student over at most 500 of them. Does nothing
/// without a folder. What cannot be written is said, and stops nothing. Throws Interrupted.
void keep_pool_map(const TrialSetup& setup, const Arm& arm, int64_t round, const ScoredPool& pool,
                   const Student& student, const LabeledSet& known, const TrialRecord& record);

}  // namespace distal
