// Two oracles as one source: who is asked about what, and what is kept of it.

#include "distal/oracles/mixed_source.h"

#include <map>

#include <gmock/gmock.h>

#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/data/testing.h"
#include "distal/oracles/ledger.h"
#include "distal/oracles/oracle_recipe.h"
#include "distal/oracles/teacher.h"
#include "distal/store/people_store.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string why_no_doubt(const std::string& text) {
  return error_of<UsageError>([&] { Doubt::parse(text); });
}

TEST(Doubt, IsOneComparison) {
  EXPECT_EQ(Doubt::parse("confidence < 0.6"), (Doubt{Doubt::Measure::confidence, 0.6, false}));
  EXPECT_EQ(Doubt::parse("  margin<=.25 "), (Doubt{Doubt::Measure::margin, 0.25, true}));
  EXPECT_EQ(Doubt::parse("entropy > 1e-1"), (Doubt{Doubt::Measure::entropy, 0.1, false}));
  for (const char* text : {"confidence < 0.6", "margin <= 0.25", "entropy >= 2"})
    EXPECT_EQ(Doubt::parse(text).text(), text);
  EXPECT_EQ(Doubt().text(), "");
}

TEST(Doubt, RefusesWhatIsNone) {
  EXPECT_THAT(why_no_doubt(""), HasSubstr("is no comparison"));
  EXPECT_THAT(why_no_doubt("confidence"), HasSubstr("write confidence < 0.6"));
  EXPECT_THAT(why_no_doubt("confidence <"),
              HasSubstr("the number after the comparison is missing"));
  EXPECT_THAT(why_no_doubt("surety < 0.6"), HasSubstr("'surety' is not one of"));
  EXPECT_THAT(why_no_doubt("0.6 > confidence"), HasSubstr("'0.6' is not one of"));
  EXPECT_THAT(why_no_doubt("confidence > 0.6"), HasSubstr("where confidence is small"));
  EXPECT_THAT(why_no_doubt("entropy < 1"), HasSubstr("where entropy is large"));
  for (const char* sign : {"==", "!=", "<>", "<<", "=<"})
    EXPECT_THAT(why_no_doubt(fmt::format("margin {} 0.1", sign)), HasSubstr("oracle.when")) << sign;
  for (const char* number : {"0,6", "60 %", "inf", "nan", "0.6 or margin < 0.1", "0x1"})
    EXPECT_THAT(why_no_doubt(fmt::format("confidence < {}", number)),
                HasSubstr("is not a number in decimal digits"))
        << number;
  EXPECT_THAT(why_no_doubt("confidence < 1.5"), HasSubstr("lies in [0, 1]"));
  EXPECT_THAT(why_no_doubt("confidence < 0"), HasSubstr("never asked"));
  EXPECT_THAT(why_no_doubt("entropy > -1"), HasSubstr("above 0"));
}

TEST(Doubt, PicksTheLeastSureInTheOrderOfTheClips) {
  const std::vector<std::vector<double>> answers = {
      {0.9, 0.1, 0}, {0.5, 0.3, 0.2}, {}, {0.45, 0.1, 0.45}, {0.5, 0.25, 0.25}};
  const auto rows = [&](const std::string& when, int64_t most = 100) {
    return (when.empty() ? Doubt() : Doubt::parse(when)).rows(answers, most);
  };
  EXPECT_THAT(rows("confidence < 0.5"), ElementsAre(3));
  EXPECT_THAT(rows("confidence <= 0.5"), ElementsAre(1, 3, 4));
  EXPECT_THAT(rows("margin < 0.2"), ElementsAre(3)) << "that of row 1 is 0.2";
  EXPECT_THAT(rows("entropy > 1"), ElementsAre(1, 4)) << "1.030 and 1.040 nats; row 3: 0.949";
  EXPECT_THAT(rows("", 3), ElementsAre(1, 3, 4)) << "what has no answer is not doubted";
  EXPECT_THAT(rows("", 2), ElementsAre(1, 3)) << "of equally sure ones the first";
  EXPECT_THAT(rows("confidence < 0.95", 1), ElementsAre(3));
  EXPECT_THAT(rows("confidence < 0.95", 0), IsEmpty());
  EXPECT_THAT(Doubt().rows({}, 3), IsEmpty());
}

// ---- who is asked what

/// What one side says, by the name of the clip's video; and what it was asked.
struct Side {
  std::map<std::string, std::vector<double>> says;  // absent: awaited; empty: cannot be answered
  std::string breaks;                               // throws this
  std::vector<std::string> asked;
  std::vector<int64_t> positions;
  std::vector<std::vector<double>> first_said;
};

