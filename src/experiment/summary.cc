#include "experiment/summary.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/ranges.h>

#include "experiment/html.h"
#include "experiment/statistics.h"

namespace distal {
namespace {

std::vector<ArmView> arm_views(const Results& results) {
  std::vector<ArmView> arms;
  std::string control;  // only the first arm marked as a control is grey and tested against
  for (const auto& cell : results.cells) {
    if (cell.control && control.empty()) control = cell.arm;
  }
  int64_t colours = 0;
  for (const auto& cell : results.cells) {
    auto arm = std::find_if(arms.begin(), arms.end(), [&](const ArmView& a) { return a.name == cell.arm; });
    if (arm == arms.end()) {
      const bool is_control = cell.control && cell.arm == control;
      arms.push_back({cell.arm, {is_control ? 0 : colours++, is_control}, {}});
      arm = std::prev(arms.end());
    }
    if (!cell.rounds.empty()) arm->cells.push_back(&cell);
  }
  for (auto& arm : arms) {
    std::stable_sort(arm.cells.begin(), arm.cells.end(), [](const Cell* a, const Cell* b) { return a->seed < b->seed; });
  }
  return arms;
}

/// Share of seeds that were right, per test clip in the final round; empty where lists do not fit the test videos.
std::vector<double> share_right(const ArmView& arm, const std::set<int64_t>& seeds, size_t clips) {
  std::vector<double> right(clips, 0.0);
  for (const auto* cell : arm.cells) {
    if (!seeds.contains(cell->seed)) continue;
    const auto& correct = cell->rounds.back().metrics.correct;
    if (correct.size() != clips) return {};
    for (size_t i = 0; i < clips; ++i) right[i] += correct[i] / static_cast<double>(seeds.size());
  }
  return right;
}

Estimate over_videos(const Results& results, const ArmView& arm, const ArmView& control) {
  std::set<int64_t> mine, shared;
  for (const auto* cell : arm.cells) mine.insert(cell->seed);
  for (const auto* cell : control.cells) {
    if (mine.contains(cell->seed)) shared.insert(cell->seed);
  }
  const auto& videos = results.test_videos;
  const auto a = share_right(arm, shared, videos.size()), b = share_right(control, shared, videos.size());
  if (videos.empty() || a.empty() || b.empty()) return {};
  const Bootstrap drawn = bootstrap_videos(a, b, videos, Random(0).stream("report"), 2000);
  return {drawn.difference, drawn.interval.low, drawn.interval.high, drawn.videos};
}

}  // namespace

double accuracy(const RoundResult& round) { return round.metrics.accuracy; }

Estimate estimate(const std::vector<double>& values) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  Estimate out;
  out.seeds = static_cast<int64_t>(finite.size());
  if (finite.empty()) return out;
  const Summary95 summary = summarise(finite);
  out.mean = summary.mean;
  if (summary.n > 1) {
    out.low = summary.interval.low;
    out.high = summary.interval.high;
  }
  return out;
}

Estimate estimate_share(const std::vector<double>& values) {
  Estimate share = estimate(values);
  if (share.seeds > 1) share.low = std::max(share.low, 0.0), share.high = std::min(share.high, 1.0);
  return share;
}

std::vector<double> final_values(const ArmView& arm, const Measure& measure) {
  std::vector<double> out;
  for (const auto* cell : arm.cells) out.push_back(measure(cell->rounds.back()));
  return out;
}

Summary::Summary(const Results& all) : results(&all), arms(arm_views(all)), seconds(all.budget_unit == "seconds") {
  double greatest = -1;
  for (const auto& arm : arms) {
    for (const auto* cell : arm.cells) rounds = std::max(rounds, static_cast<int64_t>(cell->rounds.size()));
    if (arm.look.control) control = &arm;
    const double mean = estimate(final_values(arm, accuracy)).mean;
    if (arm.ran() && (best == nullptr || mean > greatest)) {
      best = &arm;
      greatest = std::isfinite(mean) ? mean : -1;
    }
  }
  comparisons = compare(*this, [](const Cell& arm, const Cell& twin) { return accuracy(arm.rounds.back()) - accuracy(twin.rounds.back()); });
  for (auto& c : comparisons) c.over_videos = over_videos(all, *c.arm, *c.against);
}

const ArmView* twin_of(const Summary& summary, const ArmView& arm) {
  if (!summary.control || !arm.ran()) return nullptr;
  const Cell& cell = *arm.cells.front();
  const auto named = std::find_if(summary.arms.begin(), summary.arms.end(), [&](const ArmView& other) { return other.name == cell.against; });
  if (named != summary.arms.end()) return &*named == &arm ? nullptr : &*named;
  return cell.control ? nullptr : summary.control;  // the control of another run has no twin
}

