#include "distal/report/summary.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/ranges.h>

#include "distal/base/random.h"
#include "distal/report/html.h"

namespace distal {
namespace {

std::vector<ArmView> arm_views(const Results& results) {
  std::vector<ArmView> arms;
  std::string control;  // only the first arm marked as a control is grey and tested against
  for (const auto& trial : results.trials) {
    if (trial.control && control.empty()) control = trial.arm;
  }
  int64_t colours = 0;
  for (const auto& trial : results.trials) {
    auto arm = std::find_if(arms.begin(), arms.end(),
                            [&](const ArmView& a) { return a.name == trial.arm; });
    if (arm == arms.end()) {
      const bool is_control = trial.control && trial.arm == control;
      arms.push_back({trial.arm, {is_control ? 0 : colours++, is_control}, {}});
      arm = std::prev(arms.end());
    }
    if (!trial.rounds.empty()) arm->trials.push_back(&trial);
  }
  for (auto& arm : arms) {
    std::stable_sort(arm.trials.begin(), arm.trials.end(),
                     [](const Trial* a, const Trial* b) { return a->seed < b->seed; });
  }
  return arms;
}

/// Arm minus twin on each test clip in the final round; empty where the lists do not fit.
std::vector<double> right_minus_right(const Trial& arm, const Trial& twin) {
  const auto& a = arm.rounds.back().metrics.correct;
  const auto& b = twin.rounds.back().metrics.correct;
  std::vector<double> difference;
  for (size_t clip = 0; a.size() == b.size() && clip < a.size(); ++clip)
    difference.push_back(static_cast<double>(a[clip]) - static_cast<double>(b[clip]));
  return difference;
}

}  // namespace

double accuracy(const RoundResult& round) { return round.metrics.accuracy; }

Estimate estimate(const std::vector<double>& values) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite),
               [](double v) { return std::isfinite(v); });
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
  if (share.seeds > 1) {
    share.low = std::max(share.low, 0.0);
    share.high = std::min(share.high, 1.0);
  }
  return share;
}

std::vector<double> final_values(const ArmView& arm, const Measure& measure) {
  std::vector<double> out;
  for (const auto* trial : arm.trials) out.push_back(measure(trial->rounds.back()));
  return out;
}

Summary::Summary(const Results& all) : results(&all), arms(arm_views(all)) {
  double greatest = -1;
  for (const auto& arm : arms) {
    for (const auto* trial : arm.trials)
      rounds = std::max(rounds, static_cast<int64_t>(trial->rounds.size()));
    if (arm.style.control) control = &arm;
    const double mean = estimate(final_values(arm, accuracy)).mean;
    if (arm.ran() && (best == nullptr || mean > greatest)) {
      best = &arm;
      greatest = std::isfinite(mean) ? mean : -1;
    }
  }
  comparisons = compare(
      *this,
      [](const Trial& arm, const Trial& twin) {
        return accuracy(arm.rounds.back()) - accuracy(twin.rounds.back());
      },
      right_minus_right);
}

const Summary::Unit& Summary::words() const {
  static const Unit answers{"answers", "answers bought", "Accuracy against answers", "Answers"};
  static const Unit seconds{"seconds of video", "video watched, seconds",
                            "Accuracy against video watched", "Seconds of video"};
  static const Unit minutes{"minutes of people's time", "people's time, minutes",
                            "Accuracy against people's time", "Minutes of people's time"};
  const std::string& unit = results->budget_unit;
  return unit == "seconds" ? seconds : unit == "minutes" ? minutes : answers;
}

const ArmView* twin_of(const Summary& summary, const ArmView& arm) {
  if (!summary.control || !arm.ran()) return nullptr;
  const Trial& trial = *arm.trials.front();
  const auto named =
      std::find_if(summary.arms.begin(), summary.arms.end(),
                   [&](const ArmView& other) { return other.name == trial.against; });
  if (named != summary.arms.end()) return &*named == &arm ? nullptr : &*named;
  return trial.control ? nullptr : summary.control;  // the control of another run has no twin
}

std::vector<std::pair<const Trial*, const Trial*>> paired_trials(const ArmView& a,
                                                                 const ArmView& b) {
  std::vector<std::pair<const Trial*, const Trial*>> pairs;
  for (const auto* trial : a.trials) {
    const auto twin = std::find_if(b.trials.begin(), b.trials.end(),
                                   [&](const Trial* other) { return other->seed == trial->seed; });
    if (twin != b.trials.end()) pairs.emplace_back(trial, *twin);
  }
  return pairs;
}

bool spent_alike(double a, double b) { return std::abs(a - b) <= 0.01 * std::max(a, b); }

