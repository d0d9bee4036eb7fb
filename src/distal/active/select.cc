// The limits around a strategy. One loop serves clips and videos, scores and sets, answers and
// seconds: a unit (a clip, or all clips of a video) has a cost; ask for an order of the units that
// still fit, take what fits, until nothing does.

#include <limits>
#include <numeric>
#include <span>

#include "distal/active/strategy.h"
#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal {
namespace {

constexpr double kSlack = 1e-9;  // sums of seconds are floating point: a budget of 30 s is met by
                                 // 0.1 s three hundred times

struct Units {
  PoolScores scores;  // one row a unit
  std::vector<std::vector<int64_t>>
      rows;                  // of the pool; empty: a unit is one row, the one of its number
  std::vector<double> cost;  // empty: 1 each
  std::vector<int64_t>
      group;  // the video each belongs to, for per_video and gap_s; empty without them
  std::vector<double> start_s;     // within that video; empty without gap_s
  std::vector<int64_t> predicted;  // class; empty without class_balance
  std::vector<double> value;       // of a scoring strategy: the aggregate of its clips' scores
  std::vector<int64_t> rank;       // best first; empty: the strategy chooses sets
  int64_t size() const { return rows.empty() ? scores.size() : std::ssize(rows); }
  double cost_of(int64_t u) const { return cost.empty() ? 1 : cost[u]; }
  int64_t group_of(int64_t u) const { return group.empty() ? 0 : group[u]; }
  int64_t predicted_of(int64_t u) const { return predicted.empty() ? 0 : predicted[u]; }
  std::span<const int64_t> rows_of(const int64_t& u) const {
    return rows.empty() ? std::span(&u, 1) : std::span(rows[u]);
  }
};

std::vector<int64_t> video_index(const PoolScores& scores) {
  if (std::ssize(scores.video) != scores.size())
    fail("selection: limits by video need the video of every clip, there are {} for {} clips; give "
         "the videos, or ask: clip without per_video",
         scores.video.size(), scores.size());
  std::unordered_map<std::string, int64_t> seen;
  std::vector<int64_t> index;
  for (const auto& video : scores.video)
    index.push_back(seen.emplace(video, std::ssize(seen)).first->second);
  return index;
}

std::vector<double> minutes_of(const PoolScores& scores) {
  if (!scores.person_s.defined() || scores.person_s.size(0) != scores.size())
    fail("selection: a budget in minutes needs to know how long people answer about every clip, as "
         "a study with oracle.kind = people does; take unit: answers");
  const auto minutes = scores.person_s.to(torch::kFloat64).div(60).contiguous();
  return {minutes.const_data_ptr<double>(), minutes.const_data_ptr<double>() + minutes.numel()};
}

std::vector<double> clip_costs(const PoolScores& scores, const SelectionOptions& options) {
  if (options.unit == "answers") return {};
  if (options.unit == "minutes") return minutes_of(scores);
  if (!scores.duration_s.defined() || scores.duration_s.size(0) != scores.size())
    fail("selection: a budget in seconds needs the duration of every clip; give durations, or "
         "unit: answers");
  const auto seconds = scores.duration_s.to(torch::kFloat64).contiguous();
  const auto bad = torch::isfinite(seconds).logical_and(seconds >= 0).logical_not().nonzero();
  if (bad.numel() > 0)
    fail("selection: row {} lasts {} s; probe its video first, or leave the clip out",
         bad[0].item<int64_t>(), seconds[bad[0].item<int64_t>()].item<double>());
  return {seconds.const_data_ptr<double>(), seconds.const_data_ptr<double>() + seconds.numel()};
}

std::vector<int64_t> to_vector(const torch::Tensor& rows) {
  const auto r = rows.contiguous();
  return {r.const_data_ptr<int64_t>(), r.const_data_ptr<int64_t>() + r.numel()};
}

torch::Tensor mean_by(const torch::Tensor& values, const torch::Tensor& index, int64_t units) {
  auto sizes = values.sizes().vec();
  sizes[0] = units;
  auto counts = torch::zeros({units}, values.options())
                    .index_add(0, index, torch::ones({index.size(0)}, values.options()));
  if (values.dim() == 2) counts = counts.unsqueeze(1);
  return torch::zeros(sizes, values.options()).index_add(0, index, values) / counts;
}

torch::Tensor mean_logits(const Task& task, const torch::Tensor& logits, const torch::Tensor& index,
                          int64_t units) {
  return task.logits_of(mean_by(task.probabilities(logits.to(torch::kFloat64)), index, units),
                        1e-30);
}

std::vector<double> starts(const PoolScores& scores) {
  if (!scores.start_s.defined() || scores.start_s.size(0) != scores.size())
    fail("selection: gap_s needs the start of every clip; give starts, or gap_s: 0");
  const auto seconds = scores.start_s.to(torch::kFloat64).contiguous();
  const auto bad = torch::isfinite(seconds).logical_not().nonzero();
  if (bad.numel() > 0)
    fail("selection: row {} starts at {} s; probe its video first, or leave the clip out",
         bad[0].item<int64_t>(), seconds[bad[0].item<int64_t>()].item<double>());
  return {seconds.const_data_ptr<double>(), seconds.const_data_ptr<double>() + seconds.numel()};
}

Units clips_of(const PoolScores& scores, const SelectionOptions& options) {
  Units units;
  units.scores = scores;
  units.cost = clip_costs(scores, options);
  if (options.per_video > 0 || options.gap_s > 0) units.group = video_index(scores);
  if (options.gap_s > 0) units.start_s = starts(scores);
  return units;
}

Units videos_of(const PoolScores& scores, const SelectionOptions& options) {
  Units units;
  units.group = video_index(scores);
  const int64_t videos =
      units.group.empty() ? 0 : *std::max_element(units.group.begin(), units.group.end()) + 1;
  const auto index = torch::tensor(units.group, torch::kInt64);
  units.scores = scores;
  units.scores.clips = std::make_shared<PoolScores>(scores);
  units.scores.row_of_clip = index;
  units.scores.video.clear();
  units.scores.duration_s = units.scores.start_s = units.scores.person_s = torch::Tensor();
  if (scores.logits.defined())
    units.scores.logits = mean_logits(*scores.task, scores.logits, index, videos);
  if (scores.embeddings.defined())
    units.scores.embeddings = mean_by(scores.embeddings, index, videos);
  if (scores.teacher.defined())
    units.scores.teacher = mean_by(scores.teacher.to(torch::kFloat64), index, videos);
  if (scores.passes.defined()) {
    std::vector<torch::Tensor> passes;
    for (const auto& pass : scores.passes.unbind(0))
      passes.push_back(mean_logits(*scores.task, pass, index, videos));
    units.scores.passes = torch::stack(passes);
  }
  const auto cost = clip_costs(scores, options);
  units.rows.resize(videos);
  units.cost.resize(videos);
  for (int64_t row = 0; row < scores.size(); ++row) {
    units.rows[units.group[row]].push_back(row);
    units.cost[units.group[row]] += cost.empty() ? 1 : cost[row];
  }
  units.scores.video.resize(videos);
  for (int64_t video = 0; video < videos; ++video)
    units.scores.video[video] = scores.video[units.rows[video].front()];
  return units;
}

double aggregate(std::vector<double> values, const SelectionOptions& options) {
  const auto all = std::ssize(values);
  const auto m = options.top_m > 0
                     ? options.top_m
                     : static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(all))));
  const auto count = options.aggregate == "max"     ? 1
                     : options.aggregate == "top_m" ? std::min(m, all)
                                                    : all;
  std::partial_sort(values.begin(), values.begin() + count, values.end(), std::greater<>());
  return std::accumulate(values.begin(), values.begin() + count, 0.0) / static_cast<double>(count);
}

