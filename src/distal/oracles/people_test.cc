// The kind `people`: what is asked lies in the store until somebody answers, and the ledger takes
// it from there, in whichever process.

#include <algorithm>
#include <map>

#include <gmock/gmock.h>

#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/testing.h"
#include "distal/evaluation/statistics.h"
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
    return PeopleStore(url_).items({.study = "study"}, 0, 1000);
  }
  static PeopleStore::NewAnswer answer_of(const PeopleStore::Item& item, const std::string& person,
                                          const std::string& name) {
    PeopleStore::NewAnswer answer;
    answer.uuid = fmt::format("{} {}", item.id, person);
    answer.item = item.id;
    answer.person = person;
    answer.class_name = name;
    answer.skipped = name.empty();
    return answer;
  }
  void answer(const PeopleStore::Item& item, const std::string& person, const std::string& name) {
    PeopleStore(url_).put(answer_of(item, person, name), ++now_ms_);
  }

  TemporaryFolder folder_;
  std::string url_ = "sqlite:" + (folder_ / "people.db");
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

TEST_F(PeopleKind, AnAnswerStaysOnceAllWereTaken) {
  ask(options());
  for (size_t i = 1; i < 4; ++i) answer(items()[i], "ann", "left");
  answer(items()[0], "ann", "left");
  PeopleStore(url_).undo(fmt::format("{} ann", items()[0].id), "ann", 2000);
  EXPECT_THAT(ask(options()).awaited, ElementsAre(0)) << "it was undone in time";
  EXPECT_THAT(ask(options()).probabilities[1], ElementsAre(1, 0)) << "looked at";
  PeopleStore(url_).undo(fmt::format("{} ann", items()[1].id), "ann", 2500);
  EXPECT_THAT(ask(options()).awaited, ElementsAre(0, 1)) << "to look takes nothing";
  auto second = answer_of(items()[1], "ann", "left");
  second.uuid = "second";
  PeopleStore(url_).put(second, 2600);
  PeopleStore::NewAnswer again;
  again.uuid = "again";
  again.item = items()[0].id;
  again.person = "ann";
  again.class_name = "right";
  PeopleStore(url_).put(again, 3000);
  EXPECT_TRUE(ask(options()).complete());
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

TEST_F(PeopleKind, AMajorityNeedsNoAdjudicatorAndATieIsShared) {
  const OracleOptions three = options(", people: 3, agree: majority");
  EXPECT_EQ(open(three)->version(), "people-3-majority");
  ask(three);
  const auto asked = items();
  for (const auto& item : asked) answer(item, "ann", "left");
  for (const auto& item : asked) answer(item, "ben", item.id == asked[3].id ? "" : "left");
  EXPECT_THAT(ask(three).awaited, SizeIs(4));
  for (const auto& item : asked) {
    if (item.id != asked[0].id) answer(item, "cyd", "right");
  }
  EXPECT_THAT(ask(three).awaited, ElementsAre(0));
  const std::string said = fmt::format("{} cyd", asked[1].id);
  EXPECT_FALSE(PeopleStore(url_).answer(said)->used) << "what is asked together is taken together";
  answer(asked[0], "cyd", "left");
  const Answers all = ask(three);
  EXPECT_TRUE(all.complete());
  EXPECT_THAT(all.probabilities[0], ElementsAre(1, 0));
  EXPECT_THAT(all.probabilities[1], ElementsAre(1, 0));
  EXPECT_THAT(all.probabilities[3], ElementsAre(0.5, 0.5)) << "one skipped it";
}

TEST_F(PeopleKind, AConsensusIsAPosteriorAndStaysAsItWasTaken) {
  const OracleOptions three = options(", people: 3, agree: dawid_skene");
  ask(three);
  const auto asked = items();
  for (const auto& item : asked) {
    for (const char* person : {"ann", "ben", "cyd"})
      answer(item, person, item.id == asked[0].id && person[0] == 'c' ? "right" : "left");
  }
  PeopleStore::NewAnswer word;
  word.uuid = "word";
  word.item = asked[1].id;
  word.person = "eve";
  word.class_name = "right";
  PeopleStore(url_).decide(word);
  const Answers all = ask(three);
  EXPECT_THAT(all.probabilities[2], ElementsAre(1, 0)) << "all said so";
  EXPECT_THAT(all.probabilities[1], ElementsAre(0, 1)) << "the adjudicator's word";
  EXPECT_GT(all.probabilities[0][0], 0.5);
  EXPECT_LT(all.probabilities[0][0], 1);
  EXPECT_EQ(ask(three).probabilities, all.probabilities);
}

TEST_F(PeopleKind, OneAnswerIsNoConsensus) {
  OracleOptions one = options(", agree: majority");
  EXPECT_THAT(one.kind->contradiction({}), HasSubstr("set people"));
  EXPECT_EQ(options(", people: 2, agree: majority").kind->contradiction({}), "");
}

TEST_F(PeopleKind, SomeAreAskedAgainAndNothingIsLearnedFromIt) {
  const OracleOptions all_again = options(", repeats: 1, repeat_after: 5");
  ask(all_again);
  for (const auto& item : items()) answer(item, "ann", "left");
  const Answers first = ask(all_again);
  EXPECT_TRUE(first.complete());
  ask(all_again);
  const auto repeats = PeopleStore(url_).items({.purpose = "repeat"}, 0, 100);
  ASSERT_THAT(repeats, SizeIs(4)) << "once each";
  for (const auto& repeat : repeats) {
    EXPECT_EQ(repeat.for_person, "ann");
    EXPECT_EQ(repeat.state, "open");
    const bool first_answered = repeat.clip == items()[0].clip;
    EXPECT_GE(repeat.after_answers, 6);
    EXPECT_EQ(repeat.after_answers == 6, first_answered) << "the first of four, and five more";
  }
  answer(repeats[0], "ann", "right");
  EXPECT_EQ(ask(all_again).probabilities, first.probabilities);
  EXPECT_THAT(PeopleStore(url_).items({.purpose = "repeat"}, 0, 100), SizeIs(4))
      << "of a repeat there is none";
  EXPECT_EQ(open(all_again)->version(), open(options())->version());
}

TEST_F(PeopleKind, SayHowLongAClipTakes) {
  const OracleOptions two = options(", people: 2");
  EXPECT_EQ(two.kind->person_seconds(2), 12) << "two people, 2 s of clip and 4 s each";
  const auto expected = open(two)->person_times(refs_of(clips_));
  EXPECT_FALSE(expected[0].asked);
  EXPECT_EQ(expected[0].left_s, 12);
  std::vector<AskedFor> why(4);
  for (AskedFor& one : why) one.budget = {"round 1", 100};
  ask(two, why);
  EXPECT_EQ(items()[0].expected_s, 6);
  EXPECT_EQ(items()[0].budget, "round 1");
  EXPECT_EQ(PeopleStore(url_).time_spent("round 1", now_ms_)->seconds, 100);
  answer(items()[0], "ann", "left");
  const auto times = open(two)->person_times(refs_of(clips_));
  EXPECT_TRUE(times[0].asked);
  EXPECT_EQ(times[0].taken_s, 6) << "its seconds are unknown";
  EXPECT_EQ(times[0].left_s, 24);
}

// Five people of 70 to 95 % accuracy; every second of them says `left` where they err.
class Erring {
 public:
  explicit Erring(uint64_t seed) : random_(seed) {
    for (int p = 0; p < 5; ++p) skill_.push_back(random_.uniform(0.7, 0.95));
  }
  int64_t says(int64_t person, int64_t truth) {
    if (random_.uniform() < skill_[static_cast<size_t>(person)]) return truth;
    return person % 2 == 0 ? 0 : 1 - truth;
  }
  Random& random() { return random_; }

 private:
  Random random_;
  std::vector<double> skill_;
};

// The share of clips whose label is right, a tie by its share.
double accuracy_of(const Answers& answers, const std::vector<int64_t>& truth) {
  double right = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const auto& label = answers.probabilities[i];
    const double most = *std::max_element(label.begin(), label.end());
    const auto ties = std::count(label.begin(), label.end(), most);
    if (label[static_cast<size_t>(truth[i])] == most) right += 1.0 / static_cast<double>(ties);
  }
  return right / static_cast<double>(truth.size());
}

