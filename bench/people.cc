// Simulated people answer through the store and the oracle that a study uses. `bench_people
// [SEEDS]` prints two tables: what a consensus is worth above a majority vote where people err, and
// whether a budget in minutes holds whatever they do. Stores lie in a folder of $TMPDIR and are
// deleted.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <queue>

#include "distal/base/document.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/evaluation/statistics.h"
#include "distal/oracles/ledger.h"
#include "distal/store/people_store.h"

namespace distal {
namespace {

constexpr int64_t kClasses = 4;
constexpr int64_t kPeople = 7;
constexpr int64_t kMinute_ms = 60'000;

int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string person(int64_t number) { return fmt::format("person {}", number); }

// The store of one study, and its oracle as a process that was started anew has it.
class Asked {
 public:
  Asked(const std::string& folder, const std::string& oracle, std::vector<Clip> clips)
      : url_("sqlite:" + folder + "/people.db"), clips_(std::move(clips)) {
    for (const char* end : {"", "-wal", "-shm"})
      std::filesystem::remove(folder + "/people.db" + end);
    read_options(options_, oracle, "bench");
    people_ = std::make_unique<PeopleStore>(url_);
  }

  Answers ask(const ClipRefs& clips, const std::vector<AskedFor>& why = {}) {
    Store store(url_);
    ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
    ClipReader reader({}, {});
    Ledger ledger(options_, open(), {classes_, reader, [] { return FilmedClips(); }}, store, quiet);
    return ledger.ask(clips, why);
  }
  std::vector<PersonTime> times(const ClipRefs& clips) { return open()->person_times(clips); }
  PeopleStore& people() { return *people_; }
  const std::vector<Clip>& clips() const { return clips_; }
  const std::string& name_of(int64_t k) const { return classes_.names[static_cast<size_t>(k)]; }

 private:
  std::unique_ptr<OpenOracle> open() const {
    OracleSetup setup;
    setup.classes = classes_;
    setup.study = "bench";
    setup.store_url = url_;
    return options_.kind->open(setup).answers;
  }

  std::string url_;
  Classes classes_{{"a", "b", "c", "d"}};
  std::vector<Clip> clips_;
  OracleOptions options_;
  std::unique_ptr<PeopleStore> people_;
};

// Clips of 2 to 20 s.
std::vector<Clip> clips_of(int64_t count, Random random) {
  std::vector<Clip> clips(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    Clip& clip = clips[static_cast<size_t>(i)];
    clip.video = fmt::format("{}.mp4", i);
    clip.video_id = fmt::format("{:06x}", i);
    clip.end_s = 2 + static_cast<double>(random.below(19));
  }
  return clips;
}

// ---- people who err

// A person is right with a probability from .70 to .95. Every third errs towards one class.
class Erring {
 public:
  explicit Erring(Random random) : random_(random) {
    for (int64_t p = 0; p < kPeople; ++p) skill_.push_back(random_.uniform(0.7, 0.95));
  }
  int64_t says(int64_t p, int64_t truth) {
    if (random_.uniform() < skill_[static_cast<size_t>(p)]) return truth;
    return p % 3 == 0 ? p % kClasses : (truth + 1 + random_.below(kClasses - 1)) % kClasses;
  }
  int64_t below(int64_t n) { return random_.below(n); }