std::vector<std::pair<const Cell*, const Cell*>> paired_cells(const ArmView& a, const ArmView& b) {
  std::vector<std::pair<const Cell*, const Cell*>> pairs;
  for (const auto* cell : a.cells) {
    const auto twin = std::find_if(b.cells.begin(), b.cells.end(), [&](const Cell* other) { return other->seed == cell->seed; });
    if (twin != b.cells.end()) pairs.emplace_back(cell, *twin);
  }
  return pairs;
}

bool spent_alike(double a, double b) { return std::abs(a - b) <= 0.01 * std::max(a, b); }

std::vector<Comparison> compare(const Summary& summary, const Difference& difference) {
  std::vector<Comparison> found;
  std::vector<double> tested;
  for (const auto& arm : summary.arms) {
    Comparison c{&arm, twin_of(summary, arm)};
    if (c.against == nullptr) continue;
    for (const auto& [mine, theirs] : paired_cells(arm, *c.against)) {
      if (const double d = difference(*mine, *theirs); std::isfinite(d)) c.differences.push_back(d);
    }
    if (c.differences.empty()) continue;
    c.difference = estimate(c.differences);
    if (c.differences.size() > 1) tested.push_back(c.p = paired_t_test(c.differences).p);
    found.push_back(c);
  }
  const auto corrected = holm(tested);
  size_t next = 0;
  for (auto& c : found) {
    if (std::isfinite(c.p)) c.p_holm = corrected.at(next++);
  }
  return found;
}

BudgetCurve budget_curve(const Summary& summary, const Cell& cell) {
  BudgetCurve curve;
  for (const auto& round : cell.rounds) {
    const double spent = summary.spent(round), value = accuracy(round);
    if (!std::isfinite(spent) || !std::isfinite(value) || (!curve.spent.empty() && spent < curve.spent.back())) continue;
    curve.spent.push_back(spent);
    curve.accuracy.push_back(value);
  }
  return curve;
}

std::vector<MeanPoint> mean_curve(const Summary& summary, const ArmView& arm) {
  std::vector<MeanPoint> curve;
  for (size_t r = 0; r < static_cast<size_t>(summary.rounds); ++r) {
    std::vector<double> spent, values;
    for (const auto* cell : arm.cells) {
      if (r >= cell->rounds.size()) continue;
      spent.push_back(summary.spent(cell->rounds[r]));
      values.push_back(accuracy(cell->rounds[r]));
    }
    if (values.empty()) break;
    curve.push_back({estimate(spent), estimate_share(values)});
  }
  return curve;
}

std::vector<double> areas(const Summary& summary, const ArmView& arm) {
  std::vector<double> out;
  for (const auto* cell : arm.cells) {
    const BudgetCurve curve = budget_curve(summary, *cell);
    if (curve.has_width()) out.push_back(aubc(curve.accuracy, curve.spent) / (curve.spent.back() - curve.spent.front()));
  }
  return out;
}

double budget_of_mean(const Summary& summary, const ArmView& arm, double target) {
  std::vector<double> x, y;
  for (const auto& [spent, value] : mean_curve(summary, arm)) {
    if (!std::isfinite(spent.mean) || !std::isfinite(value.mean) || (!x.empty() && spent.mean <= x.back())) continue;
    x.push_back(spent.mean);
    y.push_back(value.mean);
  }
  return labels_to_target(x, y, target).value_or(std::numeric_limits<double>::infinity());
}

std::vector<std::vector<int64_t>> confusion(const ArmView& arm) {
  std::vector<std::vector<int64_t>> sum;
  for (const auto* cell : arm.cells) {
    const auto& counts = cell->rounds.back().metrics.confusion;
    if (sum.empty()) sum.assign(counts.size(), std::vector<int64_t>(counts.size(), 0));
    if (counts.size() != sum.size()) return {};
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i].size() != sum.size()) return {};
      for (size_t j = 0; j < sum.size(); ++j) sum[i][j] += counts[i][j];
    }
  }
  return sum;
}

namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