TEST_F(PeopleKind, TheConsensusOfPeopleWhoErrIsAboveTheirMajority) {
  clips_.resize(1);
  while (clips_.size() < 100) {
    Clip clip = clips_.front();
    clip.video_id = fmt::format("{:04x}", clips_.size());
    clips_.push_back(clip);
  }
  std::map<std::string, std::vector<double>> accuracies;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    for (const std::string agree : {"majority", "dawid_skene"}) {
      url_ = "sqlite:" + (folder_ / fmt::format("{}-{}.db", agree, seed));
      const OracleOptions four = options(", people: 4, agree: " + agree);
      ask(four);
      Erring people(seed);
      std::vector<int64_t> truth;
      std::vector<PeopleStore::NewAnswer> answers;
      for (const auto& item : items()) {
        truth.push_back(people.random().below(2));
        for (const int64_t person : people.random().choose(5, 4))
          answers.push_back(
              answer_of(item, fmt::format("p{}", person),
                        classes_.names[static_cast<size_t>(people.says(person, truth.back()))]));
      }
      PeopleStore(url_).put_all(answers, ++now_ms_);
      accuracies[agree].push_back(accuracy_of(ask(four), truth));
    }
  }
  const PairedTest test = paired_t_test(accuracies["dawid_skene"], accuracies["majority"]);
  EXPECT_GT(test.difference.mean, 0);
  EXPECT_LT(test.p, 0.05) << summarise(accuracies["dawid_skene"]).mean << " "
                          << summarise(accuracies["majority"]).mean;
}