class SideSource final : public AnswerSource {
 public:
  SideSource(Side& side, std::string name, bool soft, double price)
      : side_(side), name_(std::move(name)), soft_(soft), price_(price) {}
  Answers ask(const ClipRefs& clips, const std::vector<AskedFor>& why) override {
    if (!side_.breaks.empty()) fail("{}", side_.breaks);
    Answers answers;
    for (size_t i = 0; i < clips.size(); ++i) {
      const std::string name = clips[i]->video.str();
      side_.asked.push_back(name);
      if (!why.empty()) {
        side_.positions.push_back(why[i].position);
        side_.first_said.push_back(why[i].first_said);
      }
      const auto said = side_.says.find(name);
      answers.probabilities.push_back(said == side_.says.end() ? std::vector<double>()
                                                               : said->second);
      if (said == side_.says.end()) answers.awaited.push_back(i);
    }
    return answers;
  }
  bool is_teacher() const override { return soft_; }
  double price() const override { return price_; }
  Answerer answerer() const override { return {name_, version_}; }
  const std::string& version() const override { return version_; }

 private:
  Side& side_;
  std::string name_;
  bool soft_;
  double price_;
  std::string version_ = "1";
};

class Purse final : public Allowance {
 public:
  explicit Purse(int64_t left) : left_(left) {}
  int64_t left() const override { return left_; }
  void spend(const ClipRefs& clips, double price) override {
    for (const Clip* clip : clips) spent.push_back(fmt::format("{} {}", clip->video.str(), price));
  }
  std::vector<std::string> spent;

 private:
  int64_t left_;
};

class MixedSourceTest : public ::testing::Test {
 protected:
  MixedSourceTest() {
    for (const char* name : {"sure", "unsure", "unreadable", "doubtful"}) {
      Clip clip;
      clip.video = name;
      clips_.push_back(clip);
    }
    first_.says = {{"sure", {0.9, 0.1}},
                   {"unsure", {0.55, 0.45}},
                   {"unreadable", {}},
                   {"doubtful", {0.4, 0.6}}};
    then_.says = {{"unsure", {0, 1}}, {"doubtful", {0, 1}}};
  }
  MixedSource source(const std::string& when = "confidence < 0.7") {
    return {std::make_unique<SideSource>(first_, "model", true, 0.5),
            std::make_unique<SideSource>(then_, "people", false, 2), Doubt::parse(when)};
  }
  Answers ask(Purse&& purse = Purse(100)) {
    std::vector<AskedFor> why(clips_.size());
    for (size_t i = 0; i < why.size(); ++i) why[i].position = static_cast<int64_t>(i);
    const Answers answers = source().ask_within(refs_of(clips_), why, purse);
    spent_ = purse.spent;
    return answers;
  }

  std::vector<Clip> clips_;
  Side first_, then_;
  std::vector<std::string> spent_;
};

TEST_F(MixedSourceTest, TheSecondReplacesWhatTheFirstIsUnsureOf) {
  const Answers answers = ask();
  EXPECT_THAT(first_.asked, ElementsAre("sure", "unsure", "unreadable", "doubtful"));
  EXPECT_THAT(then_.asked, ElementsAre("unsure", "doubtful"));
  EXPECT_THAT(then_.positions, ElementsAre(1, 3)) << "each with its own reason";
  EXPECT_THAT(then_.first_said, ElementsAre(ElementsAre(0.55, 0.45), ElementsAre(0.4, 0.6)));
  EXPECT_THAT(spent_, ElementsAre("unsure 2", "doubtful 2"));
  EXPECT_TRUE(answers.complete());
  EXPECT_THAT(answers.probabilities,
              ElementsAre(ElementsAre(0.9, 0.1), ElementsAre(0, 1), IsEmpty(), ElementsAre(0, 1)));
  EXPECT_THAT(answers.doubted,
              ElementsAre(IsEmpty(), ElementsAre(0.55, 0.45), IsEmpty(), ElementsAre(0.4, 0.6)));
  EXPECT_TRUE(answers.second_asked(1));
  EXPECT_FALSE(answers.second_asked(2)) << "what the first cannot read is not asked of the second";
}

