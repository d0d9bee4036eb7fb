// The ledger, with a teacher that keeps a bill, and with one that answers later.

#include <set>

#include "distal/oracles/ledger.h"

#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/data/testing.h"
#include "distal/oracles/teacher.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Bill {
  struct Sent {
    std::string key;
    torch::Tensor clips;
  };
  std::vector<Sent> sent;                     // every request that arrived
  std::map<std::string, torch::Tensor> paid;  // what each key was billed for
  int64_t clips = 0;                          // that were billed
  int64_t breaks_after = -1;                  // which request from here loses its answer
  int64_t not_finite = -1;                    // which row is NaN, once
  int64_t most_clips = 100;
  bool unusable = false;  // answers with another request's answer, say
};

class BillingTeacher final : public Teacher {
 public:
  explicit BillingTeacher(Bill& bill) : bill_(bill) {}

  torch::Tensor answer(const torch::Tensor& clips, const std::string& key) override {
    bill_.sent.push_back({key, clips.clone()});
    if (clips.size(0) > bill_.most_clips) throw TooLarge("too many clips");
    if (!bill_.paid.contains(key)) {
      bill_.paid[key] = clips.clone();
      bill_.clips += clips.size(0);
    }
    EXPECT_TRUE(bill_.paid[key].equal(clips)) << "a key stands for one content";
    if (bill_.breaks_after-- == 0) fail("the connection broke");
    if (bill_.unusable) throw Unusable("teacher billing: the answer is that of another request");
    const auto bright = torch::sigmoid(clips.mean({1, 2, 3, 4})).unsqueeze(1);
    auto answers = torch::cat({bright, 1 - bright}, 1);
    if (bill_.not_finite >= 0) answers[std::exchange(bill_.not_finite, -1)] = NAN;
    return answers;
  }
  std::string version() const override { return "billing:1"; }
  std::string remark() const override { return "clip 1 of the batch: value 0 is nan"; }

 private:
  Bill& bill_;
};

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    SyntheticOptions video;
    video.frames = 16;
    for (int i = 0; i < 6; ++i) {
      write_motion(path(i), motions()[i % 2], i, video);
      clips_.push_back(clip(i));
    }
    options_ = oracle("{kind: http, url: 'http://h:1/v2/models/m', batch_size: 3}");
    input_.size_px = 32;
    input_.sampling.frames = 4;
  }

  static OracleOptions oracle(const std::string& yaml) {
    OracleOptions options;
    read_options(options, yaml, "test");
    return options;
  }
  std::string path(int i) const { return folder_ / fmt::format("{}.mp4", i); }
  Clip clip(int i) const {
    const VideoInfo info = probe(path(i));
    return {path(i), info.id, 0, info.duration_s, info.id, i % 2};
  }
  std::string url() const { return "sqlite:" + (folder_ / "store.db"); }

  // Each as a program that was started anew: another store, reader, teacher and ledger over the
  // same files.
  struct Start {
    explicit Start(const std::string& url) : store(url) {}
    std::unique_ptr<ClipReader> reader;
    Store store;
    ConsoleProgress progress{ConsoleProgress::Mode::quiet};
    std::unique_ptr<Ledger> ledger;
  };
  AskedClips asked(ClipReader& reader) const {
    return {{{"left", "right"}}, reader, [clips = clips_] {
              FilmedClips filmed;
              for (const Clip& clip : clips) filmed[clip.key()] = clip;
              return filmed;
            }};
  }
  std::unique_ptr<Start> start() {
    auto start = std::make_unique<Start>(url());
    start->reader = std::make_unique<ClipReader>(input_, CacheOptions{folder_ / "cache", 1});
    start->ledger =
        std::make_unique<Ledger>(options_, answers_at_once(std::make_unique<BillingTeacher>(bill_)),
                                 asked(*start->reader), start->store, start->progress, asks_views_);
    return start;
  }

  // Asks for clips of a fresh start; what it throws.
  std::string ask(const std::vector<Clip>& clips) {
    const auto fresh = start();
    return error_of([&] { answers_ = fresh->ledger->ask(clips).probabilities; });
  }
  std::vector<Clip> some(std::vector<int> rows) const {
    std::vector<Clip> chosen;
    for (const int row : rows) chosen.push_back(clips_[row]);
    return chosen;
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  InputOptions input_;
  OracleOptions options_;
  Bill bill_;
  std::vector<std::vector<double>> answers_;
  bool asks_views_ = false;
};