TEST_F(PeopleKind, ItemsSayWhyTheyAreAsked) {
  std::vector<AskedFor> why(4);
  Clip near = clips_[0];
  near.end_s = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < 4; ++i)
    why[i] = {"pool", 3, i, "margin", {0.25, 0.75}, -0.5, {{near, 1, 0.25}}};
  why[2].score.reset();
  ask(options(), why);
  const PeopleStore::Item last = items()[3];
  EXPECT_EQ(last.purpose, "pool");
  EXPECT_EQ(last.round, 3);
  EXPECT_EQ(last.position, 3);
  const auto reasons = PeopleStore(url_).reasons(last.id);
  ASSERT_THAT(reasons, SizeIs(1));
  EXPECT_EQ(reasons[0].strategy, "margin");
  EXPECT_EQ(reasons[0].score, -0.5);
  EXPECT_THAT(reasons[0].guess_json, HasSubstr("\"right\":0.75"));
  EXPECT_EQ(
      reasons[0].neighbours_json,
      R"([{"class":"right","clip":"0000@0--1","distance":0.25,"start_s":0.0,"video":"0.mp4"}])");
  EXPECT_EQ(PeopleStore(url_).reasons(items()[2].id).front().score, std::nullopt);
}

TEST_F(PeopleKind, WhatTheFirstOracleSaidIsShownWhereTheyMaySeeIt) {
  std::vector<AskedFor> why(4);
  for (AskedFor& one : why) one.first_said = {0.25, 0.75};
  ask(options(), why);
  EXPECT_EQ(items()[0].first_json, "") << "not by default";
  url_ = "sqlite:" + (folder_ / "shown.db");
  ask(options(", shows_first: true"), why);
  EXPECT_EQ(items()[0].first_json, R"({"left":0.25,"right":0.75})");
  EXPECT_EQ(open(options(", shows_first: true"))->version(), open(options())->version());
}

TEST_F(PeopleKind, WhatIsOpenIsRankedAgainWithNewReasons) {
  ask(options(), {{"pool", 1, 0, "margin"},
                  {"pool", 1, 1, "margin"},
                  {"pool", 1, 2, "margin"},
                  {"pool", 1, 3, "margin"}});
  answer(items()[1], "ann", "left");
  Store store(url_);
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  ClipReader reader({}, {});
  Ledger ledger(options(), open(options()), {classes_, reader, [] { return FilmedClips(); }}, store,
                quiet);
  EXPECT_TRUE(ledger.shows_why());
  const AskedFor why{"pool", 1, 0, "margin", {1, 0}, 0.125};
  ledger.rank_again({&clips_[3], &clips_[1], &clips_[0], &clips_[2]}, {why, why, why, why});
  std::vector<int64_t> positions;
  for (const auto& item : items()) positions.push_back(item.position);
  EXPECT_THAT(positions, ElementsAre(2, 1, 3, 0)) << "the answered one stays where it was";
  EXPECT_EQ(PeopleStore(url_).reasons(items()[1].id).front().score, std::nullopt);
  const auto reasons = PeopleStore(url_).reasons(items()[3].id);
  ASSERT_THAT(reasons, SizeIs(1));
  EXPECT_EQ(reasons[0].score, 0.125);
  EXPECT_THAT(ask(options()).awaited, ElementsAre(0, 2, 3));
}

TEST_F(PeopleKind, WhatIsWithdrawnMayBeAskedAgain) {
  ask(options());
  answer(items()[0], "ann", "left");
  PeopleStore(url_).withdraw(items()[2].request);
  EXPECT_THAT(ask(options()).awaited, ElementsAre(1, 2, 3));
  ASSERT_THAT(items(), SizeIs(5)) << "as if the first question had never been";
  EXPECT_EQ(items()[2].state, "withdrawn");
  answer(items()[4], "ann", "right");
  EXPECT_THAT(ask(options()).probabilities[2], ElementsAre(0, 1));
}

}  // namespace
}  // namespace distal
