#include "distal/oracles/mixed_source.h"

#include <limits>

#include <fmt/format.h>

#include "distal/base/error.h"

namespace distal {
namespace {

class NoLimit final : public Allowance {
 public:
  int64_t left() const override { return std::numeric_limits<int64_t>::max(); }
  void spend(const ClipRefs&, double) override {}
};

}  // namespace

MixedSource::MixedSource(std::unique_ptr<AnswerSource> first, std::unique_ptr<AnswerSource> then,
                         Doubt doubt, const Task& task)
    : first_(std::move(first)), then_(std::move(then)), doubt_(doubt), task_(task) {
  expect(first_ && then_ && first_->is_teacher(), "two oracles, of which the first is a teacher");
  version_ = fmt::format("{}+{}:{}", first_->version(), then_->answerer().oracle, then_->version());
}

std::vector<Answerer> MixedSource::answerers() const {
  return {first_->answerer(), then_->answerer()};
}

Answers MixedSource::ask(const ClipRefs& clips, const std::vector<AskedFor>& why) {
  NoLimit no_limit;
  return ask_within(clips, why, no_limit);
}

Answers MixedSource::ask_within(const ClipRefs& clips, const std::vector<AskedFor>& why,
                                Allowance& allowance) {
  Answers answers = first_->ask(clips, why);
  answers.doubted.resize(clips.size());
  if (!answers.complete()) return answers;  // the least sure are not known yet
  const auto rows = doubt_.rows(answers.probabilities, allowance.left(), task_);
  if (!rows.empty()) ask_then(clips, why, rows, allowance, answers);
  return answers;
}

void MixedSource::ask_then(const ClipRefs& clips, const std::vector<AskedFor>& why,
                           const std::vector<size_t>& rows, Allowance& allowance,
                           Answers& answers) {
  ClipRefs doubted;
  std::vector<AskedFor> doubted_why;
  for (const size_t row : rows) {
    doubted.push_back(clips[row]);
    if (why.empty()) continue;
    doubted_why.push_back(why[row]);
    doubted_why.back().first_said = answers.probabilities[row];
  }
  allowance.spend(doubted, then_->price());
  Answers second = then_->ask(doubted, doubted_why);
  for (size_t i = 0; i < rows.size(); ++i) {
    answers.doubted[rows[i]] =
        std::exchange(answers.probabilities[rows[i]], std::move(second.probabilities[i]));
  }
  for (const size_t i : second.awaited) answers.awaited.push_back(rows[i]);
}

}  // namespace distal
