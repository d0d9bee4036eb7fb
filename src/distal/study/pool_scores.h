#pragma once
// What a strategy sees of the open pool, made by the student as the strategy's Needs say, and by no more:
//
//   logits, embeddings, head_weight    one look at the pool; with a frozen backbone its features are there already
//   labelled_*                         the same of the clips known so far
//   dropout                            the classifier on the embeddings with dropout on, pass after pass: networks here drop out before it alone
//   augmented                          looks at the pool under student.augment, without flips where labels change under them
//   members                            students of other seeds on the same samples (Learning keeps each); the student is the first
//   video, start_s, duration_s         what the recipe's limits look at
//   teacher                            answers about the whole pool from a teacher that costs nothing; the oracle keeps them, no budget is touched
//
// A clip that cannot be read in all of them is left out.

#include "distal/study/cell.h"

namespace distal {

struct ScoredPool {
  ClipRefs clips;           // of the open pool
  PoolScores scores;        // a row for each
};

/// `student` is null where the strategy looks at nothing. `random` is the run's: each pass and member draws from a stream of its
/// own, the same in every round. `what` names members in progress.
ScoredPool score_pool(Workbench& bench, const Recipe& recipe, const Model& student, const Known& known, ClipRefs open,
                      Random random, const std::string& what);

}  // namespace distal
