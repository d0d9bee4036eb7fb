// The oracle's book-keeping, with a teacher that keeps a bill.

#include "distal/oracles/oracle.h"

#include "distal/data/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Ledger {
  struct Sent { std::string key; torch::Tensor clips; };
  std::vector<Sent> sent;                      // every request that arrived
  std::map<std::string, torch::Tensor> paid;   // what each key was billed for
  int64_t bill = 0;                            // clips
  int64_t breaks_after = -1, not_finite = -1;  // which request from here loses its answer; which row is NaN, once
  int64_t most_clips = 100;
  bool unusable = false;                       // answers with another request's answer, say
};

class BillingTeacher final : public Teacher {
 public:
  explicit BillingTeacher(Ledger& ledger) : ledger_(ledger) {}

  torch::Tensor answer(const torch::Tensor& clips, const std::string& key) override {
    ledger_.sent.push_back({key, clips.clone()});
    if (clips.size(0) > ledger_.most_clips) throw TooLarge("too many clips");
    if (!ledger_.paid.contains(key)) {
      ledger_.paid[key] = clips.clone();
      ledger_.bill += clips.size(0);
    }
    EXPECT_TRUE(ledger_.paid[key].equal(clips)) << "a key stands for one content";
    if (ledger_.breaks_after-- == 0) fail("the connection broke");
    if (ledger_.unusable) throw Unusable("teacher billing: the answer is that of another request");
    const auto bright = torch::sigmoid(clips.mean({1, 2, 3, 4})).unsqueeze(1);
    auto answers = torch::cat({bright, 1 - bright}, 1);
    if (ledger_.not_finite >= 0) answers[std::exchange(ledger_.not_finite, -1)] = NAN;
    return answers;
  }
  std::string version() const override { return "billing:1"; }
  std::string remark() const override { return "clip 1 of the batch: value 0 is nan"; }

 private:
  Ledger& ledger_;
};

class OracleTest : public ::testing::Test {
 protected:
  OracleTest() {
    SyntheticOptions video;
    video.frames = 16;
    for (int i = 0; i < 6; ++i) {
      write_motion(path(i), motions()[i % 2], i, video);
      clips_.push_back(clip(i));
    }
    options_.kind = "http";
    options_.url = "http://h:1/v2/models/m";
    options_.batch_size = 3;
    input_.size_px = 32;
    input_.sampling.frames = 4;
  }

  std::string path(int i) const { return folder_ / fmt::format("{}.mp4", i); }
  Clip clip(int i) const {
    const VideoInfo info = probe(path(i));
    return {path(i), info.id, 0, info.duration_s, info.id, i % 2};
  }
  std::string url() const { return "sqlite:" + (folder_ / "store.db"); }

  // Each as a program that was started anew: another store, reader, teacher and oracle over the same files.
  struct Start {
    explicit Start(const std::string& url) : store(url) {}
    std::unique_ptr<ClipReader> reader;
    Store store;
    Progress progress{Progress::Mode::quiet};
    std::unique_ptr<Oracle> oracle;
  };
  AskedClips asked(ClipReader& reader) const {
    return {{{"left", "right"}}, "lists", reader, [clips = clips_] {
              FilmedClips filmed;
              for (const Clip& clip : clips) filmed[clip.key()] = clip;
              return filmed;
            }};
  }
  std::unique_ptr<Start> start() {
    auto start = std::make_unique<Start>(url());
    start->reader = std::make_unique<ClipReader>(input_, CacheOptions{folder_ / "cache", 1});
    start->oracle = std::make_unique<Oracle>(options_, std::make_unique<BillingTeacher>(ledger_), asked(*start->reader), start->store, start->progress, asks_views_);
    return start;
  }

