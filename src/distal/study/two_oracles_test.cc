// Studies that ask two oracles: what is asked, what it costs, and what becomes of it.

#include "distal/study/two_oracles.h"

#include <map>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/learn/pace.h"
#include "distal/oracles/mixed_source.h"
#include "distal/store/people_store.h"
#include "distal/study/plan.h"
#include "distal/study/round.h"
#include "distal/study/run.h"
#include "distal/study/simulation.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Teachers of the tests: how many clips each was asked about, and what stops it.
struct Teachers {
  std::map<std::string, int64_t> asked;
  std::string stopped;  // the name of one that cannot be reached
};

class CountingTeacher final : public Teacher {
 public:
  CountingTeacher(Teachers& all, std::string name) : all_(all), name_(std::move(name)) {}
  torch::Tensor answer(const torch::Tensor& clips, const std::string& key) override {
    if (all_.stopped == name_) fail("{} cannot be reached", name_);
    all_.asked[name_] += clips.size(0);
    return bright_.answer(clips, key);
  }
  std::string version() const override { return name_; }

 private:
  Teachers& all_;
  std::string name_;
  BrightTeacher bright_;
};

class CountingOracle final : public Oracle {
 public:
  CountingOracle(Teachers& all, std::string name) : all_(all), name_(std::move(name)) {}
  OracleTraits traits() const override { return {}; }
  std::string line() const override { return name_; }
  OpenedOracle open(const OracleSetup&) const override {
    return {answers_at_once(std::make_unique<CountingTeacher>(all_, name_)), line()};
  }

 private:
  Teachers& all_;
  std::string name_;
};

class TwoOraclesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { at::set_num_threads(1); }

  // `oracle`: of kinds http, which the test's own teachers stand for, truth and people.
  Study study(const std::string& oracle, const std::string& more = "") {
    Study study = generated_study(
        folder_,
        "seeds: 1\nstart: 4\nrounds: 2\nbudget: 4\nstrategy: random\n"
        "input: {size_px: 32, sampling: {frames: 4}}\n"
        "student: {model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 2, batch_size: "
        "4, precision: f32}}\noracle: " +
            oracle + "\n" + more,
        ", classes: [left, right]");
    replace(*study.shared.oracle.first, "first");
    replace(*study.shared.oracle.then, "then");
    return study;
  }
  void replace(OracleOptions& oracle, const std::string& name) {
    if (oracle.kind.name == "http")
      oracle.kind.method = std::make_shared<CountingOracle>(teachers_, name);
  }

  RunPlace place() const {
    make_folder(folder_ / "out");
    return {.folder = folder_ / "out", .store_url = url()};
  }
  std::string url() const { return "sqlite:" + (folder_ / "two.db"); }
  // As a command would: everything is opened anew.
  Results command(const Study& whole) {
    OpenedStudy opened = open_study(whole, place(), quiet_);
    return run(whole, opened, place(), quiet_);
  }

  std::vector<PeopleStore::Item> open_items() const {
    PeopleStore::ItemFilter open;
    open.state = "open";
    return PeopleStore(url()).items(open, 0, 1000);
  }
  void answer_all(bool skip_one = false) const {
    for (const PeopleStore::Item& item : open_items()) {
      PeopleStore::NewAnswer answer;
      answer.uuid = fmt::format("answer {}", item.id);
      answer.item = item.id;
      answer.person = "ann";
      answer.skipped = std::exchange(skip_one, false);
      if (!answer.skipped) answer.class_name = "left";
      answer.answered_ms = 1000 + item.id;
      PeopleStore(url()).put(answer, answer.answered_ms);
    }
  }

  TemporaryFolder folder_;
  Teachers teachers_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

const char* const kHttp = "{kind: http, url: 'http://h:1/v2/models/m', price: 0.5}";

std::string two(const std::string& then, const std::string& rule) {
  return fmt::format("{{first: {}, then: {}, {}}}", kHttp, then, rule);
}

