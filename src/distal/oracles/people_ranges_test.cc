// The kind `people` with answers: ranges. The clips of one video are one item, and one answer
// labels them, in whichever process.

#include <gmock/gmock.h>

#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/data/testing.h"
#include "distal/oracles/ledger.h"
#include "distal/store/people_store.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Range = PeopleStore::Range;

constexpr double kSegment_s = 4;

class PeopleByRanges : public ::testing::Test {
 protected:
  // Two videos of three segments each, in turn.
  PeopleByRanges() {
    for (int segment = 0; segment < 3; ++segment) {
      for (int video = 0; video < 2; ++video) clips_.push_back(segment_of(video, segment));
    }
  }

  static Clip segment_of(int video, int segment) {
    Clip clip;
    clip.video = fmt::format("{}.mp4", video);
    clip.video_id = fmt::format("{:04x}", video);
    clip.start_s = kSegment_s * segment;
    clip.end_s = clip.start_s + kSegment_s;
    return clip;
  }

  OracleOptions options(const std::string& more = "") const {
    OracleOptions options;
    read_options(options, "{kind: people, answers: ranges" + more + "}", "test");
    return options;
  }

  // As a process that was started anew asks.
  Answers ask(const OracleOptions& options, const std::vector<Clip>& clips,
              const std::vector<AskedFor>& why = {}) {
    Store store(url_);
    ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
    ClipReader reader({}, {});
    OracleSetup setup;
    setup.classes = classes_;
    setup.study = "study";
    setup.store_url = url_;
    FilmedClips filmed;
    for (const Clip& clip : clips_) filmed[clip.key()] = clip;
    Ledger ledger(options, options.kind->open(setup).answers,
                  {classes_, reader, [filmed] { return filmed; }}, store, quiet);
    return ledger.ask(refs_of(clips), why);
  }
  Answers ask() { return ask(options(), clips_); }

  std::vector<PeopleStore::Item> items() const {
    return PeopleStore(url_).items({.study = "study"}, 0, 100);
  }
  void answer(const PeopleStore::Item& item, const std::vector<Range>& ranges,
              bool skipped = false) {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("answer {}", item.id);
    answer.item = item.id;
    answer.person = "ann";
    answer.ranges = ranges;
    answer.skipped = skipped;
    PeopleStore(url_).put(answer, ++now_ms_);
  }

  TemporaryFolder folder_;
  const std::string url_ = "sqlite:" + (folder_ / "people.db");
  const Classes classes_{{"cut", "sew"}};
  std::vector<Clip> clips_;
  int64_t now_ms_ = 1000;
};

TEST_F(PeopleByRanges, AVideoIsOneItemWhateverItsClips) {
  std::vector<AskedFor> why(6);
  for (int64_t i = 0; i < 6; ++i) why[i] = {"pool", 3, i, "margin", {0.25, 0.75}};
  EXPECT_THAT(ask(options(), clips_, why).awaited, SizeIs(6));
  EXPECT_THAT(ask().awaited, SizeIs(6)) << "asked once, whoever asks again";
  const auto asked = items();
  ASSERT_THAT(asked, SizeIs(2));
  EXPECT_EQ(asked[1].kind, "ranges");
  EXPECT_EQ(asked[1].clip, "0001@0--1");
  EXPECT_EQ(asked[1].video, "1.mp4");
  EXPECT_EQ(asked[1].start_s, 0);
  EXPECT_TRUE(std::isinf(asked[1].end_s));
  EXPECT_EQ(asked[1].purpose, "pool");
  EXPECT_EQ(asked[1].round, 3);
  EXPECT_EQ(asked[1].position, 1) << "of its first clip";
  const auto reasons = PeopleStore(url_).reasons(asked[1].id);
  ASSERT_THAT(reasons, SizeIs(1));
  EXPECT_EQ(reasons[0].strategy, "margin");
}

