// A study whose clips nobody has labelled: people answer, from the first clip to the test set.

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/store/people_store.h"
#include "distal/study/asked_of_people.h"
#include "distal/study/plan.h"
#include "distal/study/round.h"
#include "distal/study/run.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Item = PeopleStore::Item;

class PeopleTest : public ::testing::Test {
 protected:
  PeopleTest() {
    SyntheticOptions video;
    video.width = video.height = 32;
    video.frames = 8;
    std::map<std::string, std::string> lists = {{"pool.csv", "path,group\n"},
                                                {"held_out.csv", "path,group\n"}};
    for (int i = 0; i < 24; ++i) {
      const std::string name = fmt::format("{}.mp4", i);
      write_motion(folder_ / name, motions()[i % 2], i, video);
      lists[i < 18 ? "pool.csv" : "held_out.csv"] += fmt::format("{0},g{1}\n", name, i);
    }
    for (const auto& [name, text] : lists) folder_.write(name, text);
    make_folder(folder_ / "out");
  }

  // `oracle`: options behind its kind, after a comma.
  Study study(int64_t seeds, const std::string& more = "", const std::string& oracle = "",
              const std::string& budget = "4") const {
    const std::string yaml = fmt::format(
        "data: {{root: {0}, classes: [even, odd], pool: {{csv: pool.csv}}, test: {{csv: "
        "held_out.csv}}}}\ncache: {{folder: {0}/frames}}\noracle: {{kind: "
        "people{3}}}\n"
        "input: {{size_px: 32, sampling: {{frames: 4}}}}\n"
        "student: {{model: {{name: resnet3d, depth: 10, width: 4}}, training: {{steps: 2, "
        "batch_size: 4, precision: f32}}}}\n"
        "seeds: {1}\nstart: 6\nrounds: 1\nbudget: {4}\nstrategy: margin\nno_random_arm: a "
        "test\n{2}",
        folder_.path(), seeds, more, oracle, budget);
    return read_study(Document::text(yaml, "r.yaml"), "r");
  }
  RunPlace place() const { return {.folder = folder_ / "out", .store_url = url()}; }
  std::string url() const { return "sqlite:" + (folder_ / "people.db"); }

  // As a command would: everything is opened anew.
  Results command(const Study& whole) {
    OpenedStudy opened = open_study(whole, place(), quiet_);
    return run(whole, opened, place(), quiet_);
  }
  std::string why_it_waits(const Study& whole) {
    return error_of<Awaiting>([&] { command(whole); });
  }

  std::vector<Item> open_items() const {
    PeopleStore::ItemFilter open;
    open.state = "open";
    return PeopleStore(url()).items(open, 0, 1000);
  }
  static std::string truth(const Item& item) {
    const std::string name = std::filesystem::path(item.video).stem().string();
    return std::stoi(name) % 2 == 0 ? "even" : "odd";
  }
  void answer(const Item& item, bool skipped = false, double seconds = 0) const {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("answer {}", item.id);
    answer.item = item.id;
    answer.person = "ann";
    answer.skipped = skipped;
    if (!skipped) answer.class_name = truth(item);
    answer.answered_ms = 1000 + item.id;
    answer.seconds = seconds;
    PeopleStore(url()).put(answer, 1000 + item.id);
  }
  void answer_all() const {
    for (const Item& item : open_items()) answer(item);
  }
  // The first `count` open ones of a purpose, in the order of the queue.
  void answer_some(const std::string& purpose, size_t count) const {
    std::vector<Item> items = open_items();
    std::erase_if(items, [&](const Item& item) { return item.purpose != purpose; });
    std::ranges::stable_sort(items, {}, &Item::position);
    ASSERT_GE(items.size(), count);
    items.resize(count);
    for (const Item& item : items) answer(item);
  }
  int64_t count(const std::string& state) const {
    PeopleStore::ItemFilter filter;
    filter.state = state;
    return PeopleStore(url()).count_items(filter);
  }