TEST_F(LedgerTest, BuysEachAnswerOnce) {
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(bill_.sent.size(), 2u);
  const auto first = answers_;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(answers_, first);
  EXPECT_EQ(bill_.sent.size(), 2u);
  EXPECT_EQ(bill_.clips, 6);
}

TEST_F(LedgerTest, SendsWhatWasCutOffAgainAsItWasAndIsBilledOnce) {
  bill_.breaks_after = 1;
  EXPECT_EQ(ask(clips_), "the connection broke");
  EXPECT_EQ(bill_.clips, 6) << "the work is done, the second answer is lost";
  EXPECT_EQ(ask(some({5, 3, 1, 4, 0, 2})), "");
  ASSERT_EQ(bill_.sent.size(), 3u);
  EXPECT_EQ(bill_.sent[2].key, bill_.sent[1].key);
  EXPECT_TRUE(bill_.sent[2].clips.equal(bill_.sent[1].clips));
  EXPECT_EQ(bill_.clips, 6);
  for (const auto& answer : answers_) EXPECT_EQ(answer.size(), 2u);
}

TEST_F(LedgerTest, KeepsThePaidAnswersNobodyWantsAnyMore) {
  bill_.breaks_after = 0;
  EXPECT_EQ(ask(some({0, 1, 2})), "the connection broke");
  EXPECT_EQ(ask(some({1, 3})), "");
  EXPECT_EQ(bill_.clips, 4);
  EXPECT_EQ(ask(some({0, 2})), "");
  EXPECT_EQ(bill_.clips, 4);
  EXPECT_EQ(bill_.sent.size(), 3u);
}

TEST_F(LedgerTest, LeavesOpenRequestsAloneThatHoldNoneOfItsClips) {
  bill_.breaks_after = 0;
  EXPECT_EQ(ask(some({0, 1, 2})), "the connection broke");
  EXPECT_EQ(ask(some({3})), "");
  EXPECT_EQ(bill_.sent.size(), 2u);
  EXPECT_EQ(bill_.sent[1].clips.size(0), 1);
}

TEST_F(LedgerTest, CutsARequestAnewWhoseClipCannotBeReadAnyMoreAndSaysSo) {
  bill_.breaks_after = 0;
  EXPECT_EQ(ask(some({0, 1, 2})), "the connection broke");
  std::filesystem::remove(path(0));
  const auto fresh = start();
  const auto answers = fresh->ledger->ask(some({0, 1, 2})).probabilities;
  EXPECT_THAT(answers[0], IsEmpty());
  EXPECT_EQ(answers[1].size(), 2u);
  ASSERT_EQ(bill_.sent.size(), 2u);
  EXPECT_NE(bill_.sent[1].key, bill_.sent[0].key);
  EXPECT_EQ(bill_.sent[1].clips.size(0), 2);
  ASSERT_EQ(fresh->store.events(0).size(), 1u);
  EXPECT_THAT(fresh->store.events(0)[0].text,
              AllOf(HasSubstr("3 clips"), HasSubstr("may be billed twice")));
  ASSERT_EQ(fresh->reader->quarantined().size(), 1u);
  EXPECT_EQ(fresh->reader->quarantined()[0].path, path(0));
}

TEST_F(LedgerTest, KeepsTheOtherAnswersWhereOneIsNotFinite) {
  bill_.not_finite = 1;
  EXPECT_THAT(ask(some({0, 1, 2})),
              AllOf(HasSubstr("1 of 3 answers"), HasSubstr(path(1)), HasSubstr("value 0 is nan")));
  EXPECT_EQ(ask(some({0, 2})), "") << "what is known is known";
  EXPECT_THAT(ask(some({0, 1, 2})), AllOf(HasSubstr("1 of the clips"), HasSubstr("value 0 is nan"),
                                          HasSubstr("--set oracle.ask_again=true")));
  EXPECT_EQ(bill_.sent.size(), 1u) << "nothing is paid again without a word";
  options_.ask_again = true;
  EXPECT_EQ(ask(some({0, 1, 2})), "");
  ASSERT_EQ(bill_.sent.size(), 2u);
  EXPECT_EQ(bill_.sent[1].clips.size(0), 1);
  EXPECT_NE(bill_.sent[1].key, bill_.sent[0].key);
}