TEST_F(TwoOraclesTest, TheSecondIsAskedAboutTheLeastSureWithinItsLimit) {
  const Study whole =
      study(two("{kind: truth, price: 3}", "limit: {answers_per_round: 2, price: 9}"));
  const Results results = command(whole);
  EXPECT_EQ(teachers_.asked["first"], 8);
  const std::vector<RoundResult>& rounds = results.trials.at(0).rounds;
  EXPECT_TRUE(std::isnan(rounds[0].agreement));
  EXPECT_EQ(rounds[0].then_answers, 0);
  EXPECT_EQ(rounds[1].then_answers, 2);
  EXPECT_EQ(rounds[2].then_answers, 3) << "a price of 9 buys three";
  EXPECT_EQ(rounds[2].first_answers, 8);
  EXPECT_EQ(rounds[2].answers, 12) << "of clips";
  EXPECT_EQ(rounds[1].price, 4 * 0.5 + 2 * 3);
  EXPECT_EQ(rounds[2].price, 8 * 0.5 + 3 * 3);
  EXPECT_EQ(rounds[2].first_price, 4);
  EXPECT_EQ(rounds[2].then_price, 9);
  EXPECT_DOUBLE_EQ(rounds[2].first_share, 5. / 12);
  EXPECT_DOUBLE_EQ(rounds[2].then_share, 3. / 12);
  EXPECT_EQ(rounds[2].then_accuracy, 1);
  EXPECT_GE(rounds[2].first_accuracy, 0);
  ASSERT_THAT(results.oracles, SizeIs(2));
  EXPECT_EQ(results.oracles[1].when,
            "at most 2 answers a round and 9 of price in all rounds, the least sure first");
  EXPECT_THAT(results.teacher, AllOf(HasSubstr("first first"), HasSubstr("hidden truth")));

  const Results again = command(whole);
  EXPECT_EQ(teachers_.asked["first"], 8) << "nothing is asked twice";
  EXPECT_EQ(to_json(again.trials[0].rounds[2]), to_json(rounds[2]));
}

TEST_F(TwoOraclesTest, AThresholdDecidesAboutEachClip) {
  const auto then_answers = [&](const std::string& when) {
    return command(study(two("truth", "when: " + when))).trials.at(0).rounds.back().then_answers;
  };
  EXPECT_EQ(then_answers("confidence <= 1"), 8);
  EXPECT_EQ(then_answers("margin < 1e-9"), 0);
  EXPECT_EQ(teachers_.asked["first"], 8) << "both studies have the first's answers";
}

TEST_F(TwoOraclesTest, ACrashBetweenTheTwoLosesAndRepeatsNothing) {
  const std::string second = "{kind: http, url: 'http://h:1/v2/models/n', price: 3}";
  const Study whole = study(two(second, "when: confidence <= 1"));
  teachers_.stopped = "then";
  EXPECT_THAT(error_of([&] { command(whole); }), HasSubstr("then cannot be reached"));
  EXPECT_EQ(teachers_.asked["first"], 4) << "the first round's";
  teachers_.stopped.clear();
  const Results results = command(whole);
  EXPECT_EQ(teachers_.asked["first"], 8);
  EXPECT_EQ(teachers_.asked["then"], 8);
  EXPECT_EQ(results.trials[0].rounds[2].price, 8 * 3.5);
  EXPECT_EQ(results.trials[0].rounds[2].agreement, 1) << "both look at the same";
  EXPECT_EQ(results.trials[0].rounds[2].first_share, 0);
}