std::vector<double> unit_values(const torch::Tensor& clip_scores, const Units& units,
                                const SelectionOptions& options) {
  if (clip_scores.isnan().any().item<bool>())
    fail("selection: the score of row {} is NaN; look for what broke its logits or embedding",
         clip_scores.isnan().nonzero()[0].item<int64_t>());
  const auto scores = clip_scores.to(torch::kFloat64).contiguous();
  std::vector<double> values;
  for (int64_t u = 0; u < units.size(); ++u) {
    std::vector<double> of_clips;
    for (const int64_t row : units.rows_of(u))
      of_clips.push_back(scores.const_data_ptr<double>()[row]);
    values.push_back(aggregate(std::move(of_clips), options));
  }
  return values;
}

/// What a knapsack adds up: scores, none below 0.
std::vector<double> worths(std::vector<double> values) {
  const double smallest = std::min(0.0, *std::min_element(values.begin(), values.end()));
  for (double& value : values) value -= smallest;
  return values;
}

std::vector<double> per_cost(std::vector<double> worths, const Units& units) {
  for (int64_t u = 0; u < units.size(); ++u)
    worths[u] = units.cost_of(u) > 0 ? worths[u] / units.cost_of(u)
                                     : std::numeric_limits<double>::infinity();
  return worths;
}

