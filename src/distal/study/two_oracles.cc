#include "distal/study/two_oracles.h"

#include <algorithm>
#include <limits>

namespace distal {
namespace {

double share_of(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole)
                   : std::numeric_limits<double>::quiet_NaN();
}

void add_part(Tally::Part& to, const Tally::Part& more) {
  to.answers += more.answers;
  to.samples += more.samples;
  to.known += more.known;
  to.right += more.right;
}

int64_t predicted_by(const std::vector<double>& answer, const Task& task) {
  const std::vector<float> row(answer.begin(), answer.end());
  return task.predicted(row);
}

// Counts that an oracle was asked, and what it said of a clip of that label; -1: nobody knows it.
void count_part(Tally::Part& part, const std::vector<double>& answer, bool learned, int64_t label,
                const Task& task) {
  ++part.answers;
  if (answer.empty()) return;
  part.samples += learned;
  part.known += label >= 0;
  part.right += label >= 0 && predicted_by(answer, task) == label;
}

void count_clip(Tally& said, const Answers& answers, size_t clip, int64_t label, const Task& task) {
  const std::vector<double>& last = answers.probabilities[clip];
  if (!answers.second_asked(clip)) return count_part(said.first, last, true, label, task);
  const std::vector<double>& first = answers.doubted[clip];
  count_part(said.first, first, false, label, task);
  count_part(said.then, last, true, label, task);
  if (last.empty()) return;
  ++said.both;
  said.agreed += predicted_by(first, task) == predicted_by(last, task);
}

}  // namespace

Tally said_about(const Answers& answers, const std::vector<Clip>& clips, const Task& task) {
  Tally said;
  for (size_t i = 0; i < clips.size(); ++i) count_clip(said, answers, i, clips[i].label, task);
  return said;
}

Tally& Tally::operator+=(const Tally& more) {
  add_part(first, more.first);
  add_part(then, more.then);
  both += more.both;
  agreed += more.agreed;
  return *this;
}

void put_said(RoundResult& result, const Tally& said, int64_t samples, AnswerSource& oracle) {
  if (&oracle.first() == &oracle.then()) return;
  result.first_answers = static_cast<double>(said.first.answers);
  result.then_answers = static_cast<double>(said.then.answers);
  result.first_price = oracle.first().price() * result.first_answers;
  result.then_price = oracle.then().price() * result.then_answers;
  result.first_share = share_of(said.first.samples, samples);
  result.then_share = share_of(said.then.samples, samples);
  result.first_accuracy = share_of(said.first.right, said.first.known);
  result.then_accuracy = share_of(said.then.right, said.then.known);
  result.agreement = share_of(said.agreed, said.both);
}

int64_t SecondAllowance::left() const {
  if (!recipe_.limit) return std::numeric_limits<int64_t>::max();
  const double each = recipe_.asked_then().price;
  return std::min(recipe_.limit->in_round(each), recipe_.limit->in_all(each) - spent_);
}

void SecondAllowance::spend(const ClipRefs& clips, double price) {
  if (price > 0) record_.raise_price(clips, oracle_.first().price() + price);
  spent_ += std::ssize(clips);
}

}  // namespace distal
