#pragma once
// What a strategy sees of the open pool, made by the student as the strategy's Needs say, and by no
// more:
//
//   logits, embeddings, head_weight    one pass over the pool; with a frozen backbone its features
//   are there already labelled_*                         the same of the clips known so far dropout
//   the classifier on the embeddings with dropout on, pass after pass: networks here drop out
//   before it alone augmented                          passes over the pool under student.augment,
//   without flips where labels change under them members                            students of
//   other seeds on the same samples (the trainer keeps each); the student is the first video,
//   start_s, duration_s         what the arm's limits look at teacher answers about the whole pool
//   from a teacher that costs nothing; the oracle keeps them, no budget is touched
//
// Where ArmOptions::embeddings says so, embeddings and labelled_embeddings come from elsewhere: no
// student is needed for them, and they do not change from round to round.
//
// A clip that cannot be read in all of them is left out.

#include "distal/learn/trainer.h"
#include "distal/oracles/answer_source.h"
#include "distal/study/labeled_set.h"

namespace distal {

class Random;

/// A student between two rounds.
struct Student {
  Model net;         // null where nobody wants it
  Model teacher;     // the network that its training had at hand (ArmOptions::matching); null: none
  std::string name;  // in progress and messages
};

struct ScoredPool {
  ClipRefs clips;     // of the open pool
  PoolScores scores;  // a row for each
};

/// `random` is the trial's: each pass and each member draws from a stream of its own, the same in
/// every round.
ScoredPool score_pool(Trainer& trainer, AnswerSource& oracle, const ArmOptions& arm,
                      LabelSpace labels, const Student& student, const LabeledSet& known,
                      ClipRefs open, Random random);

/// Embeddings of other clips, from where those of a scored pool of `scored` clips come: they may be
/// compared.
Predictions embeddings_as_scored(Trainer& trainer, const ArmOptions& arm, const Student& student,
                                 const ClipRefs& clips, int64_t scored);

}  // namespace distal