TEST_F(MixedSourceTest, TheLimitGoesToTheLeastSure) {
  EXPECT_THAT(ask(Purse(1)).probabilities[3], ElementsAre(0.4, 0.6));
  EXPECT_THAT(then_.asked, ElementsAre("unsure"));
  then_.asked.clear();
  EXPECT_FALSE(ask(Purse(0)).second_asked(1));
  EXPECT_THAT(then_.asked, IsEmpty());
  EXPECT_THAT(spent_, IsEmpty());
}

TEST_F(MixedSourceTest, NothingIsAskedOfTheSecondWhileTheFirstIsAwaited) {
  first_.says.erase("sure");
  const Answers answers = ask();
  EXPECT_THAT(answers.awaited, ElementsAre(0));
  EXPECT_THAT(answers.probabilities[1], ElementsAre(0.55, 0.45));
  EXPECT_THAT(then_.asked, IsEmpty()) << "the least sure may be among the awaited";
  EXPECT_THAT(spent_, IsEmpty());
}

TEST_F(MixedSourceTest, WhatTheSecondIsAwaitedForHasNoAnswerYet) {
  then_.says.erase("doubtful");
  const Answers answers = ask();
  EXPECT_THAT(answers.awaited, ElementsAre(3));
  EXPECT_THAT(answers.probabilities[3], IsEmpty());
  EXPECT_THAT(answers.probabilities[1], ElementsAre(0, 1));
  EXPECT_TRUE(answers.second_asked(3));
}

TEST_F(MixedSourceTest, WhatTheSecondLeavesOutHasNoAnswer) {
  then_.says["doubtful"] = {};
  const Answers answers = ask();
  EXPECT_TRUE(answers.complete());
  EXPECT_THAT(answers.probabilities[3], IsEmpty()) << "the first's unsure word is not taken for it";
}

TEST_F(MixedSourceTest, WhatOneThrowsIsThrown) {
  then_.breaks = "out of reach";
  EXPECT_THAT(error_of([&] { ask(); }), HasSubstr("out of reach"));
  first_.breaks = "refused";
  first_.asked.clear();
  EXPECT_THAT(error_of([&] { ask(); }), HasSubstr("refused"));
}

TEST_F(MixedSourceTest, IsBothAndEachIsItself) {
  MixedSource both = source();
  EXPECT_TRUE(both.is_teacher());
  EXPECT_EQ(both.price(), 0.5);
  EXPECT_EQ(both.then().price(), 2);
  EXPECT_FALSE(both.then().is_teacher());
  EXPECT_EQ(both.first().answerer().oracle, "model");
  ASSERT_THAT(both.answerers(), SizeIs(2));
  EXPECT_EQ(both.answerers()[1].oracle, "people");
  EXPECT_EQ(both.version(), "1+people:1");
  EXPECT_THAT(both.ask(clips_).doubted, SizeIs(4)) << "without a limit";
}

// ---- two ledgers on one store, each start as another process

class SureTeacher final : public Teacher {
 public:
  explicit SureTeacher(int64_t& asked) : asked_(asked) {}
  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    asked_ += clips.size(0);
    const auto left = torch::linspace(0.5, 0.9, clips.size(0));
    return torch::stack({left, 1 - left}, 1);
  }
  std::string version() const override { return "sure:1"; }

 private:
  int64_t& asked_;
};

class TwoLedgersTest : public ::testing::Test {
 protected:
  TwoLedgersTest() {
    SyntheticOptions video;
    video.frames = 16;
    for (int i = 0; i < 4; ++i) {
      const std::string path = folder_ / fmt::format("{}.mp4", i);
      write_motion(path, motions()[i % 2], i, video);
      const VideoInfo info = probe(path);
      clips_.push_back({path, info.id, 0, info.duration_s, info.id, i % 2});
    }
    input_.size_px = 32;
    input_.sampling.frames = 4;
    read_options(recipe_, "{first: {kind: http, url: 'http://h:1/v2/models/m'}, then: people}",
                 "test");
  }

  Answers ask() {
    Store store(url_);
    ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
    ClipReader reader(input_, CacheOptions{folder_ / "cache", 1});
    const AskedClips asked{classes_, reader, [] { return FilmedClips(); }};
    OracleSetup setup;
    setup.classes = classes_;
    setup.study = "study";
    setup.store_url = url_;
    const OracleOptions& then = recipe_.asked_then();
    MixedSource both(
        std::make_unique<Ledger>(recipe_.asked_first(),
                                 answers_at_once(std::make_unique<SureTeacher>(teacher_asked_)),
                                 asked, store, quiet),
        std::make_unique<Ledger>(then, then.kind->open(setup).answers, asked, store, quiet),
        Doubt::parse("confidence < 0.7"));
    const Answers answers = both.ask(clips_);
    for (const Answerer& who : both.answerers()) {
      for (size_t i = 0; i < clips_.size(); ++i)
        stored_[who.oracle][i] =
            store.find_answer(clips_[i].key(), who.oracle, who.version) ? 1 : 0;
    }
    return answers;
  }
  std::vector<PeopleStore::Item> items() const {
    return PeopleStore(url_).items({.study = "study"}, 0, 100);
  }