std::vector<int64_t> ranking(const std::vector<double>& values, Random random) {
  auto rank = random.permutation(std::ssize(values));  // equal values in random order
  std::stable_sort(rank.begin(), rank.end(),
                   [&](int64_t a, int64_t b) { return values[a] > values[b]; });
  return rank;
}

std::vector<int64_t> predicted_classes(const Units& units, bool wanted) {
  if (!wanted) return {};
  if (!units.scores.logits.defined())
    fail("selection: class_balance needs the logits of the pool; give logits, or switch "
         "class_balance off");
  if (units.scores.logits.isnan().any().item<bool>())
    fail("selection: class_balance: logits hold NaN; look for what broke the scores");
  return to_vector(units.scores.task->predicted(units.scores.logits));
}

/// What was taken so far and what the limits leave.
class Picker {
 public:
  Picker(const Units& units, double budget, const SelectionOptions& options)
      : units_(units),
        left_(budget),
        gap_s_(options.gap_s),
        per_video_(options.per_video > 0 ? options.per_video : std::numeric_limits<int64_t>::max()),
        open_(units.size(), true) {}

  /// Units that fit, in the order of their index. Limits only tighten: what does not fit now never
  /// will.
  std::vector<int64_t> fitting() {
    std::vector<int64_t> fit;
    fit.reserve(units_.size() - taken_.size());
    for (int64_t u = 0; u < units_.size(); ++u) {
      if (open_[u] && !fits(u)) open_[u] = false;
      if (open_[u]) fit.push_back(u);
    }
    return fit;
  }
  void take(int64_t u) {
    open_[u] = false;
    left_ -= units_.cost_of(u);
    ++of_video_[units_.group_of(u)];
    ++of_class_[units_.predicted_of(u)];
    if (gap_s_ > 0) starts_[units_.group_of(u)].push_back(units_.start_s[u]);
    taken_.push_back(u);
  }
  bool fits(int64_t u) const {
    return units_.cost_of(u) <= left_ + kSlack &&
           count(of_video_, units_.group_of(u)) < per_video_ && apart(u);
  }
  int64_t of_class(int64_t unit) const { return count(of_class_, units_.predicted_of(unit)); }
  double left() const { return left_; }
  const std::vector<int64_t>& taken() const { return taken_; }

 private:
  using Counts = std::unordered_map<int64_t, int64_t>;
  static int64_t count(const Counts& counts, int64_t key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
  }
  bool apart(int64_t u) const {
    const auto taken = starts_.find(units_.group_of(u));
    if (taken == starts_.end()) return true;
    return std::all_of(taken->second.begin(), taken->second.end(), [&](double start_s) {
      return std::abs(start_s - units_.start_s[u]) >= gap_s_ - kSlack;
    });
  }
  const Units& units_;
  double left_, gap_s_;
  int64_t per_video_;
  std::vector<bool> open_;
  std::vector<int64_t> taken_;
  Counts of_video_, of_class_;
  std::unordered_map<int64_t, std::vector<double>> starts_;  // of what was taken, by video
};

/// How many of `units` the money left buys at their mean cost; at least 1.
int64_t affordable(const Units& units, const std::vector<int64_t>& fit, double left) {
  double sum = 0;
  for (const int64_t u : fit) sum += units.cost_of(u);
  const auto all = static_cast<double>(fit.size());
  if (sum <= 0) return std::ssize(fit);
  return static_cast<int64_t>(std::clamp(std::ceil(left / (sum / all) - kSlack), 1.0, all));
}

/// The highest level L such that filling every class to L (or to what it has) takes at most `count`
/// of `fit`; at least one above the emptiest class that still has something, so that the remainder
/// goes by rank.
int64_t class_level(const Units& units, const Picker& picker, const std::vector<int64_t>& fit,
                    int64_t count) {
  std::map<int64_t, std::pair<int64_t, int64_t>> classes;  // class: taken, available
  for (const int64_t u : fit) {
    auto& [taken, available] = classes[units.predicted_of(u)];
    taken = picker.of_class(u);
    ++available;
  }
  const auto filling = [&](int64_t level) {
    int64_t sum = 0;
    for (const auto& [_, row] : classes)
      sum += std::clamp<int64_t>(level - row.first, 0, row.second);
    return sum;
  };
  int64_t level = std::numeric_limits<int64_t>::max();
  for (const auto& [_, row] : classes) level = std::min(level, row.first);
  ++level;
  int64_t high = level + std::ssize(fit);
  while (level < high) {  // filling grows with the level
    const int64_t middle = level + (high - level + 1) / 2;
    if (filling(middle) <= count)
      level = middle;
    else
      high = middle - 1;
  }
  return level;
}

