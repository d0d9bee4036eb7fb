#pragma once
// What a trial asks of two oracles (oracles/mixed_source.h), and what each said.

#include <cstdint>
#include <optional>

#include "distal/evaluation/round_result.h"
#include "distal/oracles/answer_source.h"
#include "distal/oracles/oracle_recipe.h"
#include "distal/study/trial_record.h"

namespace distal {

/// What oracles said of clips. Where there is one, all of it is the first's.
struct Tally {
  struct Part {
    int64_t answers = 0;  // that it was asked for
    int64_t samples = 0;  // that are learned from
    int64_t known = 0;    // answers about clips whose label is known
    int64_t right = 0;    // those of them that name it
  };
  Part first, then;
  int64_t both = 0;    // clips that both answered about
  int64_t agreed = 0;  // those of which both name one class

  Tally& operator+=(const Tally& more);
};

/// Counts what was said of clips, a row of `answers` each.
Tally said_about(const Answers& answers, const std::vector<Clip>& clips,
                 const Task& task = default_task());

/// Sets the numbers of two oracles (RoundField::Kind::two) of a round; `samples`: all that is
/// learned from. Where `oracle` is one, changes nothing.
void put_said(RoundResult& result, const Tally& said, int64_t samples, AnswerSource& oracle);

/// What is left to a trial of OracleRecipe::limit. What it asks is reserved first, in its record.
/// A trial that continues goes through its rounds again, and so counts what it asked before.
class SecondAllowance final : public Allowance {
 public:
  /// Refers to all. `oracle`: of two.
  SecondAllowance(const OracleRecipe& recipe, AnswerSource& oracle, TrialRecord& record)
      : recipe_(recipe), oracle_(oracle), record_(record) {}

  int64_t left() const override;
  /// Of a call of AnswerSource::ask_within, which is a round's.
  void spend(const ClipRefs& clips, double price) override;

 private:
  const OracleRecipe& recipe_;
  AnswerSource& oracle_;
  TrialRecord& record_;
  int64_t spent_ = 0;  // answers of earlier rounds
};

}  // namespace distal