 private:
  Random random_;
  std::vector<double> skill_;
};

PeopleStore::NewAnswer answer_of(int64_t item, const std::string& who, const std::string& name,
                                 double seconds, int64_t at_ms) {
  PeopleStore::NewAnswer answer;
  answer.uuid = fmt::format("{} {} {}", item, who, at_ms);
  answer.item = item;
  answer.person = who;
  answer.class_name = name;
  answer.answered_ms = at_ms;
  answer.seconds = seconds;
  return answer;
}

// Whoever happens to come takes the next item of the queue, until nothing is left.
void answer_all(Asked& asked, const std::vector<int64_t>& truth, Erring& people) {
  const int64_t first = asked.people().items({.study = "bench"}, 0, 1).at(0).id;
  int64_t now = now_ms();
  for (int64_t idle = 0; idle < 20 * kPeople;) {
    const int64_t p = people.below(kPeople);
    PeopleStore::Next next;
    next.person = next.session = person(p);
    next.count = 5;
    next.now_ms = ++now;
    const auto leased = asked.people().lease_next(next);
    idle = leased.empty() ? idle + 1 : 0;
    for (const auto& one : leased) {
      const int64_t said = people.says(p, truth.at(static_cast<size_t>(one.item.id - first)));
      asked.people().put(answer_of(one.item.id, person(p), asked.name_of(said), 3, now), now);
    }
  }
}

// Of the clips, how many are right; a tie by its share.
double right_of(const Answers& answers, const std::vector<int64_t>& truth) {
  double right = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const auto& label = answers.probabilities[i];
    if (label.empty()) continue;
    const double most = *std::max_element(label.begin(), label.end());
    if (label[static_cast<size_t>(truth[i])] != most) continue;
    right += 1 / static_cast<double>(std::count(label.begin(), label.end(), most));
  }
  return right;
}

double right_by(const std::string& agree, const std::string& folder, int64_t seed, int64_t wanted,
                int64_t items) {
  const Random random(static_cast<uint64_t>(seed));
  Asked asked(folder, fmt::format("{{kind: people, people: {}, agree: {}}}", wanted, agree),
              clips_of(items, random.stream("clips")));
  Random draw = random.stream("truth");
  std::vector<int64_t> truth;
  for (int64_t i = 0; i < items; ++i) truth.push_back(draw.below(kClasses));
  const ClipRefs clips = refs_of(asked.clips());
  asked.ask(clips);
  Erring people(random.stream("people"));
  answer_all(asked, truth, people);
  const Answers answers = asked.ask(clips);
  if (!answers.complete()) fmt::print("{} clips are awaited\n", answers.awaited.size());
  return right_of(answers, truth);
}

void compare_rules(const std::string& folder, int64_t seeds, int64_t wanted, int64_t items) {
  std::vector<double> majority, consensus;
  int64_t above = 0;
  int64_t below = 0;
  for (int64_t seed = 0; seed < seeds; ++seed) {
    majority.push_back(right_by("majority", folder, seed, wanted, items));
    consensus.push_back(right_by("dawid_skene", folder, seed, wanted, items));
    above += consensus.back() > majority.back();
    below += consensus.back() < majority.back();
  }
  const auto sum = [](const std::vector<double>& rights) {
    double all = 0;
    for (const double right : rights) all += right;
    return all;
  };
  const PairedTest test = paired_t_test(consensus, majority);
  fmt::print("{:>8} {:>6} {:>6} {:>14.1f} {:>14.1f} {:>8} {:>8} {:>12.2g}\n", wanted, seeds,
             seeds * items, sum(majority), sum(consensus), above, below, test.p);
}

// ---- budgets in minutes

struct Rounds {
  int64_t rounds = 0;
  int64_t chosen = 0;
  int64_t withdrawn = 0;
  int64_t answers = 0;
  int64_t refused = 0;
  int64_t walked_away = 0;
  int64_t undone = 0;
  int64_t above = 0;         // rounds whose answers count more than their budget
  int64_t breaks_above = 0;  // rounds whose seconds, breaks among them, are more
  double used_s = 0;
  double budget_s = 0;
};

// Several people at once, each with a page of up to three items. The clock is the simulation's.
class Team {
 public:
  Team(Asked& asked, Random random, int64_t start_ms) : asked_(asked), random_(random) {
    for (int64_t p = 0; p < kPeople; ++p) due_.push({start_ms + random_.below(60'000), p});
    pace_ = random_.uniform(0.5, 2);
  }

  // Until nothing is open. Returns the time.
  int64_t work(Rounds& counts) {
    int64_t now = due_.top().first;
    while (asked_.people().count_items({.study = "bench", .state = "open"}) > 0) {
      const auto [at, p] = due_.top();
      due_.pop();
      now = at;
      due_.push({now + turn(p, now, counts), p});
      asked_.people().withdraw_spent(now);
    }
    return now;
  }
  double seconds() const { return seconds_; }

 private:
  // What a person does next. Returns how long it takes.
  int64_t turn(int64_t p, int64_t now, Rounds& counts) {
    if (const auto done = doing_.find(p); done != doing_.end()) {
      finish(p, done->second, now, counts);
      doing_.erase(done);
    }
    PeopleStore::Next next;
    next.person = next.session = person(p);
    next.count = 1 + random_.below(3);
    next.now_ms = now;
    const auto leased = asked_.people().lease_next(next);
    if (leased.empty()) return 20'000;
    if (random_.uniform() < 0.05) {  // the leases end by themselves
      ++counts.walked_away;
      return 5 * kMinute_ms;
    }
    const PeopleStore::Item& item = leased.front().item;
    double seconds = pace_ * (4 + item.end_s - item.start_s) * std::exp(0.6 * random_.normal());
    if (random_.uniform() < 0.03) seconds += 600;  // a break at the page
    doing_[p] = {item.id, seconds};
    return static_cast<int64_t>(1000 * seconds);
  }

  void finish(int64_t p, const std::pair<int64_t, double>& work, int64_t now, Rounds& counts) {
    seconds_ += work.second;
    const auto answer = answer_of(work.first, person(p), "a", work.second, now);
    try {
      asked_.people().put(answer, now);
      ++counts.answers;
      if (random_.uniform() < 0.03) {
        asked_.people().undo(answer.uuid, person(p), now);
        ++counts.undone;
      }
    } catch (const PeopleRefused&) {
      ++counts.refused;  // the lease ended, and others answered it or the minutes were used up
    }
  }

  Asked& asked_;
  Random random_;
  double pace_ = 1;
  double seconds_ = 0;
  std::map<int64_t, std::pair<int64_t, double>> doing_;  // by person: item, seconds
  std::priority_queue<std::pair<int64_t, int64_t>, std::vector<std::pair<int64_t, int64_t>>,
                      std::greater<>>
      due_;
};

// As many clips as the expected minutes allow, in their order.
ClipRefs chosen_of(Asked& asked, size_t& from, double budget_s) {
  ClipRefs rest;
  for (size_t i = from; i < asked.clips().size(); ++i) rest.push_back(&asked.clips()[i]);
  const auto times = asked.times(rest);
  ClipRefs chosen;
  double expected_s = 0;
  for (size_t i = 0; i < rest.size() && expected_s + times[i].left_s <= budget_s; ++i, ++from) {
    expected_s += times[i].left_s;
    chosen.push_back(rest[i]);
  }
  return chosen;
}

void study_of_rounds(const std::string& folder, int64_t seed, Rounds& counts) {
  const Random random(static_cast<uint64_t>(seed));
  const int64_t wanted = 1 + seed % 3;
  const double budget_s = 60 * static_cast<double>(5 + 5 * (seed % 4));
  Asked asked(folder,
              fmt::format("{{kind: people, people: {}, agree: {}}}", wanted,
                          wanted == 1 ? "all" : "majority"),
              clips_of(600, random.stream("clips")));
  int64_t now = now_ms();
  size_t from = 0;
  for (int64_t round = 1; round <= 4; ++round) {
    const ClipRefs clips = chosen_of(asked, from, budget_s);
    const std::string name = fmt::format("round {}", round);
    std::vector<AskedFor> why;
    for (size_t i = 0; i < clips.size(); ++i) {
      why.push_back({"pool", round, static_cast<int64_t>(i), ""});
      why.back().budget = {name, budget_s};
    }
    asked.ask(clips, why);
    Team team(asked, random.stream("team", static_cast<uint64_t>(round)), now);
    now = team.work(counts) + 5 * kMinute_ms;
    if (!asked.ask(clips, why).complete()) fmt::print("{} waits\n", name);
    const double used_s = asked.people().time_spent(name, now).value().used;
    ++counts.rounds;
    counts.chosen += std::ssize(clips);
    counts.used_s += used_s;
    counts.budget_s += budget_s;
    counts.above += used_s > budget_s + 1e-6;
    counts.breaks_above += team.seconds() > budget_s;
  }
  counts.withdrawn += asked.people().count_items({.study = "bench", .state = "withdrawn"});
}

void try_budgets(const std::string& folder, int64_t studies) {
  Rounds counts;
  for (int64_t seed = 0; seed < studies; ++seed) study_of_rounds(folder, seed, counts);
  const auto line = [](const char* what, double value) {
    fmt::print("{:<60} {:>10.0f}\n", what, value);
  };
  line("studies", static_cast<double>(studies));
  line("rounds", static_cast<double>(counts.rounds));
  line("clips chosen", static_cast<double>(counts.chosen));
  line("clips withdrawn, as the minutes were used up", static_cast<double>(counts.withdrawn));
  line("answers", static_cast<double>(counts.answers));
  line("answers refused, their lease had ended", static_cast<double>(counts.refused));
  line("answers undone", static_cast<double>(counts.undone));
  line("times that somebody walked away", static_cast<double>(counts.walked_away));
  line("minutes of the budgets", counts.budget_s / 60);
  line("minutes that answers count", counts.used_s / 60);
  line("rounds above their budget", static_cast<double>(counts.above));
  line("rounds above it where breaks and refused answers count too",
       static_cast<double>(counts.breaks_above));
}

}  // namespace
}  // namespace distal

int main(int count, char** words) {
  const int64_t seeds = count > 1 ? std::stoll(words[1]) : 60;
  std::string folder = (std::filesystem::temp_directory_path() / "bench_people_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  fmt::print("Clips whose label is right, of {} people of 70 to 95 % accuracy, {} classes\n",
             distal::kPeople, distal::kClasses);
  fmt::print("{:>8} {:>6} {:>6} {:>14} {:>14} {:>8} {:>8} {:>12}\n", "answers", "seeds", "clips",
             "majority", "dawid_skene", "above", "below", "p, paired");
  for (const int64_t wanted : {3, 5}) distal::compare_rules(folder, seeds, wanted, 200);
  fmt::print("\nBudgets in minutes\n");
  distal::try_budgets(folder, seeds);
  std::filesystem::remove_all(folder);
  return 0;
}
