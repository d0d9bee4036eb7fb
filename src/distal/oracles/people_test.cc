// The kind `people`: what is asked lies in the store until somebody answers, and the ledger takes
// it from there, in whichever process.

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

class PeopleKind : public ::testing::Test {
 protected:
  PeopleKind() {
    for (int i = 0; i < 4; ++i) {
      Clip clip;
      clip.video = fmt::format("{}.mp4", i);
      clip.video_id = fmt::format("{:04x}", i);
      clip.end_s = 2;
      clips_.push_back(clip);
    }
  }

  OracleOptions options(const std::string& more = "") const {
    OracleOptions options;
    read_options(options, "{kind: people" + more + "}", "test");
    return options;
  }
  std::unique_ptr<OpenOracle> open(const OracleOptions& options) const {
    OracleSetup setup;
    setup.classes = classes_;
    setup.study = "study";
    setup.store_url = url_;
    return options.kind->open(setup).answers;
  }

  // As a process that was started anew asks.
  Answers ask(const OracleOptions& options, const std::vector<AskedFor>& why = {}) {
    Store store(url_);
    ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
    ClipReader reader({}, {});
    Ledger ledger(options, open(options), {classes_, reader, [] { return FilmedClips(); }}, store,
                  quiet);
    return ledger.ask(refs_of(clips_), why);
  }

  std::vector<PeopleStore::Item> items() const {
    return PeopleStore(url_).items({.study = "study"}, 0, 100);
  }
  void answer(const PeopleStore::Item& item, const std::string& person, const std::string& name) {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("{} {}", item.id, person);
    answer.item = item.id;
    answer.person = person;
    answer.class_name = name;
    answer.skipped = name.empty();
    PeopleStore(url_).put(answer, ++now_ms_);
  }

  TemporaryFolder folder_;
  const std::string url_ = "sqlite:" + (folder_ / "people.db");
  const Classes classes_{{"left", "right"}};
  std::vector<Clip> clips_;
  int64_t now_ms_ = 1000;
};

TEST_F(PeopleKind, AnswersAreAwaitedAndTakenByALaterProcess) {
  const Answers first = ask(options());
  EXPECT_THAT(first.awaited, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(ask(options()).awaited, SizeIs(4));
  ASSERT_THAT(items(), SizeIs(4)) << "asked once, whoever asks again";

  answer(items()[1], "ann", "right");
  const Answers some = ask(options());
  EXPECT_THAT(some.awaited, ElementsAre(0, 2, 3));
  EXPECT_THAT(some.probabilities[1], ElementsAre(0, 1));

  answer(items()[0], "ann", "left");
  answer(items()[2], "ann", "left");
  answer(items()[3], "ann", "");
  const Answers all = ask(options());
  EXPECT_TRUE(all.complete());
  EXPECT_THAT(all.probabilities[0], ElementsAre(1, 0));
  EXPECT_THAT(all.probabilities[3], IsEmpty()) << "left out";
  EXPECT_TRUE(ask(options()).complete()) << "what was left out is not asked again";
  EXPECT_THAT(items(), SizeIs(4));
}

TEST_F(PeopleKind, AnAnswerThatWasTakenStays) {
  ask(options());
  answer(items()[0], "ann", "left");
  PeopleStore(url_).undo(fmt::format("{} ann", items()[0].id), "ann", 2000);
  EXPECT_THAT(ask(options()).awaited, SizeIs(4)) << "it was undone in time";
  PeopleStore::NewAnswer again;
  again.uuid = "again";
  again.item = items()[0].id;
  again.person = "ann";
  again.class_name = "right";
  PeopleStore(url_).put(again, 3000);
  EXPECT_THAT(ask(options()).awaited, SizeIs(3));
  EXPECT_THAT(error_of([&] { PeopleStore(url_).undo("again", "ann", 4000); }), HasSubstr("used"));
}

TEST_F(PeopleKind, TwoPeopleMustAgree) {
  const OracleOptions two = options(", people: 2");
  EXPECT_NE(open(two)->version(), open(options())->version());
  ask(two);
  answer(items()[0], "ann", "left");
  answer(items()[1], "ann", "left");
  EXPECT_THAT(ask(two).awaited, SizeIs(4));
  answer(items()[0], "ben", "left");
  answer(items()[1], "ben", "right");
  EXPECT_THAT(ask(two).awaited, ElementsAre(1, 2, 3));
}

TEST_F(PeopleKind, ItemsSayWhyTheyAreAsked) {
  std::vector<AskedFor> why(4);
  for (int64_t i = 0; i < 4; ++i) why[i] = {"pool", 3, i, "margin", {0.25, 0.75}};
  ask(options(), why);
  const PeopleStore::Item last = items()[3];
  EXPECT_EQ(last.purpose, "pool");
  EXPECT_EQ(last.round, 3);
  EXPECT_EQ(last.position, 3);
  const auto reasons = PeopleStore(url_).reasons(last.id);
  ASSERT_THAT(reasons, SizeIs(1));
  EXPECT_EQ(reasons[0].strategy, "margin");
  EXPECT_THAT(reasons[0].guess_json, HasSubstr("\"right\":0.75"));
}

}  // namespace
}  // namespace distal
