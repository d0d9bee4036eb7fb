// A study in a process of its own: here it is this test program, told to run one of its cases.

#include "distal/serve/runner.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <sysexits.h>
#include <csignal>

#include <functional>
#include <map>

#include "distal/base/testing.h"
#include "distal/serve/testing.h"

namespace distal::serve {
namespace {

TEST(Child, DISABLED_Waits) {
  fmt::print(stderr, "distal: answers about 2 of the test clips are awaited; repeat\n");
  ::_exit(EX_TEMPFAIL);
}

TEST(Child, DISABLED_Fails) {
  fmt::print(stderr, "distal: a.mp4: missing; put it back\n");
  ::_exit(1);
}

TEST(Child, DISABLED_Works) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGTERM, [](int) { ::_exit(130); });
  std::this_thread::sleep_for(std::chrono::seconds(60));
}

class RunnerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Runner> runner(const std::string& child, double share = 1,
                                 int64_t rank_again = 0) {
    ServedStudy study{"study"};
    study.share = share;
    study.rank_again = rank_again;
    auto made =
        std::make_unique<Runner>(std::vector<std::string>{"--gtest_also_run_disabled_tests",
                                                          "--gtest_filter=Child.DISABLED_" + child},
                                 folder_ / "log", study, people_);
    made->begin();
    return made;
  }
  static bool comes(const std::function<bool()>& what) {
    for (int i = 0; i < 300 && !what(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return what();
  }

  TemporaryFolder folder_;
  Pool<PeopleStore> people_{
      [this] { return std::make_unique<PeopleStore>("sqlite:" + (folder_ / "a.db")); }};
};

TEST_F(RunnerTest, AStudyThatEndsIsDone) {
  const auto study = runner("Nothing");
  EXPECT_TRUE(comes([&] { return study->state() == "done"; })) << study->state();
  EXPECT_EQ(study->note(), "");
}

TEST_F(RunnerTest, AStudyThatFailsSaysWhy) {
  const auto study = runner("Fails");
  EXPECT_TRUE(comes([&] { return study->state() == "failed"; })) << study->state();
  EXPECT_EQ(study->note(), "distal: a.mp4: missing; put it back");
}

TEST_F(RunnerTest, AStudyThatWaitsIsStartedAgainOnceAllIsAnswered) {
  PeopleStore::NewItem item;
  item.request = item.clip = item.video = "a";
  item.end_s = 1;
  item.study = "study";
  item.version = "v";
  const int64_t id = people_.borrow()->add_items({item}, 1).front();
  const auto study = runner("Waits");
  ASSERT_TRUE(comes([&] { return study->state() == "waiting"; })) << study->state();
  ::unlink((folder_ / "log").c_str());
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(study->last_line(), "") << "nobody has answered: it is not started";
  PeopleStore::NewAnswer answer;
  answer.uuid = "u";
  answer.item = id;
  answer.person = "ann";
  answer.class_name = "left";
  people_.borrow()->put(answer, 1);
  EXPECT_TRUE(comes([&] { return !study->last_line().empty(); })) << "it was started again";
}

class BatchTest : public RunnerTest {
 protected:
  // One request of `count` clips.
  void ask(const std::string& purpose, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      PeopleStore::NewItem item;
      item.request = purpose;
      item.clip = item.video = fmt::format("{} {}", purpose, i);
      item.end_s = 1;
      item.purpose = purpose;
      item.study = "study";
      ids_[purpose].push_back(people_.borrow()->add_items({item}, 1).front());
    }
  }
  void answer(const std::string& purpose, int64_t i) {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("{} {}", purpose, i);
    answer.item = ids_.at(purpose).at(i);
    answer.person = "ann";
    answer.class_name = "left";
    people_.borrow()->put(answer, 1);
  }
  // Waits until the process has ended, and what it printed is gone.
  void wait_for_people(const Runner& study) {
    ASSERT_TRUE(comes([&] { return study.state() == "waiting"; })) << study.state();
    ::unlink((folder_ / "log").c_str());
  }
  static bool starts(const Runner& study) {
    return comes([&] { return !study.last_line().empty(); });
  }
  static bool stays(const Runner& study) {
    std::this_thread::sleep_for(std::chrono::seconds(3));
    return study.last_line().empty();
  }

  std::map<std::string, std::vector<int64_t>> ids_;
};

TEST_F(BatchTest, AStudyGoesOnWithAShareOfARoundButNotOfTheHeldOutSet) {
  ask("pool", 4);
  ask("held_out", 2);
  const auto study = runner("Waits", /*share=*/0.5);
  wait_for_people(*study);
  for (const int64_t i : {0, 1}) answer("pool", i);
  answer("held_out", 0);
  EXPECT_TRUE(stays(*study)) << "a held-out clip is open";
  answer("held_out", 1);
  EXPECT_TRUE(starts(*study));
}

TEST_F(BatchTest, AStudyRanksAgainAfterSomeAnswers) {
  ask("start", 4);
  ask("pool", 4);
  const auto study = runner("Waits", /*share=*/1, /*rank_again=*/2);
  wait_for_people(*study);
  for (const int64_t i : {0, 1}) answer("start", i);
  EXPECT_TRUE(stays(*study)) << "an initial clip has no rank";
  answer("pool", 3);
  EXPECT_TRUE(stays(*study));
  answer("pool", 1);
  EXPECT_TRUE(starts(*study));
}

TEST_F(RunnerTest, StopsAndStartsAsTold) {
  const auto study = runner("Works");
  EXPECT_EQ(study->state(), "running");
  std::this_thread::sleep_for(std::chrono::seconds(2));
  study->pause();
  EXPECT_EQ(study->state(), "paused");
  study->start();
  EXPECT_EQ(study->state(), "running");
  study->stop();
  EXPECT_EQ(study->state(), "stopped");
}

}  // namespace
}  // namespace distal::serve
