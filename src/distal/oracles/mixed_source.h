#pragma once
// Two oracles as one source. The first is asked about every clip, the second about those whose
// answers are doubted (doubt.h), and its word replaces the first's. Each keeps its own identity,
// version, price and stored answers: both sources are ledgers (ledger.h), so that an answer is
// found again by whoever gave it, in other studies too.

#include <memory>
#include <string>
#include <vector>

#include "distal/oracles/answer_source.h"
#include "distal/oracles/doubt.h"

namespace distal {

class MixedSource final : public AnswerSource {
 public:
  /// `first` is a teacher. `task` outlives this.
  MixedSource(std::unique_ptr<AnswerSource> first, std::unique_ptr<AnswerSource> then, Doubt doubt,
              const Task& task = default_task());

  /// As ask_within, without a limit.
  Answers ask(const ClipRefs& clips, const std::vector<AskedFor>& why) override;
  using AnswerSource::ask;
  /// Asks the first about all clips. Once none of its answers is awaited, asks the second about the
  /// doubted ones: which they are depends on the first's answers and the allowance alone, so that a
  /// later process asks about the same. A clip that the first cannot read is not asked of the
  /// second. What the second leaves without an answer has none. Throws as the sources do; what the
  /// first answered is stored then.
  Answers ask_within(const ClipRefs& clips, const std::vector<AskedFor>& why,
                     Allowance& allowance) override;

  std::vector<PersonTime> person_times(const ClipRefs& clips) override {
    return then_->person_times(clips);
  }
  bool shows_why() const override { return then_->shows_why(); }
  AnswerSource& first() override { return *first_; }
  AnswerSource& then() override { return *then_; }
  bool is_teacher() const override { return first_->is_teacher(); }
  double price() const override { return first_->price(); }
  Answerer answerer() const override { return first_->answerer(); }
  std::vector<Answerer> answerers() const override;
  /// Those of both. The rule stands in the recipe (OracleRecipe::identity).
  const std::string& version() const override { return version_; }

 private:
  void ask_then(const ClipRefs& clips, const std::vector<AskedFor>& why,
                const std::vector<size_t>& rows, Allowance& allowance, Answers& answers);

  std::unique_ptr<AnswerSource> first_, then_;
  Doubt doubt_;
  const Task& task_;
  std::string version_;
};

}  // namespace distal