  // Asks for clips of a fresh start; what it throws.
  std::string ask(const std::vector<Clip>& clips) {
    const auto fresh = start();
    return error_of([&] { answers_ = fresh->oracle->ask(clips); });
  }
  std::vector<Clip> some(std::vector<int> rows) const {
    std::vector<Clip> chosen;
    for (const int row : rows) chosen.push_back(clips_[row]);
    return chosen;
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  InputOptions input_;
  TeacherOptions options_;
  Ledger ledger_;
  std::vector<std::vector<double>> answers_;
  bool asks_views_ = false;
};

TEST_F(OracleTest, BuysEachAnswerOnce) {
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(ledger_.sent.size(), 2u);
  const auto first = answers_;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(answers_, first);
  EXPECT_EQ(ledger_.sent.size(), 2u);
  EXPECT_EQ(ledger_.bill, 6);
}

TEST_F(OracleTest, SendsWhatWasCutOffAgainAsItWasAndIsBilledOnce) {
  ledger_.breaks_after = 1;
  EXPECT_EQ(ask(clips_), "the connection broke");
  EXPECT_EQ(ledger_.bill, 6) << "the work is done, the second answer is lost";
  EXPECT_EQ(ask(some({5, 3, 1, 4, 0, 2})), "");
  ASSERT_EQ(ledger_.sent.size(), 3u);
  EXPECT_EQ(ledger_.sent[2].key, ledger_.sent[1].key);
  EXPECT_TRUE(ledger_.sent[2].clips.equal(ledger_.sent[1].clips));
  EXPECT_EQ(ledger_.bill, 6);
  for (const auto& answer : answers_) EXPECT_EQ(answer.size(), 2u);
}

TEST_F(OracleTest, KeepsThePaidAnswersNobodyWantsAnyMore) {
  ledger_.breaks_after = 0;
  EXPECT_EQ(ask(some({0, 1, 2})), "the connection broke");
  EXPECT_EQ(ask(some({1, 3})), "");
  EXPECT_EQ(ledger_.bill, 4);
  EXPECT_EQ(ask(some({0, 2})), "");
  EXPECT_EQ(ledger_.bill, 4);
  EXPECT_EQ(ledger_.sent.size(), 3u);
}

TEST_F(OracleTest, LeavesOpenRequestsAloneThatHoldNoneOfItsClips) {
  ledger_.breaks_after = 0;
  EXPECT_EQ(ask(some({0, 1, 2})), "the connection broke");
  EXPECT_EQ(ask(some({3})), "");
  EXPECT_EQ(ledger_.sent.size(), 2u);
  EXPECT_EQ(ledger_.sent[1].clips.size(0), 1);
}

TEST_F(OracleTest, CutsARequestAnewWhoseClipCannotBeReadAnyMoreAndSaysSo) {
  ledger_.breaks_after = 0;
  EXPECT_EQ(ask(some({0, 1, 2})), "the connection broke");
  std::filesystem::remove(path(0));
  const auto fresh = start();
  const auto answers = fresh->oracle->ask(some({0, 1, 2}));
  EXPECT_THAT(answers[0], IsEmpty());
  EXPECT_EQ(answers[1].size(), 2u);
  ASSERT_EQ(ledger_.sent.size(), 2u);
  EXPECT_NE(ledger_.sent[1].key, ledger_.sent[0].key);
  EXPECT_EQ(ledger_.sent[1].clips.size(0), 2);
  ASSERT_EQ(fresh->store.events(0).size(), 1u);
  EXPECT_THAT(fresh->store.events(0)[0].text, AllOf(HasSubstr("3 clips"), HasSubstr("may be billed twice")));
  ASSERT_EQ(fresh->reader->quarantined().size(), 1u);
  EXPECT_EQ(fresh->reader->quarantined()[0].path, path(0));
}

TEST_F(OracleTest, KeepsTheOtherAnswersWhereOneIsNotFinite) {
  ledger_.not_finite = 1;
  EXPECT_THAT(ask(some({0, 1, 2})), AllOf(HasSubstr("1 of 3 answers"), HasSubstr(path(1)), HasSubstr("value 0 is nan")));
  EXPECT_EQ(ask(some({0, 2})), "") << "what is known is known";
  EXPECT_THAT(ask(some({0, 1, 2})), AllOf(HasSubstr("1 of the clips"), HasSubstr("value 0 is nan"), HasSubstr("--set oracle.ask_again=true")));
  EXPECT_EQ(ledger_.sent.size(), 1u) << "nothing is paid again without a word";
  options_.ask_again = true;
  EXPECT_EQ(ask(some({0, 1, 2})), "");
  ASSERT_EQ(ledger_.sent.size(), 2u);
  EXPECT_EQ(ledger_.sent[1].clips.size(0), 1);
  EXPECT_NE(ledger_.sent[1].key, ledger_.sent[0].key);
}

TEST_F(OracleTest, AsksAnewForWhatANetworkAtHandComputesWrongly) {
  options_.kind = "torchscript";
  ledger_.not_finite = 1;
  EXPECT_THAT(ask(some({0, 1, 2})), HasSubstr("it asks for these clips anew"));
  EXPECT_EQ(ask(some({0, 1, 2})), "");
  EXPECT_EQ(ledger_.sent.size(), 2u);
}

TEST_F(OracleTest, CountsWhatWasAnsweredUnusablyAsSpentAndAsksAgainOnlyWhenToldTo) {
  options_.price = 2;
  ledger_.unusable = true;
  EXPECT_THAT(ask(clips_), AllOf(HasSubstr("another request"), HasSubstr("3 answers were probably billed"), HasSubstr("price 6"), HasSubstr("--set oracle.ask_again=true")));
  ledger_.unusable = false;
  for (int start = 0; start < 2; ++start) EXPECT_THAT(ask(clips_), AllOf(HasSubstr("3 of the clips"), HasSubstr("another request"), HasSubstr("--set oracle.ask_again=true")));
  EXPECT_EQ(ledger_.bill, 3) << "a restart asks for nothing";
  EXPECT_EQ(ask(some({3, 4, 5})), "") << "nobody refused these";
  options_.ask_again = true;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(ledger_.bill, 9);
  EXPECT_NE(ledger_.sent.back().key, ledger_.sent.front().key);
  options_.ask_again = false;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(ledger_.bill, 9);
}

TEST_F(OracleTest, AsksInSmallerRequestsAfterOneThatWasTooLarge) {
  ledger_.most_clips = 2;
  EXPECT_EQ(ask(clips_), "too many clips");
  options_.batch_size = 2;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(ledger_.sent.size(), 4u);
  EXPECT_EQ(ledger_.bill, 6);
}

TEST_F(OracleTest, HasAVersionForAllThatChangesAnAnswer) {
  const auto version = [&] { return start()->oracle->version(); };
  const std::string before = version();
  EXPECT_THAT(before, HasSubstr("billing:1"));
  const auto changes = [&](auto& option, auto value) {
    const auto kept = std::exchange(option, value);
    const bool changed = version() != before;
    option = kept;
    return changed;
  };
  EXPECT_TRUE(changes(options_.url, "http://h:2/v2/models/m"));
  EXPECT_TRUE(changes(options_.logits, true));
  EXPECT_TRUE(changes(options_.output, "scores"));
  EXPECT_TRUE(changes(input_.size_px, 48));
  EXPECT_TRUE(changes(input_.sampling.rule, "dense"));
  EXPECT_FALSE(changes(input_.deadline_s, 3.0));
  EXPECT_FALSE(changes(input_.sampling.jitter_steps, 3));
  EXPECT_FALSE(changes(input_.short_side_px, input_.cached_short_side_px())) << "the default, written out";
  EXPECT_FALSE(changes(options_.batch_size, 7));
  EXPECT_FALSE(changes(options_.price, 0.5));
  EXPECT_EQ(version(), before);
  asks_views_ = true;
  EXPECT_EQ(version(), before) << "views are no other clips";
  EXPECT_TRUE(changes(input_.sampling.jitter_steps, 3)) << "which draws the frames of a view";
}

TEST_F(OracleTest, TellsTheHiddenTruth) {
  options_.kind = "truth";
  const auto fresh = start();
  Oracle truth(options_, nullptr, asked(*fresh->reader), fresh->store, fresh->progress);
  EXPECT_EQ(truth.ask(some({0, 1})), (std::vector<std::vector<double>>{{1, 0}, {0, 1}}));
  EXPECT_THAT(truth.version(), ::testing::StartsWith("lists-"));
}

}  // namespace
}  // namespace distal