std::string tested(const Summary& summary, const Comparison& c) {
  std::vector<double> in_points;
  for (const double d : c.differences) in_points.push_back(100 * d);
  const auto p_holm = std::isfinite(c.p_holm) ? std::optional(c.p_holm) : std::nullopt;
  std::string sentence = verdict(c.arm->name, c.against->name, in_points, "accuracy points", p_holm) + ".";
  if (sentence.starts_with("no ")) sentence[0] = 'N';
  const auto spent = [&](const ArmView& arm) { return estimate(final_values(arm, [&](const RoundResult& r) { return summary.spent(r); })).mean; };
  const double mine = spent(*c.arm), theirs = spent(*c.against);
  if (spent_alike(mine, theirs)) return sentence;
  return sentence + fmt::format(" They did not spend the same: {} and {} {}.", number(mine, 0), number(theirs, 0), summary.unit());
}

std::string others(const Summary& summary) {
  std::vector<std::string> better, worse, neither;
  for (const auto& c : summary.comparisons) {
    if (c.arm != summary.best && c.against == summary.control) (!c.shown() ? neither : c.difference.mean > 0 ? better : worse).push_back(c.arm->name);
  }
  std::vector<std::string> sentences;
  const bool first = std::any_of(summary.comparisons.begin(), summary.comparisons.end(),
      [&](const Comparison& c) { return c.arm == summary.best && c.shown(); });
  if (!better.empty()) sentences.push_back(fmt::format("Better than {}{}: {}.", summary.control->name, first ? " as well" : "", listed(better)));
  if (!worse.empty()) sentences.push_back(fmt::format("Worse than {}: {}.", summary.control->name, listed(worse)));
  if (!neither.empty()) sentences.push_back(fmt::format("Not shown to differ from {}: {}.", summary.control->name, listed(neither)));
  return fmt::format("{}", fmt::join(sentences, " "));
}

std::string saving(const Summary& summary) {
  const ArmView* twin = twin_of(summary, *summary.best);
  if (summary.rounds < 2 || twin == nullptr) return "";
  const double target = 0.95 * estimate(final_values(*summary.best, accuracy)).mean;
  const double arm = budget_of_mean(summary, *summary.best, target), control = budget_of_mean(summary, *twin, target);
  if (!std::isfinite(arm)) return "";
  return fmt::format("On the mean curves {} reaches {} with {} {}, {} {}.", summary.best->name, percent(target), number(arm, 0),
      summary.unit(), twin->name,
                     std::isfinite(control) ? fmt::format("with {}", number(control, 0)) : "never");
}

constexpr size_t kSpelledOut = 4;  // tests against controls of their own that get a sentence each, whatever they showed

// Of more of them, as a sweep has, a sentence each that shows something, and one for the rest.
std::vector<std::string> own_controls(const Summary& summary) {
  std::vector<std::string> out;
  std::vector<const Comparison*> own, rest;
  for (const auto& c : summary.comparisons)
    if (c.arm == summary.best || c.against != summary.control) own.push_back(&c);
  for (const Comparison* c : own) {
    if (own.size() <= kSpelledOut || c->arm == summary.best || c->shown()) out.push_back(tested(summary, *c));
    else rest.push_back(c);
  }
  if (rest.empty()) return out;
  const auto [least, most] = std::minmax_element(rest.begin(), rest.end(), [](const auto* a, const auto* b) { return a->difference.mean < b->difference.mean; });
  out.push_back(fmt::format("Not shown to differ each from a control of its own, by {:+.1f} to {:+.1f} points: {} arms.", 100 * (*least)->difference.mean, 100 * (*most)->difference.mean, rest.size()));
  return out;
}

}  // namespace

std::string Summary::twin() const {
  const bool one = std::all_of(comparisons.begin(), comparisons.end(), [&](const Comparison& c) { return c.against == control; });
  return one ? control->name : "its twin";
}

bool Comparison::shown() const { return p < 0.05 && p_holm < 0.05; }

std::vector<std::string> answer(const Summary& summary) {
  if (!summary.best) return {"Nothing was measured: no run finished a round."};
  const std::string value = percent(estimate(final_values(*summary.best, accuracy)).mean);
  std::vector<std::string> out = own_controls(summary);
  const std::string ended = fmt::format("{} ended at {}. ", summary.best->name, value);
  if (summary.arms.size() == 1) out.push_back(ended + "It is the only arm, so there is nothing to compare it with.");
  else if (!summary.control) out.push_back(ended + "There is no control arm, so nothing is tested.");
  else if (summary.best == summary.control) out.push_back(fmt::format("No arm ended above {}, the control, with {}.", summary.best->name, value));
  else if (out.empty()) out.push_back(ended + fmt::format("It shares no seed with {}, so nothing is tested.", summary.control->name));
  for (const auto& more : {others(summary), saving(summary)}) {
    if (!more.empty()) out.push_back(more);
  }
  return out;
}

}  // namespace distal