TEST_F(LedgerTest, AsksAnewForWhatANetworkAtHandComputesWrongly) {
  options_ = oracle("{kind: torchscript, path: t.pt, batch_size: 3}");
  bill_.not_finite = 1;
  EXPECT_THAT(ask(some({0, 1, 2})), HasSubstr("it asks for these clips anew"));
  EXPECT_EQ(ask(some({0, 1, 2})), "");
  EXPECT_EQ(bill_.sent.size(), 2u);
}

TEST_F(LedgerTest, CountsWhatWasAnsweredUnusablyAsSpentAndAsksAgainOnlyWhenToldTo) {
  options_.price = 2;
  bill_.unusable = true;
  EXPECT_THAT(ask(clips_),
              AllOf(HasSubstr("another request"), HasSubstr("3 answers were probably billed"),
                    HasSubstr("price 6"), HasSubstr("--set oracle.ask_again=true")));
  bill_.unusable = false;
  for (int start = 0; start < 2; ++start)
    EXPECT_THAT(ask(clips_), AllOf(HasSubstr("3 of the clips"), HasSubstr("another request"),
                                   HasSubstr("--set oracle.ask_again=true")));
  EXPECT_EQ(bill_.clips, 3) << "a restart asks for nothing";
  EXPECT_EQ(ask(some({3, 4, 5})), "") << "nobody refused these";
  options_.ask_again = true;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(bill_.clips, 9);
  EXPECT_NE(bill_.sent.back().key, bill_.sent.front().key);
  options_.ask_again = false;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(bill_.clips, 9);
}

TEST_F(LedgerTest, AsksInSmallerRequestsAfterOneThatWasTooLarge) {
  bill_.most_clips = 2;
  EXPECT_EQ(ask(clips_), "too many clips");
  options_.batch_size = 2;
  EXPECT_EQ(ask(clips_), "");
  EXPECT_EQ(bill_.sent.size(), 4u);
  EXPECT_EQ(bill_.clips, 6);
}

TEST_F(LedgerTest, HasAVersionForAllThatChangesAnAnswer) {
  const auto version = [&] { return start()->ledger->version(); };
  const std::string before = version();
  EXPECT_THAT(before, HasSubstr("billing:1"));
  const auto changes = [&](auto& option, auto value) {
    const auto kept = std::exchange(option, value);
    const bool changed = version() != before;
    option = kept;
    return changed;
  };
  const auto endpoint = [](const std::string& more) {
    return oracle("{kind: http, url: 'http://h:1/v2/models/m', " + more + "}");
  };
  EXPECT_TRUE(changes(options_, oracle("{kind: http, url: 'http://h:2/v2/models/m'}")));
  EXPECT_TRUE(changes(options_, endpoint("logits: true")));
  EXPECT_TRUE(changes(options_, endpoint("output: scores")));
  EXPECT_TRUE(changes(input_.size_px, 48));
  EXPECT_TRUE(changes(input_.sampling.rule, "dense"));
  EXPECT_FALSE(changes(input_.deadline_s, 3.0));
  EXPECT_FALSE(changes(input_.sampling.jitter_steps, 3));
  EXPECT_FALSE(changes(input_.short_side_px, input_.cached_short_side_px()))
      << "the default, written out";
  EXPECT_FALSE(changes(options_.batch_size, 7));
  EXPECT_FALSE(changes(options_.price, 0.5));
  EXPECT_EQ(version(), before);
  asks_views_ = true;
  EXPECT_EQ(version(), before) << "views are no other clips";
  EXPECT_TRUE(changes(input_.sampling.jitter_steps, 3)) << "which draws the frames of a view";
}

TEST_F(LedgerTest, TellsTheHiddenTruth) {
  options_ = {};
  const auto fresh = start();
  auto opened = options_.kind->open({{{"left", "right"}}, "lists", {}, {}});
  Ledger truth(options_, std::move(opened.answers), asked(*fresh->reader), fresh->store,
               fresh->progress);
  EXPECT_EQ(truth.ask(some({0, 1})).probabilities,
            (std::vector<std::vector<double>>{{1, 0}, {0, 1}}));
  EXPECT_THAT(truth.version(), ::testing::StartsWith("lists-"));
}

// ---- answers that come later

/// Where requests lie until somebody answers them, from process to process: as a table of people's
/// would be.
struct Desk {
  struct Paper {
    size_t clips = 0;
    bool answered = false;
    bool settled = false;
    int64_t not_finite = -1;  // which row of its answers is NaN
  };
  std::map<std::string, Paper> papers;  // by key
  int64_t received = 0;                 // requests
  int64_t answers_after = -1;           // collects until all is answered that lies there; -1: never