TEST_F(TwoOraclesTest, PeopleAreAwaitedAsTheSecond) {
  const Study whole = study(two("{kind: people, price: 2}", "limit: {answers_per_round: 2}"));
  EXPECT_THAT(error_of<Awaiting>([&] { command(whole); }), HasSubstr("oracle people: 4 of 4"));
  EXPECT_THAT(open_items(), SizeIs(4)) << "no list of initial clips is given";
  EXPECT_EQ(teachers_.asked["first"], 0);
  answer_all();
  for (int64_t round = 1; round <= 2; ++round) {
    EXPECT_THAT(error_of<Awaiting>([&] { command(whole); }),
                HasSubstr("oracle http, people: 2 of 4 answers are awaited"));
    EXPECT_THAT(error_of<Awaiting>([&] { command(whole); }), HasSubstr("2 of 4"));
    ASSERT_THAT(open_items(), SizeIs(2));
    EXPECT_EQ(open_items()[0].round, round);
    EXPECT_EQ(teachers_.asked["first"], 4 * round);
    answer_all(/*skip_one=*/round == 2);
  }
  const RoundResult last = command(whole).trials.at(0).rounds.back();
  EXPECT_EQ(last.then_answers, 4 + 2 + 2);
  EXPECT_EQ(last.then_price, 16);
  EXPECT_EQ(last.price, 16 + 8 * 0.5);
  EXPECT_DOUBLE_EQ(last.then_share, 7. / 11) << "what they left out is not learned from";
  EXPECT_DOUBLE_EQ(last.first_share, 4. / 11);
  EXPECT_THAT(open_items(), SizeIs(0));
}

TEST_F(TwoOraclesTest, AListOfInitialLabelsSparesPeopleTheStart) {
  Study whole = study(two("people", "limit: {answers_per_round: 1}"), "ask_start: true");
  ListOptions start;
  start.csv = "train.csv";
  whole.shared.data.start = start;
  EXPECT_THAT(error_of<Awaiting>([&] { command(whole); }), HasSubstr("1 of 4"));
  ASSERT_THAT(open_items(), SizeIs(1));
  EXPECT_EQ(open_items()[0].purpose, "pool");
  EXPECT_EQ(teachers_.asked["first"], 4 + 4) << "with ask_start the first answers about the start";
}

TEST_F(TwoOraclesTest, APlanCountsWhatBothMayCost) {
  const auto planned = [&](const std::string& oracle, const std::string& more = "") {
    const auto no_time = [](const Learner&, const InputOptions&, int64_t) { return Pace{0, 0}; };
    return plan(study(oracle, more), quiet_, no_time);
  };
  const Plan all = planned(two("{kind: truth, price: 3}", "when: confidence < 0.9"));
  EXPECT_EQ(all.answers, 8);
  EXPECT_EQ(all.then_answers, 8);
  EXPECT_EQ(all.price, 8 * 3.5);
  EXPECT_THAT(all.text, HasSubstr("at most 8 answers of oracle.first, http, and 8 of oracle.then, "
                                  "truth"));
  const Plan some = planned(two("{kind: truth, price: 3}", "limit: {answers_per_round: 3}"));
  EXPECT_EQ(some.then_answers, 6);
  EXPECT_EQ(planned(two("{kind: truth, price: 3}", "limit: {price: 10}")).then_answers, 3);
  const Plan people = planned(two("{kind: people, price: 2}", "limit: {answers: 5}"));
  EXPECT_EQ(people.answers, 8);
  EXPECT_EQ(people.then_answers, 4 + 5) << "the initial clips too";
  EXPECT_EQ(people.price, 8 * 0.5 + 9 * 2);
}

TEST_F(TwoOraclesTest, APlanOfPeopleCountsTheInitialClips) {
  const auto no_time = [](const Learner&, const InputOptions&, int64_t) { return Pace{0, 0}; };
  const Plan people =
      plan(generated_study(folder_,
                           "seeds: 1\nstart: 4\nrounds: 2\nbudget: 4\nstrategy: random\n"
                           "oracle: {kind: people, price: 2}",
                           ", classes: [left, right]"),
           quiet_, no_time);
  EXPECT_EQ(people.answers, 12);
  EXPECT_EQ(people.price, 24);
}

// ---- counts