std::vector<int64_t> below_level(const Picker& picker, const std::vector<int64_t>& fit,
                                 int64_t level) {
  std::vector<int64_t> below;
  for (const int64_t u : fit) {
    if (picker.of_class(u) < level) below.push_back(u);
  }
  return below;
}

/// The pool of `fit` with what was taken counted as labelled.
PoolScores remaining_pool(const Units& units, const std::vector<int64_t>& fit,
                          const std::vector<int64_t>& taken) {
  PoolScores pool = std::ssize(fit) == units.size()
                        ? units.scores
                        : subset(units.scores, fit);  // all of it is not copied
  if (taken.empty()) return pool;
  const PoolScores chosen = subset(units.scores, taken);
  pool.chosen = std::make_shared<PoolScores>(chosen);
  if (chosen.embeddings.defined()) {
    const bool any = pool.labelled_embeddings.defined() && pool.labelled_embeddings.numel() > 0;
    pool.labelled_embeddings =
        any ? torch::cat(
                  {pool.labelled_embeddings.to(chosen.embeddings.dtype()), chosen.embeddings})
            : chosen.embeddings;
  }
  return pool;
}

std::vector<int64_t> order_of(const Strategy& strategy, const Units& units,
                              const std::vector<int64_t>& fit, const std::vector<int64_t>& taken,
                              int64_t count, Random random) {
  std::vector<int64_t> order;
  if (units.rank.empty()) {
    const auto rows = to_vector(strategy.select(remaining_pool(units, fit, taken), count, random));
    for (const int64_t row : rows) order.push_back(fit[row]);
    return order;
  }
  std::vector<bool> wanted(units.size(), false);
  for (const int64_t u : fit) wanted[u] = true;
  for (const int64_t u : units.rank) {
    if (wanted[u]) order.push_back(u);
  }
  return order;
}

void check(const PoolScores& scores, double budget, const SelectionOptions& options,
           const Strategy& strategy) {
  if (!(budget >= 0)) fail("selection: the budget is {}; give 0 or more {}", budget, options.unit);
  if (const auto what = contradiction(options, strategy); !what.empty())
    fail("selection: {}", what);
  for (const auto* field : {&scores.logits, &scores.embeddings, &scores.teacher}) {
    if (field->defined() && field->size(0) != scores.size())
      fail("selection: {} rows of scores, but {} of embeddings or of the teacher; score all in one "
           "pass",
           scores.size(), field->size(0));
  }
  if (scores.passes.defined() && scores.passes.size(1) != scores.size())
    fail("selection: {} rows of scores, but passes over {}; score all in one pass", scores.size(),
         scores.passes.size(1));
}

/// What `budget` buys, in the order it was taken, beginning with `first`.
std::vector<int64_t> take(const Strategy& strategy, const Units& units, double budget,
                          const SelectionOptions& options, Random random,
                          const std::vector<int64_t>& first) {
  Picker picker(units, budget, options);
  for (const int64_t u : first) picker.take(u);
  for (uint64_t asked = 0;; ++asked) {
    check_interrupted();
    auto fit = picker.fitting();
    if (fit.empty()) return picker.taken();
    int64_t count = affordable(units, fit, picker.left());
    int64_t level = std::numeric_limits<int64_t>::max();
    if (options.class_balance) {
      level = class_level(units, picker, fit, count);
      fit = below_level(picker, fit, level);
      count = std::min(count, std::ssize(fit));
    }
    const auto order =
        order_of(strategy, units, fit, picker.taken(), count, random.stream("select", asked));
    expect(!order.empty(), "a strategy returns at least one row of a pool that has some");
    for (const int64_t u : order) {
      if (picker.of_class(u) < level && picker.fits(u)) picker.take(u);
    }
  }
}