  void answer_all() {
    for (auto& [_, paper] : papers) paper.answered = true;
  }
};

class Later final : public OpenOracle {
 public:
  explicit Later(Desk& desk) : desk_(desk) {}
  void submit(OracleRequest request) override {
    EXPECT_FALSE(desk_.papers.contains(request.key)) << "sent twice";
    EXPECT_FALSE(request.frames.defined());
    desk_.papers[request.key] = {request.clips.size()};
    ++desk_.received;
  }
  std::vector<OracleReply> collect(Wait) override {
    if (desk_.answers_after == 0) desk_.answer_all();
    if (desk_.answers_after > 0) --desk_.answers_after;
    std::vector<OracleReply> replies;
    for (const auto& [key, paper] : desk_.papers) {
      if (!paper.answered || paper.settled || !collected_.insert(key).second) continue;
      OracleReply reply{key};
      reply.answers =
          torch::tensor({0.25, 0.75}).expand({static_cast<int64_t>(paper.clips), 2}).clone();
      if (paper.not_finite >= 0) reply.answers[paper.not_finite] = NAN;
      replies.push_back(reply);
    }
    return replies;
  }
  bool holds(const std::string& key) const override {
    return desk_.papers.contains(key) && !desk_.papers[key].settled;
  }
  void settle(const std::string& key) override { desk_.papers[key].settled = true; }
  std::string version() const override { return "later:1"; }

 private:
  Desk& desk_;
  std::set<std::string> collected_;
};

/// A kind that shows clips to people, say.
class LaterKind final : public Oracle {
 public:
  explicit LaterKind(Desk& desk) : desk_(desk) {}
  OracleTraits traits() const override { return {.frames = false}; }
  std::string line() const override { return "later"; }
  OpenedOracle open(const OracleSetup&) const override {
    return {std::make_unique<Later>(desk_), line()};
  }

 private:
  Desk& desk_;
};

class AnswersLaterTest : public LedgerTest {
 protected:
  AnswersLaterTest() {
    options_ = {};
    options_.batch_size = 2;
    options_.kind.name = "later";
    options_.kind.method = std::make_shared<LaterKind>(desk_);
  }
  std::unique_ptr<Start> start() {
    auto start = std::make_unique<Start>(url());
    start->reader = std::make_unique<ClipReader>(input_, CacheOptions{folder_ / "cache", 1});
    start->ledger = std::make_unique<Ledger>(options_, options_.kind->open({}).answers,
                                             asked(*start->reader), start->store, start->progress);
    return start;
  }
  Desk desk_;
};

TEST_F(AnswersLaterTest, SaysWhichAreAwaitedAndFindsThemInTheNextProcess) {
  const Answers first = start()->ledger->ask(some({0, 1, 2}));
  EXPECT_FALSE(first.complete());
  EXPECT_EQ(first.awaited, (std::vector<size_t>{0, 1, 2}));
  EXPECT_THAT(first.probabilities[0], IsEmpty());
  EXPECT_EQ(desk_.received, 2);

  const auto same = start();
  EXPECT_EQ(same->ledger->ask(some({2, 0, 3})).awaited, (std::vector<size_t>{0, 1, 2}));
  EXPECT_EQ(desk_.received, 3) << "only the new clip is sent";

  desk_.answer_all();
  const auto fresh = start();
  const Answers last = fresh->ledger->ask(some({0, 1, 2, 3}));
  EXPECT_TRUE(last.complete());
  for (const auto& answer : last.probabilities)
    EXPECT_EQ(answer, (std::vector<double>{0.25, 0.75}));
  EXPECT_EQ(desk_.received, 3);
  EXPECT_THAT(fresh->store.open_requests("later", fresh->ledger->version()), IsEmpty());
  for (const auto& [_, paper] : desk_.papers) EXPECT_TRUE(paper.settled);
}

TEST_F(AnswersLaterTest, GoesOnInOneProcessToo) {
  const auto fresh = start();
  desk_.answers_after = 4;
  int64_t asked = 0;
  Answers answers;
  do {
    answers = fresh->ledger->ask(clips_);
    ++asked;
  } while (!answers.complete() && asked < 20);
  EXPECT_TRUE(answers.complete());
  EXPECT_GT(asked, 1);
  EXPECT_EQ(desk_.received, 3);
}

