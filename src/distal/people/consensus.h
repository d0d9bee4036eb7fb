#pragma once
// What several people together say of an item, when each of them errs in a way of their own.
// Deterministic; the order of the answers changes at most the last bits.

#include <cstdint>
#include <vector>

#include "distal/people/agreement.h"

namespace distal {

/// The most frequent class of an item's answers.
struct MajorityVote {
  std::vector<int64_t> votes;    // [K]
  std::vector<int64_t> winners;  // classes with the most votes; several: a tie; empty: no answer
  /// The one winner; -1 with a tie or without an answer.
  int64_t label() const { return winners.size() == 1 ? winners.front() : -1; }
};

/// A vote for each of `items` items.
std::vector<MajorityVote> majority_votes(const std::vector<Said>& said, int64_t items,
                                         int64_t classes);

/// What a student learns from an item: [K], the winners of its vote alike. Not for one without
/// answers.
std::vector<double> label_of(const MajorityVote& vote);

struct ConsensusOptions {
  /// Answers a row of a person's confusion matrix has before the first: `spread` in each cell, and
  /// `right` more where class and answer agree. Few answers of a person change little then, and no
  /// cell is 0. Numbers from 0; with both 0 a class that a person never met has an even row.
  double spread = 0.1;
  double right = 1;
  /// Items each class has before the first.
  double class_spread = 0.1;
  /// The iteration ends when no posterior moves by more than this, ...
  double tolerance = 1e-6;
  /// ... or after this many.
  int64_t most_iterations = 500;
};

struct Consensus {
  std::vector<std::vector<double>> posterior;  // [items][K], rows sum to 1; no answer: class_shares
  std::vector<std::vector<std::vector<double>>>
      confusion;                       // [persons][K true][K said], rows sum to 1
  std::vector<double> class_shares;    // [K], sums to 1
  std::vector<MajorityVote> majority;  // [items]
  int64_t iterations = 0;
  bool converged = false;
  /// After each iteration: log-likelihood of the answers plus the log of the prior, up to a
  /// constant. It never falls.
  std::vector<double> log_posterior;
  /// The class with the greatest posterior, the first of equal ones; -1 for an item without
  /// answers.
  int64_t label(int64_t item) const;
};

/// A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM
/// Algorithm", Applied Statistics 28(1), 1979. Answers may be missing. It starts, as the paper
/// does, from the shares of the votes. Deviation: matrices and shares are the most probable ones
/// under the prior of ConsensusOptions instead of the most likely ones, so that a person of few
/// answers is not taken for perfect or useless. A person with fewer than a few answers a class is
/// judged by the prior. `said` holds each (item, person) at most once.
Consensus dawid_skene(const std::vector<Said>& said, int64_t items, int64_t persons,
                      int64_t classes, const ConsensusOptions& options = {});

}  // namespace distal