std::vector<Comparison> compare(const Summary& summary, const Difference& difference,
                                const ClipDifference& by_clip) {
  const auto& groups = summary.results->test_groups;
  std::vector<Comparison> found;
  std::vector<double> tested;
  for (const auto& arm : summary.arms) {
    Comparison c{&arm, twin_of(summary, arm)};
    if (c.against == nullptr) continue;
    std::vector<std::vector<double>> clips;
    for (const auto& [mine, theirs] : paired_trials(arm, *c.against)) {
      const double d = difference(*mine, *theirs);
      if (!std::isfinite(d)) continue;
      c.differences.push_back(d);
      c.one_teacher |= mine->taught || theirs->taught;
      if (auto of_clips = by_clip(*mine, *theirs); of_clips.size() == groups.size())
        clips.push_back(std::move(of_clips));
    }
    if (c.differences.empty()) continue;
    if (!groups.empty() && clips.size() == c.differences.size())
      c.crossed = crossed_bootstrap(clips, groups, Random(0).stream("report"));
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

BudgetCurve budget_curve(const Summary& summary, const Trial& trial) {
  BudgetCurve curve;
  for (size_t r = 0; r < trial.rounds.size(); ++r) {
    const RoundResult& round = trial.rounds[r];
    const double spent = summary.spent(round);
    const double value = accuracy(round);
    if (!std::isfinite(spent) || !std::isfinite(value) ||
        (!curve.spent.empty() && spent < curve.spent.back()))
      continue;
    curve.spent.push_back(spent);
    curve.accuracy.push_back(value);
    curve.round.push_back(r);
  }
  return curve;
}

std::vector<MeanPoint> mean_curve(const Summary& summary, const ArmView& arm) {
  std::vector<MeanPoint> curve;
  for (size_t r = 0; r < static_cast<size_t>(summary.rounds); ++r) {
    std::vector<double> spent, values;
    for (const auto* trial : arm.trials) {
      if (r >= trial->rounds.size()) continue;
      spent.push_back(summary.spent(trial->rounds[r]));
      values.push_back(accuracy(trial->rounds[r]));
    }
    if (values.empty()) break;
    curve.push_back({estimate(spent), estimate_share(values)});
  }
  return curve;
}

std::vector<double> areas(const Summary& summary, const ArmView& arm) {
  std::vector<double> out;
  for (const auto* trial : arm.trials) {
    const BudgetCurve curve = budget_curve(summary, *trial);
    if (curve.has_width())
      out.push_back(aubc(curve.accuracy, curve.spent) / (curve.spent.back() - curve.spent.front()));
  }
  return out;
}

double budget_of_mean(const Summary& summary, const ArmView& arm, double target) {
  std::vector<double> x, y;
  for (const auto& [spent, value] : mean_curve(summary, arm)) {
    if (!std::isfinite(spent.mean) || !std::isfinite(value.mean) ||
        (!x.empty() && spent.mean <= x.back()))
      continue;
    x.push_back(spent.mean);
    y.push_back(value.mean);
  }
  return labels_to_target(x, y, target).value_or(std::numeric_limits<double>::infinity());
}

std::vector<std::vector<int64_t>> confusion(const ArmView& arm) {
  std::vector<std::vector<int64_t>> sum;
  for (const auto* trial : arm.trials) {
    const auto& counts = trial->rounds.back().metrics.confusion;
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
  for (size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return out;
}

std::string tested(const Summary& summary, const Comparison& c) {
  std::string sentence = c.sentence() + ".";
  if (sentence.starts_with("no ")) sentence[0] = 'N';
  const auto spent = [&](const ArmView& arm) {
    return estimate(final_values(arm, [&](const RoundResult& r) { return summary.spent(r); })).mean;
  };
  const double mine = spent(*c.arm);
  const double theirs = spent(*c.against);
  if (spent_alike(mine, theirs)) return sentence;
  return sentence + fmt::format(" They did not spend the same: {} and {} {}.", number(mine, 0),
                                number(theirs, 0), summary.unit());
}

std::string others(const Summary& summary) {
  std::map<std::pair<std::string, bool>, std::vector<std::string>>
      names;  // by finding, and whether one teacher taught all seeds
  std::string best;
  for (const auto& c : summary.comparisons) {
    if (c.against != summary.control) continue;
    if (c.arm == summary.best)
      best = c.finding();
    else
      names[{c.finding(), c.one_teacher}].push_back(c.arm->name);
  }
  std::vector<std::string> sentences;
  const auto say = [&](const std::string& finding, const std::string& words) {
    for (const bool one_teacher : {false, true}) {
      const auto found = names.find({finding, one_teacher});
      if (found == names.end()) continue;
      sentences.push_back(fmt::format("{} {}{}{}: {}.", words, summary.control->name,
                                      finding == best && finding == "better" ? " as well" : "",
                                      one_teacher ? ", with this one teacher" : "",
                                      listed(found->second)));
    }
  };
  say("better", "Better than");
  say("worse", "Worse than");
  say("ahead on this test set", "On this test set alone ahead of");
  say("behind on this test set", "On this test set alone behind");
  say("not shown to differ", "Not shown to differ from");
  return fmt::format("{}", fmt::join(sentences, " "));
}

std::string saving(const Summary& summary) {
  const ArmView* twin = twin_of(summary, *summary.best);
  if (summary.rounds < 2 || twin == nullptr) return "";
  const double target = 0.95 * estimate(final_values(*summary.best, accuracy)).mean;
  const double arm = budget_of_mean(summary, *summary.best, target);
  const double control = budget_of_mean(summary, *twin, target);
  if (!std::isfinite(arm)) return "";
  return fmt::format("On the mean curves {} reaches {} with {} {}, {} {}.", summary.best->name,
                     percent(target), number(arm, 0), summary.unit(), twin->name,
                     std::isfinite(control) ? fmt::format("with {}", number(control, 0)) : "never");
}

constexpr size_t kSpelledOut =
    4;  // tests against controls of their own that get a sentence each, whatever they showed

// Of more of them, as a sweep has, a sentence each that shows something, and one for the rest.
std::vector<std::string> own_controls(const Summary& summary) {
  std::vector<std::string> out;
  std::vector<const Comparison*> own, rest;
  for (const auto& c : summary.comparisons) {
    if (c.arm == summary.best || c.against != summary.control) own.push_back(&c);
  }
  for (const Comparison* c : own) {
    if (own.size() <= kSpelledOut || c->arm == summary.best || c->shown() != Shown::nowhere)
      out.push_back(tested(summary, *c));
    else
      rest.push_back(c);
  }
  if (rest.empty()) return out;
  const auto [least, most] = std::minmax_element(
      rest.begin(), rest.end(),
      [](const auto* a, const auto* b) { return a->difference.mean < b->difference.mean; });
  out.push_back(fmt::format(
      "Not shown to differ each from a control of its own, by {:+.1f} to {:+.1f} points: {} arms.",
      100 * (*least)->difference.mean, 100 * (*most)->difference.mean, rest.size()));
  return out;
}

}  // namespace

std::string Summary::twin() const {
  const bool one = std::all_of(comparisons.begin(), comparisons.end(),
                               [&](const Comparison& c) { return c.against == control; });
  return one ? control->name : "its twin";
}

Evidence Comparison::evidence(double scale) const {
  Evidence known{differences, std::isfinite(p_holm) ? std::optional(p_holm) : std::nullopt, crossed,
                 one_teacher};
  for (double& d : known.differences) d *= scale;
  if (known.crossed) {
    auto& [seeds, groups, mean, interval] = *known.crossed;
    mean *= scale;
    interval.low *= scale;
    interval.high *= scale;
  }
  return known;
}

Shown Comparison::shown() const { return distal::shown(evidence()); }

std::string Comparison::finding() const {
  const Shown reach = shown();
  if (reach == Shown::nowhere) return "not shown to differ";
  const bool up = difference.mean > 0;
  return reach == Shown::other_groups ? up ? "better" : "worse"
         : up                         ? "ahead on this test set"
                                      : "behind on this test set";
}

std::string Comparison::sentence() const {
  return verdict(arm->name, against->name, evidence(100), "accuracy points", Better::larger,
                 "test groups");
}

std::vector<std::string> answer(const Summary& summary) {
  if (!summary.best) return {"Nothing was measured: no run finished a round."};
  const std::string value = percent(estimate(final_values(*summary.best, accuracy)).mean);
  std::vector<std::string> out = own_controls(summary);
  const std::string ended = fmt::format("{} ended at {}. ", summary.best->name, value);
  if (summary.arms.size() == 1)
    out.push_back(ended + "It is the only arm, so there is nothing to compare it with.");
  else if (!summary.control)
    out.push_back(ended + "There is no control arm, so nothing is tested.");
  else if (summary.best == summary.control)
    out.push_back(
        fmt::format("No arm ended above {}, the control, with {}.", summary.best->name, value));
  else if (out.empty())
    out.push_back(ended + fmt::format("It shares no seed with {}, so nothing is tested.",
                                      summary.control->name));
  for (const auto& more : {others(summary), saving(summary)}) {
    if (!more.empty()) out.push_back(more);
  }
  return out;
}

}  // namespace distal