TEST_F(PeopleByRanges, RangesLabelTheClipsThatTheyCover) {
  ask();
  answer(items()[0], {{0, 5, "sew"}, {8, 12, "cut"}});
  const Answers some = ask();
  EXPECT_THAT(some.awaited, ElementsAre(1, 3, 5));
  EXPECT_THAT(some.probabilities[0], ElementsAre(0, 1));
  EXPECT_THAT(some.probabilities[2], IsEmpty()) << "a second of four: left out";
  EXPECT_THAT(some.probabilities[4], ElementsAre(1, 0));

  answer(items()[1], {});
  const Answers all = ask();
  EXPECT_TRUE(all.complete());
  for (const size_t row : {1, 3, 5}) EXPECT_THAT(all.probabilities[row], IsEmpty());
  EXPECT_THAT(items(), SizeIs(2)) << "what was left out is not asked again";
}

TEST_F(PeopleByRanges, WhatIsSkippedIsLeftOut) {
  ask();
  for (const auto& item : items()) answer(item, {}, /*skipped=*/true);
  const Answers all = ask(options(", background: cut"), clips_);
  EXPECT_TRUE(all.complete());
  for (const auto& answer : all.probabilities) EXPECT_THAT(answer, IsEmpty());
}

TEST_F(PeopleByRanges, BackgroundLabelsWhatNoRangeCovers) {
  const OracleOptions with = options(", background: cut");
  ask(with, clips_);
  for (const auto& item : items()) answer(item, {{4, 8, "sew"}});
  const Answers all = ask(with, clips_);
  EXPECT_THAT(all.probabilities[0], ElementsAre(1, 0));
  EXPECT_THAT(all.probabilities[2], ElementsAre(0, 1));
}

TEST_F(PeopleByRanges, AnotherRuleTakesTheSameAnswers) {
  ask();
  for (const auto& item : items()) answer(item, {{0, 5, "sew"}});
  EXPECT_THAT(ask().probabilities[2], IsEmpty());
  const Answers eased = ask(options(", min_cover: 0.25"), clips_);
  EXPECT_TRUE(eased.complete());
  EXPECT_THAT(eased.probabilities[2], ElementsAre(0, 1));
  EXPECT_THAT(items(), SizeIs(2)) << "nobody is asked again";
}

TEST_F(PeopleByRanges, LaterClipsOfAVideoTakeItsAnswer) {
  const std::vector<Clip> first = {segment_of(0, 0)};
  const std::vector<Clip> more = {segment_of(0, 1), segment_of(0, 2)};
  ask(options(), first);
  EXPECT_THAT(ask(options(), more).awaited, SizeIs(2)) << "they wait for the item that is open";
  ASSERT_THAT(items(), SizeIs(1));
  answer(items()[0], {{0, 12, "sew"}});
  EXPECT_THAT(ask(options(), more).probabilities[1], ElementsAre(0, 1));
  EXPECT_THAT(ask(options(), first).probabilities[0], ElementsAre(0, 1));
  EXPECT_THAT(items(), SizeIs(1));
}

TEST_F(PeopleByRanges, TwoPeopleAreAskedAnew) {
  ask();
  ask(options(", people: 2"), clips_);
  EXPECT_THAT(items(), SizeIs(4));
}

TEST_F(PeopleByRanges, OptionsThatSayNothingAreRefused) {
  const auto wrong = [](const std::string& more) {
    OracleOptions options;
    read_options(options, "{kind: people" + more + "}", "test");
    return options.kind->contradiction({"cut", "sew"});
  };
  EXPECT_EQ(wrong(""), "");
  EXPECT_EQ(wrong(", answers: ranges, min_cover: 0.8, background: sew"), "");
  EXPECT_THAT(wrong(", min_cover: 0.8"), HasSubstr("set answers: ranges"));
  EXPECT_THAT(wrong(", background: sew"), HasSubstr("set answers: ranges"));
  EXPECT_THAT(wrong(", answers: ranges, background: rest"), HasSubstr("'rest' is no class"));
}

}  // namespace
}  // namespace distal
