#include "distal/study/curves_so_far.h"

#include <memory>
#include <thread>

#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

class CurvesSoFarTest : public ::testing::Test {
 protected:
  std::string url() const { return "sqlite:" + (folder_ / "curves.db"); }
  std::string read(const std::string& name) const { return read_if_there(folder_ / name); }

  static RoundResult round(int64_t number, double accuracy) {
    RoundResult result;
    result.round = number;
    result.answers = 8 * (number + 1);
    result.metrics.accuracy = accuracy;
    result.metrics.correct = {1, 0, 1};
    return result;
  }

  static std::vector<CurvesSoFar::Row> rows(int64_t rounds) {
    std::vector<CurvesSoFar::Row> rows;
    for (const char* arm : {"random", "margin"}) {
      Trial trial;
      trial.arm = arm;
      trial.control = trial.arm == "random";
      rows.push_back({trial.arm, trial, rounds});
    }
    return rows;
  }

  /// What a report would be of.
  static Results results(const std::vector<std::vector<RoundResult>>& rounds) {
    Results all;
    const auto from = rows(0);
    for (size_t i = 0; i < rounds.size(); ++i) {
      all.trials.push_back(from[i].trial);
      all.trials.back().rounds = rounds[i];
    }
    return all;
  }

  static void put(Store& store, const std::string& arm, const RoundResult& result) {
    const Store::Run run = store.begin_or_continue(arm, arm, 0, "", "");
    store.put_round(run.id, {result.round, result.answers, 0, 0, to_json(result), "[]"});
    store.finish(run.id, "stopped");
  }

  CurvesSoFar curves(Store& store, int64_t rounds = 3) {
    return {store, folder_.path(), "answers", rows(rounds), quiet_};
  }

  TemporaryFolder folder_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

TEST_F(CurvesSoFarTest, HoldEveryRoundThatTheStoreHas) {
  Store store(url());
  put(store, "margin", round(0, 0.5));
  {
    CurvesSoFar here = curves(store);
    here.update();
    EXPECT_EQ(read("curve.csv"), curve_csv(results({{}, {round(0, 0.5)}})));
    put(store, "margin", round(1, 0.75));
    put(store, "random", round(0, 0.25));
    here.update();  // at once or put off
  }
  const Results all = results({{round(0, 0.25)}, {round(0, 0.5), round(1, 0.75)}});
  EXPECT_EQ(read("curve.csv"), curve_csv(all));
  EXPECT_EQ(read("metrics.jsonl"), metrics_jsonl(all));
  EXPECT_THAT(read("events.out.tfevents.distal"), HasSubstr("accuracy/margin/seed 0"));
}

TEST_F(CurvesSoFarTest, HoldTheRoundsOfOtherProcessesAndNoRoundTwice) {
  Store one(url());
  Store other(url());
  CurvesSoFar first = curves(one);
  CurvesSoFar second = curves(other);
  put(one, "random", round(0, 0.25));
  first.update();
  put(other, "margin", round(0, 0.5));
  second.update();
  const std::string curve = curve_csv(results({{round(0, 0.25)}, {round(0, 0.5)}}));
  EXPECT_EQ(read("curve.csv"), curve);
  const std::string events = read("events.out.tfevents.distal");
  curves(one).update();  // a run that goes on
  EXPECT_EQ(read("curve.csv"), curve);
  EXPECT_EQ(read("events.out.tfevents.distal"), events);
}

TEST_F(CurvesSoFarTest, ShowNoMoreRoundsThanTheStudyHas) {
  Store store(url());
  for (int64_t number = 0; number < 3; ++number) put(store, "random", round(number, 0.25));
  curves(store, 2).update();
  EXPECT_EQ(read("curve.csv"), curve_csv(results({{round(0, 0.25), round(1, 0.25)}, {}})));
}

TEST_F(CurvesSoFarTest, WaitForTheirTurn) {
  Store store(url());
  put(store, "random", round(0, 0.25));
  auto others = std::make_unique<FileLock>(folder_ / ".curves.lock", "folder", "wait");
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    others.reset();
  });
  curves(store).update();
  release.join();
  EXPECT_THAT(read("curve.csv"), HasSubstr("random,0,1,0,8"));
}

TEST_F(CurvesSoFarTest, DoNotEndAStudyWhereTheyCannotBeWritten) {
  Store store(url());
  put(store, "random", round(0, 0.25));
  make_folder(folder_ / "curve.csv");
  CurvesSoFar here = curves(store);
  EXPECT_NO_THROW(here.update());
  EXPECT_NO_THROW(here.update());
  EXPECT_EQ(read("metrics.jsonl"), "");
}

}  // namespace
}  // namespace distal
