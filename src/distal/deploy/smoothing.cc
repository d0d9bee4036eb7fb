#include "distal/deploy/smoothing.h"

#include "distal/base/error.h"

namespace distal {
namespace {

constexpr double kRounding_s = 1e-6;

}  // namespace

Smoother::Smoother(const SmoothingOptions& options,
                   std::function<int64_t(const torch::Tensor&)> best)
    : options_(options), best_(std::move(best)) {
  expect(options.leave <= options.enter, "a class that begins does not end at once");
}

void Smoother::Spell::add(const torch::Tensor& q) {
  sum = answers == 0 ? q.to(torch::kFloat64) : sum + q;
  ++answers;
}

void Smoother::Spell::absorb(Spell& other) {
  if (other.answers > 0) {
    sum = answers == 0 ? other.sum : sum + other.sum;
    answers += other.answers;
  }
  other = {};
}

void Smoother::begin(double time_s) {
  window_.clear();
  answered_s_ = time_s;
  raw_ = kNoClass;
  held_ = {time_s, kNoClass, {}, 0};
  coming_ = {};
}

torch::Tensor Smoother::mean(double time_s, const torch::Tensor& probabilities) {
  window_.emplace_back(time_s, probabilities.clone());
  while (window_.size() > 1 && window_.front().first <= time_s - options_.window_s + kRounding_s)
    window_.pop_front();
  if (window_.size() == 1) return window_.front().second;
  auto sum = torch::zeros_like(probabilities, torch::kFloat64);
  for (const auto& [time, each] : window_) sum += each;
  return (sum / static_cast<double>(window_.size())).to(torch::kFloat32);
}

int64_t Smoother::next_raw(const torch::Tensor& q) const {
  const float* p = q.const_data_ptr<float>();
  const int64_t best = best_(q);
  const bool enters = p[best] >= options_.enter;
  if (raw_ != kNoClass && p[raw_] >= options_.leave && (best == raw_ || !enters)) return raw_;
  return enters ? best : kNoClass;
}

std::optional<Segment> Smoother::finish(Spell& spell, double end_s) const {
  if (spell.label == kNoClass || spell.answers == 0) return std::nullopt;
  return Segment{spell.start_s, end_s, spell.label,
                 (spell.sum / static_cast<double>(spell.answers)).to(torch::kFloat32)};
}

Smoother::Said Smoother::add(double time_s, const torch::Tensor& probabilities) {
  const auto q = mean(time_s, probabilities);
  raw_ = next_raw(q);
  Said said{kNoClass, q, {}};
  if (raw_ == held_.label) {
    held_.absorb(coming_);
    held_.add(q);
  } else {
    if (coming_.answers > 0 && coming_.label != raw_) held_.absorb(coming_);
    if (coming_.answers == 0) coming_ = {answered_s_, raw_, {}, 0};
    coming_.add(q);
    if (time_s - coming_.start_s >= options_.least_s - kRounding_s) {
      if (auto segment = finish(held_, coming_.start_s)) said.finished.push_back(*segment);
      held_ = std::exchange(coming_, {});
    }
  }
  answered_s_ = time_s;
  said.label = held_.label;
  return said;
}

std::optional<Segment> Smoother::end() {
  held_.absorb(coming_);
  auto segment = finish(held_, answered_s_);
  held_ = {answered_s_, kNoClass, {}, 0};
  raw_ = kNoClass;
  window_.clear();
  return segment;
}

}  // namespace distal