TEST_F(AnswersLaterTest, KeepsAnAnswerThatAnotherTrialWaitedFor) {
  start()->ledger->ask(some({0, 1}));
  desk_.answer_all();
  const auto fresh = start();
  EXPECT_EQ(fresh->ledger->ask(some({4})).awaited.size(), 1u);
  const auto answer = fresh->store.find_answer(clips_[1].key(), "later", fresh->ledger->version());
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->seconds, clips_[1].duration_s());
}

TEST_F(AnswersLaterTest, LosesNoReplyWhereAnotherEndsTheRun) {
  start()->ledger->ask(clips_);
  desk_.answer_all();
  desk_.papers.begin()->second.not_finite = 0;
  const auto fresh = start();
  EXPECT_THAT(error_of([&] { fresh->ledger->ask(clips_); }), HasSubstr("1 of 2 answers"));
  int64_t known = 0;
  for (const Clip& clip : clips_) {
    known += fresh->store.find_answer(clip.key(), "later", fresh->ledger->version()).has_value();
  }
  EXPECT_EQ(known, 5);
  EXPECT_THAT(fresh->store.open_requests("later", fresh->ledger->version()), IsEmpty());
}

// ---- how often the store is asked

/// A store in memory that counts what it is asked.
class CountingStore final : public LedgerStore {
 public:
  struct Counts {
    int64_t look_ups = 0;
    int64_t changes = 0;
  };
  explicit CountingStore(Counts& counts) : counts_(counts) {}

  std::vector<std::optional<StoredAnswer>> find_answers(const std::vector<std::string>& clips,
                                                        const Answerer&) override {
    ++counts_.look_ups;
    std::vector<std::optional<StoredAnswer>> found;
    for (const std::string& clip : clips) {
      const auto at = answers_.find(clip);
      found.push_back(at == answers_.end() ? std::nullopt : std::optional(at->second));
    }
    return found;
  }
  std::vector<Store::Request> open_requests(const Answerer&) override {
    ++counts_.look_ups;
    std::vector<Store::Request> requests;
    for (const auto& [_, request] : open_) requests.push_back(request);
    return requests;
  }
  Store::Request open_request(const Answerer&, const std::vector<std::string>& clips) override {
    ++counts_.changes;
    const std::string key = fmt::format("request {}", counts_.changes);
    return open_[key] = {key, clips};
  }
  void put_answers(const std::vector<StoredAnswer>& answers, const std::string& request,
                   const std::vector<StoredRefusal>&) override {
    ++counts_.changes;
    for (const StoredAnswer& answer : answers) answers_[answer.clip] = answer;
    open_.erase(request);
  }
  void give_up(const std::string& request) override { open_.erase(request); }
  std::vector<StoredRefusal> refused(const Answerer&) override {
    ++counts_.look_ups;
    return {};
  }
  void ask_again(const Answerer&) override {}
  void event(const std::string&, const std::string&) override {}

 private:
  Counts& counts_;
  std::map<std::string, StoredAnswer> answers_;
  std::map<std::string, Store::Request> open_;
};

TEST_F(AnswersLaterTest, AsksTheStoreAHandfulOfTimesAboutAPoolOf100000) {
  std::vector<Clip> pool;
  for (int i = 0; i < 100'000; ++i) {
    Clip clip = clips_[i % 2];
    clip.start_s = i;
    clip.end_s = i + 1;
    pool.push_back(clip);
  }
  ClipReader reader(input_, CacheOptions{folder_ / "cache", 1});
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  const AskedClips asked{{{"left", "right"}}, reader, []() -> FilmedClips {
                           ADD_FAILURE() << "every clip is at hand";
                           return {};
                         }};
  options_.batch_size = 1000;
  for (const bool labels : {true, false}) {
    CountingStore::Counts counts;
    OracleOptions options = labels ? OracleOptions() : options_;
    Ledger ledger(options, options.kind->open({{{"left", "right"}}, "lists", {}, {}}).answers,
                  asked, std::make_unique<CountingStore>(counts), quiet);
    counts = {};
    desk_.answers_after = 0;
    EXPECT_TRUE(ledger.ask(pool).complete());
    EXPECT_LE(counts.look_ups, 6) << "for clips that nobody has answered";
    EXPECT_EQ(counts.changes, labels ? 1 : 2 * 100)
        << "to open a request, and to store its answers";
    counts = {};
    EXPECT_EQ(ledger.ask(pool).probabilities.size(), pool.size());
    EXPECT_EQ(counts.look_ups, 1) << "for clips that are known";
    EXPECT_EQ(counts.changes, 0);
  }
}

}  // namespace
}  // namespace distal
