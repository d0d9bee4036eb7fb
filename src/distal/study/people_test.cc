// A study whose clips nobody has labelled: people answer, from the first clip to the test set.

#include <map>
#include <set>

#include <gmock/gmock.h>

#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/store/people_store.h"
#include "distal/study/round.h"
#include "distal/study/run.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

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

  Study study(int64_t seeds, const std::string& more = "") const {
    const std::string yaml = fmt::format(
        "data: {{root: {0}, classes: [even, odd], pool: {{csv: pool.csv}}, test: {{csv: "
        "held_out.csv}}}}\ncache: {{folder: {0}/frames}}\noracle: {{kind: people}}\n"
        "input: {{size_px: 32, sampling: {{frames: 4}}}}\n"
        "student: {{model: {{name: resnet3d, depth: 10, width: 4}}, training: {{steps: 2, "
        "batch_size: 4, precision: f32}}}}\n"
        "seeds: {1}\nstart: 6\nrounds: 1\nbudget: 4\nstrategy: margin\nno_random_arm: a test\n{2}",
        folder_.path(), seeds, more);
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
  void answer(const Item& item, bool skipped = false) const {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("answer {}", item.id);
    answer.item = item.id;
    answer.person = "ann";
    answer.skipped = skipped;
    if (!skipped) answer.class_name = truth(item);
    answer.answered_ms = 1000 + item.id;
    PeopleStore(url()).put(answer, 1000 + item.id);
  }
  void answer_all() const {
    for (const Item& item : open_items()) answer(item);
  }

  TemporaryFolder folder_;
  ConsoleProgress quiet_{ConsoleProgress::Mode::quiet};
};

std::map<std::string, int64_t> purposes(const std::vector<Item>& items) {
  std::map<std::string, int64_t> counts;
  for (const Item& item : items) ++counts[item.purpose];
  return counts;
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

TEST_F(PeopleTest, AnswerByNamesThatTheRecipeMustGive) {
  EXPECT_THAT(refusal("oracle: {kind: people}"), HasSubstr("data.classes"));
}

}  // namespace
}  // namespace distal