/// The unit worth most of those that the budget buys alone; nothing where `taken` is worth as much.
std::vector<int64_t> better_alone(const Units& units, const std::vector<double>& worth,
                                  const std::vector<int64_t>& taken, double budget) {
  double sum = 0;
  for (const int64_t u : taken) sum += worth[u];
  int64_t best = -1;
  for (const int64_t u : units.rank) {
    if (units.cost_of(u) <= budget + kSlack && (best < 0 || worth[u] > worth[best])) best = u;
  }
  return best >= 0 && worth[best] > sum ? std::vector<int64_t>{best} : std::vector<int64_t>();
}

}  // namespace

void SelectionOptions::visit(OptionVisitor& v) const {
  v("ask", ask, "asks about single clips or whole videos", one_of({"clip", "video"}));
  v("aggregate", aggregate,
    "with ask: video, the score of a video: the mean of the scores of its clips, the largest, or "
    "the mean of the top_m largest",
    one_of({"mean", "max", "top_m"}));
  v("top_m", top_m, "for aggregate: top_m; 0: the square root of the video's clips, rounded up",
    at_least(0));
  v("unit", unit,
    "what the budget counts: answers, seconds of video to watch, or minutes of the time of people "
    "who answer (oracle.kind: people)",
    one_of({"answers", "seconds", "minutes"}));
  v("fill", fill, "with unit: seconds or minutes, ranks by score, or by score per unit (knapsack)",
    one_of({"rank", "knapsack"}));
  v("per_video", per_video, "at most this many clips of one video in a round; 0: no limit",
    at_least(0));
  v("gap_s", gap_s,
    "least seconds between the starts of two clips of one video in a round; 0: no limit",
    at_least(0));
  v("class_balance", class_balance, "chooses equally many clips of each predicted class");
}

std::string contradiction(const SelectionOptions& options, const Strategy& strategy) {
  if (options.ask != "clip" && options.ask != "video")
    return fmt::format("ask = '{}' is neither clip nor video", options.ask);
  if (options.unit != "answers" && options.unit != "seconds" && options.unit != "minutes")
    return fmt::format("unit = '{}' is none of answers, seconds, minutes", options.unit);
  if (options.aggregate != "mean" && options.aggregate != "max" && options.aggregate != "top_m")
    return fmt::format("aggregate = '{}' is none of mean, max, top_m", options.aggregate);
  if (options.fill != "rank" && options.fill != "knapsack")
    return fmt::format("fill = '{}' is neither rank nor knapsack", options.fill);
  if (options.ask == "video" && options.per_video > 0)
    return fmt::format(
        "per_video = {} cannot hold when whole videos are asked for; set ask: clip or per_video: 0",
        options.per_video);
  if (options.ask == "video" && options.gap_s > 0)
    return fmt::format(
        "gap_s = {} cannot hold when whole videos are asked for; set ask: clip or gap_s: 0",
        options.gap_s);
  if (options.fill == "knapsack" && options.unit == "answers")
    return "fill: knapsack fills seconds or minutes; set unit: seconds, or fill: rank";
  if (options.fill == "knapsack" && !scores_clips(strategy))
    return "fill: knapsack adds up scores, and this strategy chooses sets; set fill: rank, or take "
           "a strategy that scores, such as entropy";
  return "";
}

torch::Tensor select(const Strategy& strategy, const PoolScores& scores, double budget,
                     const SelectionOptions& options, Random random) {
  check(scores, budget, options, strategy);
  if (scores.size() == 0) return torch::empty({0}, torch::kInt64);
  const bool knapsack = options.fill == "knapsack";
  if (options.unit == "answers") budget = std::floor(budget + kSlack);
  Units units = options.ask == "video" ? videos_of(scores, options) : clips_of(scores, options);
  units.predicted = predicted_classes(units, options.class_balance);
  if (const auto clip_scores = strategy.score(scores, random.stream("score"))) {
    units.value = unit_values(*clip_scores, units, options);
    units.rank = ranking(knapsack ? per_cost(worths(units.value), units) : units.value,
                         random.stream("ties"));
  }
  auto taken = take(strategy, units, budget, options, random, {});
  if (knapsack) {
    const auto alone = better_alone(units, worths(units.value), taken, budget);
    if (!alone.empty()) taken = take(strategy, units, budget, options, random, alone);
  }
  std::vector<int64_t> rows;
  for (const int64_t u : taken) {
    for (const int64_t row : units.rows_of(u)) rows.push_back(row);
  }
  return torch::tensor(rows, torch::kInt64);
}

}  // namespace distal