  TemporaryFolder folder_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

std::map<std::string, int64_t> purposes(const std::vector<Item>& items) {
  std::map<std::string, int64_t> counts;
  for (const Item& item : items) ++counts[item.purpose];
  return counts;
}

double margin_of(const std::string& guess) {
  const auto json = nlohmann::json::parse(guess);
  return std::abs(json.at("even").get<double>() - json.at("odd").get<double>());
}

// Of a reason's neighbours, which must be labelled rightly and come nearest first.
std::vector<double> distances_of(const std::string& neighbours) {
  std::vector<double> distances;
  const auto all = nlohmann::json::parse(neighbours);
  for (const auto& one : all) {
    const std::string name = std::filesystem::path(one.at("video").get<std::string>()).stem();
    EXPECT_EQ(one.at("class"), std::stoi(name) % 2 == 0 ? "even" : "odd");
    distances.push_back(one.at("distance"));
  }
  EXPECT_TRUE(std::ranges::is_sorted(distances));
  return distances;
}

/// All of a round but wall times.
std::string curve_of(const Results& results) {
  std::string text;
  for (const Trial& trial : results.trials) {
    for (const RoundResult& round : trial.rounds)
      text += fmt::format("{} {} {} {}\n", trial.seed, round.round, round.answers,
                          to_json(round.metrics, results.classes));
  }
  return text;
}

TEST_F(PeopleTest, AnswerAboutTheTestSetTheStartAndEachChoice) {
  const Study whole = study(2, "chooses: first_seed\n");
  EXPECT_THAT(why_it_waits(whole), HasSubstr("awaited"));
  EXPECT_EQ(purposes(open_items()),
            (std::map<std::string, int64_t>{{"held_out", 6}, {"start", 6}}));

  answer_all();
  EXPECT_THAT(why_it_waits(whole), HasSubstr("awaited"));
  const std::vector<Item> chosen = open_items();
  ASSERT_THAT(chosen, SizeIs(4)) << "both seeds learn from what the first one chose";
  for (const Item& item : chosen) {
    EXPECT_EQ(item.purpose, "pool");
    EXPECT_EQ(item.round, 1);
    const auto reasons = PeopleStore(url()).reasons(item.id);
    ASSERT_THAT(reasons, SizeIs(1));
    EXPECT_EQ(reasons[0].strategy, "margin");
    EXPECT_THAT(reasons[0].guess_json, HasSubstr("even"));
    EXPECT_EQ(reasons[0].score, -margin_of(reasons[0].guess_json));
    EXPECT_THAT(distances_of(reasons[0].neighbours_json), SizeIs(5));
  }

  answer_all();
  const Results results = command(whole);
  EXPECT_THAT(open_items(), SizeIs(0));
  ASSERT_THAT(results.trials, SizeIs(2));
  for (const Trial& trial : results.trials) {
    ASSERT_THAT(trial.rounds, SizeIs(2));
    EXPECT_EQ(trial.rounds[1].answers, 10);
    EXPECT_THAT(trial.rounds[1].metrics.correct, SizeIs(6));
  }
  EXPECT_EQ(command(whole).trials[0].rounds[1].metrics.accuracy,
            results.trials[0].rounds[1].metrics.accuracy);

  ASSERT_THAT(results.people, SizeIs(1));
  EXPECT_EQ(results.people[0].name, "ann");
  EXPECT_EQ(results.people[0].answers, 16);
  EXPECT_EQ(results.answered_twice, 0);
  ASSERT_THAT(results.trials[0].asked, SizeIs(2)) << "a start and a round";
  EXPECT_THAT(results.trials[1].asked, SizeIs(0)) << "the first seed's clips are shown";
  EXPECT_EQ(results.trials[0].asked[0].clips, 6);
  EXPECT_EQ(results.trials[0].asked[1].clips, 4);
  for (const AskedRound& round : results.trials[0].asked) {
    ASSERT_EQ(std::ssize(round.shown), round.clips);
    for (const AskedClip& asked : round.shown) {
      const std::string stem = std::filesystem::path(asked.clip.video.str()).stem().string();
      EXPECT_EQ(asked.answer, std::stoi(stem) % 2);
      EXPECT_EQ(asked.by, "ann");
    }
  }
}

TEST_F(PeopleTest, WhatTheyLeaveOutIsNeitherLearnedNorMeasuredNorAskedAgain) {
  const Study whole = study(1);
  why_it_waits(whole);
  std::set<std::string> left_out;
  for (const Item& item : open_items()) {
    const bool skipped = left_out.size() < 2 && !left_out.contains(item.purpose);
    if (skipped) left_out.insert(item.purpose);
    answer(item, skipped);
  }
  ASSERT_EQ(left_out, (std::set<std::string>{"held_out", "start"}));
  why_it_waits(whole);
  answer_all();
  const Results results = command(whole);
  EXPECT_THAT(results.trials[0].rounds[1].metrics.correct, SizeIs(5));
  EXPECT_THAT(open_items(), SizeIs(0));
}

TEST_F(PeopleTest, ARoundGoesOnWithTheStatedShareOfItsAnswers) {
  const Study whole = study(2, "chooses: first_seed\n", ", share: 0.75");
  why_it_waits(whole);
  answer_some("start", 5);
  answer_some("held_out", 5);
  why_it_waits(whole);
  EXPECT_THAT(open_items(), SizeIs(2)) << "the held-out set needs all, and nothing is withdrawn";
  answer_some("held_out", 1);
  const Item late = open_items().front();

  why_it_waits(whole);
  const std::vector<Item> chosen = open_items();
  ASSERT_THAT(chosen, SizeIs(4));
  const bool again =
      std::ranges::any_of(chosen, [&](const Item& item) { return item.clip == late.clip; });
  EXPECT_EQ(count("withdrawn"), again ? 0 : 1) << "it may be chosen again";
  std::vector<Item> three(chosen.begin(), chosen.begin() + 3);
  answer(three[0]);
  answer(three[1]);
  why_it_waits(whole);
  EXPECT_THAT(open_items(), SizeIs(2)) << "half of them are not three quarters";
  answer(three[2]);

  const Results results = command(whole);
  EXPECT_THAT(open_items(), SizeIs(0));
  for (const Trial& trial : results.trials) {
    ASSERT_THAT(trial.rounds, SizeIs(2));
    EXPECT_EQ(trial.rounds[0].answers, 5);
    EXPECT_EQ(trial.rounds[1].answers, 5 + 3) << "what was withdrawn is not spent";
  }
  EXPECT_EQ(curve_of(command(whole)), curve_of(results)) << "the same samples again";
  EXPECT_EQ(curve_of(command(study(2, "chooses: first_seed\n"))), curve_of(results))
      << "the share is no part of what the results depend on";
}

TEST_F(PeopleTest, EverySeedDecidesForItselfWhereEachChooses) {
  const Study whole = study(2, "", ", share: 0.75, rank_again: 0");
  why_it_waits(whole);
  answer_some("held_out", 6);
  for (int command = 0; command < 20 && !open_items().empty(); ++command) {
    const std::vector<Item> open = open_items();
    for (size_t i = 0; i < open.size(); i += 2) answer(open[i]);
    const std::string waits = error_of<std::exception>([&] { this->command(whole); });
    EXPECT_THAT(waits, ::testing::AnyOf(HasSubstr("awaited"), ::testing::IsEmpty()));
  }
  const Results results = command(whole);
  for (const Trial& trial : results.trials) {
    ASSERT_THAT(trial.rounds, SizeIs(2));
    EXPECT_GE(trial.rounds[0].answers, 5);
    EXPECT_GE(trial.rounds[1].answers, trial.rounds[0].answers + 3);
    EXPECT_LE(trial.rounds[1].answers, 10);
  }
}

TEST_F(PeopleTest, WhatIsOpenIsRankedAgainByWhatIsAnswered) {
  std::vector<std::string> curves;
  for (const char* again : {", rank_again: 2", ", rank_again: 0"}) {
    std::filesystem::remove(folder_ / "people.db");
    std::filesystem::remove_all(folder_ / "out");
    make_folder(folder_ / "out");
    const Study whole = study(1, "", again);
    why_it_waits(whole);
    answer_all();
    why_it_waits(whole);
    std::vector<Item> chosen = open_items();
    ASSERT_THAT(chosen, SizeIs(4));
    const auto score = [&](const Item& item) {
      return PeopleStore(url()).reasons(item.id).front().score.value();
    };
    const std::vector<double> before = {score(chosen[2]), score(chosen[3])};
    answer(chosen[0]);
    why_it_waits(whole);
    EXPECT_EQ(score(chosen[2]), before[0]) << "one answer is too few";
    answer(chosen[1]);
    why_it_waits(whole);
    std::vector<Item> open = open_items();
    ASSERT_THAT(open, SizeIs(2)) << "the choice stands";
    const bool ranked = score(open[0]) != before[0] && score(open[1]) != before[1];
    EXPECT_EQ(ranked, std::string(again) == ", rank_again: 2");
    std::ranges::sort(open, {}, &Item::position);
    EXPECT_GE(score(open[0]), score(open[1])) << "the larger score is asked first";
    EXPECT_EQ(open[0].position + open[1].position, 2 + 3);
    EXPECT_EQ(Store(url()).ranking(1, 1), ranked ? 2 : 0);
    answer_all();
    curves.push_back(curve_of(command(whole)));
  }
  EXPECT_EQ(curves[0], curves[1]) << "no result depends on it";
}

TEST_F(PeopleTest, WhatARankingLookedAtCanBeUndone) {
  const Study whole = study(1, "", ", rank_again: 2");
  why_it_waits(whole);
  answer_all();
  why_it_waits(whole);
  const std::vector<Item> chosen = open_items();
  ASSERT_THAT(chosen, SizeIs(4));
  answer(chosen[0]);
  answer(chosen[1]);
  why_it_waits(whole);
  EXPECT_EQ(Store(url()).ranking(1, 1), 2) << "ranked again";
  PeopleStore people(url());
  people.undo(fmt::format("answer {}", chosen[0].id), "ann", 5000);
  EXPECT_THAT(open_items(), SizeIs(3));
  why_it_waits(whole);
  PeopleStore::NewAnswer other;
  other.uuid = "other";
  other.item = chosen[0].id;
  other.person = "ann";
  other.class_name = truth(chosen[0]) == "even" ? "odd" : "even";
  people.put(other, 6000);
  answer(chosen[2]);
  answer(chosen[3]);
  const Results results = command(whole);
  for (const AskedClip& asked : results.trials[0].asked[1].shown) {
    const bool is_odd = std::stoi(std::filesystem::path(asked.clip.video.str()).stem()) % 2 == 1;
    const bool was_changed = asked.clip.key() == chosen[0].clip;
    EXPECT_EQ(asked.answer == 1, is_odd != was_changed) << "the last word counts";
  }
  EXPECT_THROW(people.undo("other", "ann", 7000), PeopleRefused) << "it was learned from";
}

TEST_F(PeopleTest, ATrainingThatIsSlowerThanPeopleRanksNothingAgain) {
  const Study whole = study(1, "", ", rank_again: 1");
  why_it_waits(whole);
  for (const Item& item : open_items()) answer(item, false, 1e-6);  // seconds
  why_it_waits(whole);
  EXPECT_LT(open_items().front().expected_s, 1e-3);
  answer_some("pool", 2);
  why_it_waits(whole);
  EXPECT_EQ(Store(url()).ranking(1, 1), 0);
}

TEST_F(PeopleTest, AColdStartChoosesByFeatures) {
  const Study whole = study(1, "start_draw: k_center\n");
  why_it_waits(whole);
  std::set<std::string> first;
  for (const Item& item : open_items()) {
    if (item.purpose == "start") first.insert(item.clip);
  }
  EXPECT_THAT(first, SizeIs(6));
  answer_all();
  why_it_waits(whole);
  answer_all();
  EXPECT_THAT(command(whole).trials[0].rounds, SizeIs(2));
}

// A round that is reserved stands. Choosing again would spend its budget twice.
TEST_F(PeopleTest, ARoundIsNotChosenAgainWhereNoneOfItsClipsCanBeRead) {
  const Study whole = study(1);
  why_it_waits(whole);
  answer_all();
  why_it_waits(whole);
  const std::vector<Item> chosen = open_items();
  ASSERT_THAT(chosen, SizeIs(4));
  for (const Item& item : chosen)
    ASSERT_TRUE(std::filesystem::remove(std::filesystem::path(folder_.path()) / item.video));
  std::filesystem::remove_all(folder_ / "frames");
  const Results results = command(whole);
  EXPECT_THAT(open_items(), SizeIs(4)) << "nothing else is asked";
  ASSERT_THAT(results.trials[0].rounds, SizeIs(2));
  EXPECT_EQ(results.trials[0].rounds[1].answers, 10) << "those of the round stay counted";
}

TEST_F(PeopleTest, TheLastRecipeOfAStudyNamesItsClasses) {
  Store store(url());
  const auto begin = [&](const std::string& key, const std::string& classes) {
    store.begin_or_continue(key, "r/random", 1, "data: {root: ., classes: " + classes + "}", "");
  };
  begin("first", "[even, odd]");
  begin("second", "[odd, even, neither]");
  EXPECT_THAT(classes_of_study(store, "r"), ElementsAre("odd", "even", "neither"));
}

TEST_F(PeopleTest, ARoundEndsWithItsMinutes) {
  // 4.32 s are assumed for a clip of .32 s.
  const Study whole = study(1, "selection: {unit: minutes}\n", "", "0.5");
  why_it_waits(whole);
  answer_all();  // nobody says how long it took
  why_it_waits(whole);
  const std::vector<Item> asked = open_items();
  ASSERT_THAT(asked, SizeIs(6)) << "25.9 of 30 s";
  double taken = 0;
  for (const Item& item : asked) {
    EXPECT_EQ(item.budget, asked[0].budget);
    if (open_items().empty()) break;
    const double seconds = 3 * item.expected_s;  // slower than was expected
    answer(item, false, seconds);
    taken += seconds;
  }
  EXPECT_LE(taken, 30);
  EXPECT_THAT(open_items(), SizeIs(0)) << "the rest was withdrawn";
  const Results results = command(whole);
  const RoundResult& last = results.trials[0].rounds[1];
  const RoundResult& first = results.trials[0].rounds[0];
  EXPECT_GT(first.people_minutes, 0);
  EXPECT_NEAR(last.people_minutes - first.people_minutes, taken / 60, 1e-9);
  EXPECT_EQ(results.budget_unit, "minutes");
  ASSERT_THAT(results.people, SizeIs(1));
  EXPECT_EQ(results.people[0].name, "ann");
}

TEST_F(PeopleTest, APlanSaysMinutesOfPeople) {
  const auto pace = [](const Learner&, const InputOptions&, int64_t) { return Pace{1, 0}; };
  const std::string unit = "selection: {unit: minutes}\n";
  const Plan minutes = plan(study(1, unit, "", "0.5"), quiet_, pace);
  EXPECT_NEAR(minutes.people_minutes, 12 * 4.32 / 60 + 0.5, 1e-6) << "test clips, start, the round";
  EXPECT_EQ(minutes.answers, 6 + 6 + 6);
  EXPECT_THAT(minutes.text, HasSubstr("at most about 1 minutes of their time"));
  EXPECT_NEAR(plan(study(1), quiet_, pace).people_minutes, 16 * 4.32 / 60, 1e-6);
  EXPECT_NEAR(plan(study(2, "chooses: first_seed\n"), quiet_, pace).people_minutes, 16 * 4.32 / 60,
              1e-6);
}

TEST_F(PeopleTest, MinutesWantPeople) {
  EXPECT_THAT(refusal("selection: {unit: minutes}"), HasSubstr("asks nobody"));
}

TEST_F(PeopleTest, AnswerByNamesThatTheRecipeMustGive) {
  EXPECT_THAT(refusal("oracle: {kind: people}"), HasSubstr("data.classes"));
}

}  // namespace
}  // namespace distal