  TemporaryFolder folder_;
  const std::string url_ = "sqlite:" + (folder_ / "mixed.db");
  const Classes classes_{{"left", "right"}};
  OracleRecipe recipe_;
  InputOptions input_;
  std::vector<Clip> clips_;
  int64_t teacher_asked_ = 0;
  std::map<std::string, std::map<size_t, int>> stored_;
};

TEST_F(TwoLedgersTest, KeepTheAnswersOfEachUnderItsOwnNameAndAskNothingTwice) {
  EXPECT_THAT(ask().awaited, ElementsAre(0, 1)) << "confidences of .5, .633, .767 and .9";
  EXPECT_THAT(ask().awaited, ElementsAre(0, 1));
  EXPECT_EQ(teacher_asked_, 4);
  ASSERT_THAT(items(), SizeIs(2)) << "people are asked about the unsure ones, once";

  PeopleStore::NewAnswer answer;
  answer.uuid = "a";
  answer.item = items()[1].id;
  answer.person = "ann";
  answer.class_name = "right";
  PeopleStore(url_).put(answer, 1000);
  const Answers answers = ask();
  EXPECT_THAT(answers.awaited, ElementsAre(0));
  EXPECT_THAT(answers.probabilities[1], ElementsAre(0, 1));
  EXPECT_EQ(answers.probabilities[3].size(), 2u);
  EXPECT_EQ(stored_["http"], (std::map<size_t, int>{{0, 1}, {1, 1}, {2, 1}, {3, 1}}));
  EXPECT_EQ(stored_["people"], (std::map<size_t, int>{{0, 0}, {1, 0}, {2, 0}, {3, 0}}))
      << "it can still be taken back";
  answer.uuid = "b";
  answer.item = items()[0].id;
  PeopleStore(url_).put(answer, 2000);
  EXPECT_TRUE(ask().complete());
  EXPECT_EQ(stored_["people"], (std::map<size_t, int>{{0, 1}, {1, 1}, {2, 0}, {3, 0}}));
  EXPECT_EQ(teacher_asked_, 4);
}

// ---- the section of a recipe

std::string why_no_recipe(const std::string& yaml) {
  return error_of([&] {
    OracleRecipe oracle;
    read_options(oracle, yaml, "r.yaml");
    if (const auto wrong = oracle.contradiction(); !wrong.empty()) fail("{}", wrong);
  });
}

OracleRecipe recipe_of(const std::string& yaml) {
  OracleRecipe oracle;
  read_options(oracle, yaml, "r.yaml");
  return oracle;
}

TEST(OracleRecipe, NamesOneOracleOrTwo) {
  const OracleRecipe one = recipe_of("{kind: http, url: u, price: 2}");
  EXPECT_FALSE(one.mixed());
  EXPECT_EQ(one.asked_first().price, 2);
  EXPECT_EQ(&one.asked_first(), &one.asked_then());
  EXPECT_EQ(one.identity(), one.only.identity());
  EXPECT_FALSE(one.people());

  const OracleRecipe two = recipe_of(
      "{first: teacher, then: {kind: people, price: 3, people: 2}, when: confidence < 0.6}");
  ASSERT_TRUE(two.mixed());
  EXPECT_EQ(two.asked_first().kind.name, "teacher");
  EXPECT_EQ(two.asked_then().price, 3);
  EXPECT_TRUE(two.people());
  EXPECT_TRUE(two.is_teacher());
  EXPECT_EQ(two.when_words(), "where confidence < 0.6");
  EXPECT_EQ(two.contradiction(), "");
}

TEST(OracleRecipe, IsReadAgainAsItWasResolved) {
  for (const char* yaml :
       {"{kind: people}", "{first: teacher, then: people, when: entropy > 1}",
        "{first: {kind: model, path: a}, then: {kind: http, url: u, price: 2}, limit: "
        "{answers_per_round: 5, price: 30}, ask_again: true}"}) {
    const OracleRecipe once = recipe_of(yaml);
    EXPECT_EQ(recipe_of(resolved(once)), once) << resolved(once);
    EXPECT_EQ(once.contradiction(), "") << yaml;
  }
  EXPECT_EQ(resolved(recipe_of("{kind: people}")), resolved(recipe_of("{kind: people}").only))
      << "one oracle is written as before";
}

