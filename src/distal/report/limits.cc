#include "distal/report/limits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "distal/report/html.h"

namespace distal {
namespace {

std::string plural(int64_t count, const std::string& one, const std::string& many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

const char* is_are(int64_t count) { return count == 1 ? "is" : "are"; }

/// Half the width of an interval, in percentage points; NaN where there is none.
double half_width(double low, double high) {
  return std::isfinite(low) && std::isfinite(high) ? 50 * (high - low) : NAN;
}

/// The comparison that the head of the report is about: of the best arm, else the first.
const Comparison* main_comparison(const Summary& summary) {
  for (const Comparison& c : summary.comparisons) {
    if (c.arm == summary.best) return &c;
  }
  return summary.comparisons.empty() ? nullptr : &summary.comparisons.front();
}

int64_t fewest_seeds(const Summary& summary) {
  int64_t fewest = std::numeric_limits<int64_t>::max();
  for (const ArmView& arm : summary.arms) {
    if (arm.ran()) fewest = std::min(fewest, std::ssize(arm.trials));
  }
  return fewest;
}

void add_seeds(std::vector<Limit>& all, const Summary& summary) {
  const Comparison* c = main_comparison(summary);
  const int64_t seeds = c ? std::min(std::ssize(c->arm->trials), std::ssize(c->against->trials))
                          : fewest_seeds(summary);
  if (seeds >= kEnoughSeeds) return;
  std::string says =
      fmt::format("{} {} run.", plural(seeds, "seed", "seeds"), seeds == 1 ? "was" : "were");
  const double half = c ? half_width(c->difference.low, c->difference.high) : NAN;
  if (seeds == 1)
    says += " There is no interval, and no difference can be called real.";
  else if (std::isfinite(half))
    says += fmt::format(" The difference between {} and {} is known to {:.1f} points either way.",
                        c->arm->name, c->against->name, half);
  all.push_back({"seeds", static_cast<double>(seeds), says,
                 "Set seeds to 10 and run the recipe again: finished runs are kept."});
}

int64_t different(const std::vector<std::string>& groups) {
  return std::ssize(std::set<std::string>(groups.begin(), groups.end()));
}

void add_groups(std::vector<Limit>& all, const Summary& summary) {
  const auto& names = summary.results->test_groups;
  const int64_t groups = different(names);
  if (names.empty() || groups >= kEnoughTestGroups) return;
  std::string says = fmt::format("The test list has {} (source videos or patients).",
                                 plural(groups, "group", "groups"));
  const Comparison* c = main_comparison(summary);
  if (groups < kFewestGroups) {
    says += fmt::format(" With fewer than {} nothing is said of other videos.", kFewestGroups);
  } else if (c && c->crossed) {
    const double over_seeds = half_width(c->difference.low, c->difference.high);
    const double both = half_width(c->crossed->interval.low, c->crossed->interval.high);
    if (both > over_seeds)
      says += fmt::format(" They limit more than the seeds: {:.1f} points either way over seeds "
                          "and groups, {:.1f} over seeds alone.",
                          both, over_seeds);
  }
  all.push_back({"test_groups", static_cast<double>(groups), says,
                 "Test on more groups; more seeds do not help here. Folds by group test on all."});
}

/// Groups of each class in the test list, by the class's number.
std::map<int64_t, std::set<std::string>> groups_by_class(const Results& results) {
  std::map<int64_t, std::set<std::string>> groups;
  if (results.test_classes.size() != results.test_groups.size()) return groups;
  for (size_t k = 0; k < results.classes.size() && !results.test_classes.empty(); ++k)
    groups[static_cast<int64_t>(k)];
  for (size_t i = 0; i < results.test_classes.size(); ++i)
    groups[results.test_classes[i]].insert(results.test_groups[i]);
  return groups;
}

void add_classes(std::vector<Limit>& all, const Summary& summary) {
  const auto groups = groups_by_class(*summary.results);
  size_t fewest = kFewestGroups;
  for (const auto& [label, names] : groups) fewest = std::min(fewest, names.size());
  if (groups.empty() || fewest >= static_cast<size_t>(kFewestGroups)) return;
  std::vector<std::string> poor;
  for (const auto& [label, names] : groups) {
    const auto k = static_cast<size_t>(label);
    if (names.size() == fewest && k < summary.results->classes.size())
      poor.push_back(summary.results->classes[k]);
  }
  if (poor.empty()) return;
  const std::string more =
      poor.size() > 3 ? fmt::format(" and {} more classes", poor.size() - 3) : "";
  poor.resize(std::min<size_t>(poor.size(), 3));
  const auto count = static_cast<int64_t>(fewest);
  all.push_back({"test_groups_of_class", static_cast<double>(count),
                 fmt::format("Of {}{} there {} {} to test on: rates of a class say little.",
                             fmt::join(poor, ", "), more, is_are(count),
                             count == 0 ? "no group" : plural(count, "group", "groups")),
                 fmt::format("Add test videos of other sources until each class has {} groups.",
                             kFewestGroups)});
}

void add_clips(std::vector<Limit>& all, const Summary& summary) {
  const int64_t clips = summary.results->test_clips;
  if (clips <= 0 || clips >= kEnoughTestClips) return;
  all.push_back(
      {"test_clips", static_cast<double>(clips),
       fmt::format("{} tested on: one clip is {:.1f} points of accuracy.",
                   plural(clips, "clip is", "clips are"), 100.0 / static_cast<double>(clips)),
       "Test on more clips, best of other groups."});
}

void add_teacher(std::vector<Limit>& all, const Summary& summary) {
  const bool one = std::any_of(summary.comparisons.begin(), summary.comparisons.end(),
                               [](const Comparison& c) { return c.one_teacher; });
  if (!one) return;
  all.push_back({"one_teacher", 1,
                 "1 teacher taught all seeds: with another one the arms that "
                 "learn from it may change places.",
                 "Run the recipe again with another seed in another folder, which trains another "
                 "teacher, and lay both side by side with distal report."});
}

/// Share of the answers of all rounds that agree with hidden labels; NaN where none is known.
double answers_right(const Results& results) {
  double right = 0;
  double all = 0;
  for (const Trial& trial : results.trials) {
    double before = 0;
    for (const RoundResult& round : trial.rounds) {
      const double asked = static_cast<double>(round.answers) - before;
      before = static_cast<double>(round.answers);
      if (round.answer_accuracy < 0) continue;
      right += asked * round.answer_accuracy;
      all += asked;
    }
  }
  return right / all;
}

void add_wrong_answers(std::vector<Limit>& all, const Summary& summary) {
  const double right = answers_right(*summary.results);
  if (!(right < kEnoughRight)) return;
  const bool people = !summary.results->people.empty();
  all.push_back(
      {"wrong_answers", 1 - right,
       fmt::format("{} of the answers disagree with the hidden labels.", percent(1 - right, 0)),
       people ? "Have clips answered by several people, and conflicts decided."
              : "Train the teacher on more labels or for more steps, or have people answer."});
}

void add_one_person(std::vector<Limit>& all, const Summary& summary) {
  const auto& people = summary.results->people;
  if (people.size() != 1) return;
  all.push_back(
      {"one_person", static_cast<double>(people.front().answers),
       fmt::format("1 person gave all {} answers of people: nobody knows how often another would "
                   "say something else.",
                   people.front().answers),
       "Have a second person answer a part of the clips, and look at their agreement."});
}

void add_unchecked(std::vector<Limit>& all, const Summary& summary) {
  const auto& people = summary.results->people;
  if (people.size() < 2 || summary.results->answered_twice > 0) return;
  all.push_back({"one_person", 0,
                 fmt::format("0 clips were answered by two of the {} people, so that their "
                             "agreement is not known.",
                             people.size()),
                 "Have some clips answered by two people."});
}

std::string worst_names(const std::vector<std::pair<double, std::string>>& sorted) {
  std::string out;
  for (size_t i = 0; i < std::min<size_t>(sorted.size(), 3); ++i)
    out += (i == 0 ? "" : ", ") + sorted[i].second;
  return sorted.size() > 3 ? out + fmt::format(" and {} more arms", sorted.size() - 3) : out;
}

void add_plateau(std::vector<Limit>& all, const Summary& summary) {
  std::vector<std::pair<double, std::string>> falling;
  for (const ArmView& arm : summary.arms) {
    const double fall =
        estimate(final_values(arm, [](const RoundResult& r) { return r.loss_fall; })).mean;
    if (fall > kStillFalling) falling.emplace_back(fall, arm.name);
  }
  if (falling.empty()) return;
  std::sort(falling.rbegin(), falling.rend());
  all.push_back({"plateau", falling.front().first,
                 fmt::format("The loss of the last students was still falling when training ended, "
                             "by up to {} of its first value in the last quarter ({}).",
                             percent(falling.front().first, 0), worst_names(falling)),
                 "Raise training.steps until three times as many change the accuracy by less than "
                 "2 points; students that are not trained to the end hide what arms differ in."});
}

/// Mean over the seeds of what the last round of each added to its accuracy; NaN where none has two
/// rounds.
double last_gain(const ArmView& arm) {
  std::vector<double> gains;
  for (const Trial* trial : arm.trials) {
    const size_t rounds = trial->rounds.size();
    if (rounds < 2) continue;
    gains.push_back(accuracy(trial->rounds[rounds - 1]) - accuracy(trial->rounds[rounds - 2]));
  }
  return gains.empty() ? NAN : estimate(gains).mean;
}

void add_budget(std::vector<Limit>& all, const Summary& summary) {
  if (!summary.best || summary.rounds < 2) return;
  const double gain = last_gain(*summary.best);
  if (!(gain > kStillRising)) return;
  all.push_back({"budget", gain,
                 fmt::format("The last round still added {} points to {}: the order of the arms "
                             "holds for this budget.",
                             points(gain), summary.best->name),
                 "Add rounds: a continued run keeps the rounds that it has."});
}

bool chooses(const Summary& summary) {
  return std::any_of(summary.arms.begin(), summary.arms.end(), [](const ArmView& arm) {
    return arm.ran() && arm.trials.front()->rounds.size() > 1;
  });
}

void add_first_student(std::vector<Limit>& all, const Summary& summary) {
  const size_t classes = summary.results->classes.size();
  if (classes < 2 || !chooses(summary)) return;
  std::vector<double> first;
  for (const Trial& trial : summary.results->trials) {
    if (!trial.rounds.empty()) first.push_back(accuracy(trial.rounds.front()));
  }
  const double mean = estimate(first).mean;
  const double chance = 1.0 / static_cast<double>(classes);
  if (!(mean < 1.2 * chance)) return;
  all.push_back({"first_student", mean,
                 fmt::format("The first students are right in {}, and chance is {}: what they "
                             "choose by doubt or by features is close to a random draw.",
                             percent(mean), percent(chance)),
                 "Begin with more clips (start), or with a pre-trained backbone."});
}

void add_start_draw(std::vector<Limit>& all, const Summary& summary) {
  if (summary.results->start_draw.find("hidden labels") == std::string::npos) return;
  all.push_back({"start_draw", static_cast<double>(summary.results->start_clips),
                 "The initial clips were drawn evenly over the hidden labels, as nobody could: "
                 "what a cold start costs is not seen.",
                 "Set start_draw to random, or to a strategy over features."});
}

void add_missing(std::vector<Limit>& all, const Summary& summary) {
  size_t most = 0;
  int64_t missing = 0;
  for (const ArmView& arm : summary.arms) most = std::max(most, arm.trials.size());
  for (const ArmView& arm : summary.arms) missing += static_cast<int64_t>(most - arm.trials.size());
  if (missing == 0) return;
  all.push_back({"missing_runs", static_cast<double>(missing),
                 fmt::format("{} missing: arms have different seeds, and only pairs are tested.",
                             plural(missing, "run is", "runs are")),
                 "Run the recipe again: what is missing is run."});
}

void add_many(std::vector<Limit>& all, const Summary& summary) {
  const size_t tests = summary.comparisons.size();
  if (tests <= kManyComparisons) return;
  all.push_back({"many_arms", static_cast<double>(tests),
                 fmt::format("{} differences are tested at once: the best of so many arms is "
                             "partly the luckiest, and Holm's correction asks for p < {:.1g}.",
                             tests, 0.05 / static_cast<double>(tests)),
                 "Take a few arms from the front, and run these with new seeds."});
}

void add_unusable(std::vector<Limit>& all, const Summary& summary) {
  const int64_t videos = std::ssize(summary.results->quarantined);
  if (videos == 0) return;
  all.push_back({"unusable_videos", static_cast<double>(videos),
                 fmt::format("{} not be used.", plural(videos, "video could", "videos could")),
                 "The section on the data names them with their reasons."});
}

}  // namespace

std::vector<Limit> limits(const Summary& summary) {
  std::vector<Limit> all;
  if (!summary.best) return all;
  for (const auto add : {add_seeds, add_groups, add_classes, add_clips, add_wrong_answers,
                         add_one_person, add_unchecked, add_plateau, add_teacher, add_first_student,
                         add_budget, add_many, add_missing, add_start_draw, add_unusable}) {
    add(all, summary);
  }
  return all;
}

}  // namespace distal