TEST(Tally, CountsWhoSaidWhat) {
  std::vector<Clip> clips(4);
  for (size_t i = 0; i < clips.size(); ++i) clips[i].label = i == 3 ? -1 : 1;
  const Answers answers{{{0.2, 0.8}, {0, 1}, {}, {1, 0}}, {}, {{}, {0.6, 0.4}, {0.5, 0.5}, {1, 0}}};
  const Tally said = said_about(answers, clips);
  EXPECT_EQ(said.first.answers, 4);
  EXPECT_EQ(said.first.samples, 1);
  EXPECT_EQ(said.first.known, 3) << "nobody knows the label of the last";
  EXPECT_EQ(said.first.right, 1);
  EXPECT_EQ(said.then.answers, 3);
  EXPECT_EQ(said.then.samples, 2) << "one was left out";
  EXPECT_EQ(said.then.known, 1);
  EXPECT_EQ(said.then.right, 1);
  EXPECT_EQ(said.both, 2);
  EXPECT_EQ(said.agreed, 1);
}

// ---- recipes

TEST(RecipesOfTwoOracles, AreRefusedWhereOneCannotAnswer) {
  const std::string people =
      "oracle: {first: {kind: model, path: m}, then: people, when: confidence < 0.6}\n";
  EXPECT_THAT(refusal(people), HasSubstr("data.classes"));
  const std::string truth =
      "oracle: {first: {kind: model, path: m}, then: truth, when: confidence < 0.6}\n";
  EXPECT_EQ(refusal(truth), "");
  EXPECT_THAT(refusal(truth + "matching: true"),
              HasSubstr("matching learns from the network of one"));
  EXPECT_THAT(refusal(truth + "loss: hint\nmatching: true"), HasSubstr("matching"));
  EXPECT_THAT(refusal(truth + "answers_per_clip: 2"), HasSubstr("answers_per_clip asks about"));
  EXPECT_THAT(refusal(truth + "mixes: {criterion: c2}"),
              HasSubstr("mixes: nobody knows the truth"));
  EXPECT_EQ(refusal(truth + "ask_start: true"), "");
  EXPECT_THAT(refusal("oracle: {first: teacher, then: truth, when: margin < 0.2}"),
              HasSubstr("oracle.first.kind = teacher needs a teacher section"));
  EXPECT_THAT(refusal("oracle: {first: model, then: truth, when: margin < 0.2}"),
              HasSubstr("oracle.first.kind = model needs oracle.first.path"));
  EXPECT_THAT(refusal("oracle: {first: truth, then: {kind: model, path: m}, when: margin < 0.2}"),
              HasSubstr("never unsure"));
  EXPECT_THAT(refusal(truth + "strategy: disagreement"), Not(HasSubstr("beside the budget")));
  EXPECT_THAT(refusal("oracle: {first: {kind: http, url: u}, then: truth, when: margin < "
                      "0.2}\nstrategy: disagreement"),
              HasSubstr("beside the budget"));
}

TEST(RecipesOfTwoOracles, DifferByWhoAnswersAndWhen) {
  const auto decisive = [](const std::string& oracle) {
    const Study study = study_of("oracle: " + oracle);
    return decisive_options(study.shared, study.arms[0].options);
  };
  const std::string one =
      decisive("{first: {kind: model, path: m}, then: truth, when: margin < 1}");
  EXPECT_EQ(decisive("{first: {kind: model, path: m}, then: {kind: truth}, when: 'margin<1.0'}"),
            one);
  for (const char* other :
       {"{first: {kind: model, path: n}, then: truth, when: margin < 1}",
        "{first: {kind: model, path: m}, then: {kind: truth, price: 1}, when: margin < 1}",
        "{first: {kind: model, path: m}, then: truth, when: margin < 0.5}",
        "{first: {kind: model, path: m}, then: truth, when: margin < 1, limit: {answers: 3}}",
        "{kind: model, path: m}", "truth"})
    EXPECT_NE(decisive(other), one) << other;
}

}  // namespace
}  // namespace distal
