#pragma once
// Why clips were chosen, for the persons who are asked about them.

#include "distal/study/pool_scores.h"

namespace distal {

class Random;

/// What a choice was made from.
struct ChosenFrom {
  const ArmOptions& arm;
  const ScoredPool& pool;
  const Student& student;  // that scored the pool; without a network there is no guess
  const LabeledSet& known;
};

/// Adds to `why`, an entry for each of `rows` of the pool: the strategy's score where it scores
/// clips, the student's class probabilities, and the nearest of the known clips in the student's
/// embedding. `draw`: what the strategy chose with.
void add_reasons(std::vector<AskedFor>& why, Trainer& trainer, const ChosenFrom& from,
                 const torch::Tensor& rows, Random draw);

}  // namespace distal