TEST(OracleRecipe, ABareWordNamesAKind) {
  OracleRecipe oracle;
  Document::text("oracle: people", "r.yaml").read_with([&](OptionVisitor& v) {
    v("oracle", oracle, "who answers");
  });
  EXPECT_EQ(oracle.only.kind.name, "people");
  const auto with = [](const std::string& set) {
    return Document::text("oracle: {first: teacher, then: people}", "r.yaml")
        .with({Override::parse(set)});
  };
  const auto read = [](const Document& document) {
    OracleRecipe oracle;
    document.read_with([&](OptionVisitor& v) { v("oracle", oracle, "who answers"); });
    return oracle;
  };
  EXPECT_EQ(read(with("oracle.then.price=2")).then->price, 2);
  EXPECT_EQ(read(with("oracle.then.price=2")).then->kind.name, "people");
  EXPECT_EQ(read(with("oracle.then.kind=truth")).then->kind.name, "truth");
  EXPECT_THAT(why_no_recipe("{first: teachr, then: people}"), HasSubstr("did you mean teacher?"));
}

TEST(OracleRecipe, RefusesContradictions) {
  const std::string two = "{first: teacher, then: people, ";
  EXPECT_THAT(why_no_recipe("{first: teacher}"), HasSubstr("without oracle.then"));
  EXPECT_THAT(why_no_recipe("{then: people}"), HasSubstr("without oracle.first"));
  EXPECT_THAT(why_no_recipe("{kind: people, when: margin < 0.2}"), HasSubstr("no effect"));
  EXPECT_THAT(why_no_recipe("{kind: people, limit: {answers: 2}}"), HasSubstr("no effect"));
  EXPECT_THAT(why_no_recipe(two + "kind: people, when: margin < 0.2}"),
              HasSubstr("oracle.kind stands beside"));
  EXPECT_THAT(why_no_recipe(two + "price: 2, when: margin < 0.2}"),
              HasSubstr("oracle.price and oracle.batch_size"));
  EXPECT_THAT(why_no_recipe("{first: people, then: teacher, when: margin < 0.2}"),
              HasSubstr("never unsure"));
  EXPECT_THAT(why_no_recipe("{first: teacher, then: teacher, when: margin < 0.2}"),
              HasSubstr("same oracle"));
  EXPECT_THAT(why_no_recipe("{first: teacher, then: people}"), HasSubstr("give oracle.when"));
  EXPECT_THAT(why_no_recipe(two + "when: sure < 1}"), HasSubstr("oracle.when = 'sure < 1'"));
  EXPECT_THAT(why_no_recipe(two + "limit: {}}"), HasSubstr("limits nothing"));
  EXPECT_THAT(why_no_recipe(two + "limit: {price: 2}}"), HasSubstr("costs nothing"));
  EXPECT_THAT(why_no_recipe(two + "limit: {answers: 0}}"), HasSubstr("leaves no answer"));
  EXPECT_THAT(why_no_recipe("{first: teacher, then: {kind: people, price: 5}, limit: {price: 4}}"),
              HasSubstr("leaves no answer"));
  EXPECT_THAT(why_no_recipe("{first: {kind: teacher, path: a}, then: people}"),
              HasSubstr("oracle.first.path has no effect with oracle.first.kind = teacher"));
  EXPECT_EQ(recipe_of("{first: http, then: people}").first->missing(),
            "oracle.first.kind = http needs oracle.first.url, such as "
            "http://host:8000/v2/models/NAME");
}

TEST(OracleRecipe, LimitsInAnswersAndInMoney) {
  const auto limit = [](const std::string& yaml) {
    return *recipe_of("{first: teacher, then: people, limit: " + yaml + "}").limit;
  };
  EXPECT_EQ(limit("{answers_per_round: 5}").in_round(2), 5);
  EXPECT_EQ(limit("{answers_per_round: 5, price_per_round: 7}").in_round(2), 3);
  EXPECT_EQ(limit("{price: 0.3}").in_all(0.1), 3) << "0.3 / 0.1 is less than 3 in doubles";
  EXPECT_EQ(limit("{price: 0.3, answers: 2}").in_all(0.1), 2);
  EXPECT_GT(limit("{answers: 2}").in_round(1), 1'000'000'000);
}

}  // namespace
}  // namespace distal
