#include "distal/report/limits.h"

#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Two arms, ten seeds, 400 test clips of 100 groups and two classes: nothing limits what they
/// show.
Results sound(int64_t seeds = 10) {
  Results results;
  results.classes = {"walk", "run"};
  results.test_clips = 400;
  for (int64_t clip = 0; clip < 400; ++clip) {
    results.test_groups.push_back(std::to_string(clip % 100));
    results.test_classes.push_back(clip % 2);
  }
  for (int64_t seed = 0; seed < seeds; ++seed) {
    for (const bool control : {true, false}) {
      Trial trial{control ? "random" : "margin", seed, control, {}};
      for (int64_t r = 0; r < 3; ++r) {
        RoundResult round;
        round.round = r;
        round.answers = 10 * (r + 1);
        const int64_t right = r == 0 ? 300 : 320 + (control ? 0 : 20) + seed % 2;
        for (int64_t clip = 0; clip < 400; ++clip) round.metrics.correct.push_back(clip < right);
        round.metrics.accuracy = static_cast<double>(right) / 400;
        round.loss_fall = 0.01;
        trial.rounds.push_back(round);
      }
      results.trials.push_back(trial);
    }
  }
  return results;
}

std::vector<std::string> names(const Results& results) {
  std::vector<std::string> out;
  for (const Limit& limit : limits(Summary(results))) out.push_back(limit.name);
  return out;
}

Limit of(const Results& results, const std::string& name) {
  for (const Limit& limit : limits(Summary(results))) {
    if (limit.name == name) return limit;
  }
  ADD_FAILURE() << "no limit " << name;
  return {};
}

TEST(Limits, SoundResultsHaveNone) {
  EXPECT_THAT(names(sound()), IsEmpty());
  EXPECT_THAT(names({}), IsEmpty());
}

TEST(Limits, FewSeedsSayHowWellADifferenceIsKnown) {
  const Limit two = of(sound(2), "seeds");
  EXPECT_EQ(two.number, 2);
  EXPECT_THAT(two.says, HasSubstr("2 seeds were run. The difference between margin and random"));
  EXPECT_THAT(two.cure, HasSubstr("seeds"));
  EXPECT_THAT(of(sound(1), "seeds").says, HasSubstr("1 seed was run. There is no interval"));
  EXPECT_THAT(names(sound(5)), Not(Contains("seeds")));
}

TEST(Limits, TestGroupsLimitMoreThanSeeds) {
  Results results = sound();
  // The clips that tell the arms apart are all of three groups.
  for (size_t clip = 0; clip < 400; ++clip)
    results.test_groups[clip] = std::to_string(clip < 320 ? clip / 2 % 10 : clip / 2 % 3);
  const Limit ten = of(results, "test_groups");
  EXPECT_EQ(ten.number, 10);
  EXPECT_THAT(ten.says, HasSubstr("10 groups (source videos or patients). They limit more"));
  results.test_groups.assign(400, "one");
  EXPECT_THAT(of(results, "test_groups").says, HasSubstr("1 group (source videos or patients). "
                                                         "With fewer than 6 nothing is said"));
}

TEST(Limits, AClassWithOneTestVideoIsNamed) {
  Results results = sound();
  results.classes = {"walk", "run", "jump"};
  for (size_t clip = 0; clip < 400; ++clip) {
    results.test_classes[clip] = clip % 100 == 7 ? 2 : static_cast<int64_t>(clip % 2);
  }
  const Limit jump = of(results, "test_groups_of_class");
  EXPECT_EQ(jump.number, 1);
  EXPECT_THAT(jump.says, HasSubstr("Of jump there is 1 group to test on"));
  results.classes.push_back("hop");
  EXPECT_EQ(of(results, "test_groups_of_class").number, 0);
  results.test_classes.clear();  // of an older version
  EXPECT_THAT(names(results), Not(Contains("test_groups_of_class")));
}

TEST(Limits, FewTestClipsSayWhatOneIsWorth) {
  Results results = sound();
  results.test_clips = 48;
  EXPECT_THAT(of(results, "test_clips").says, HasSubstr("one clip is 2.1 points"));
}

TEST(Limits, AnswersThatAreWrongAndPeopleWhoWereNotChecked) {
  Results results = sound();
  for (Trial& trial : results.trials) trial.rounds[1].answer_accuracy = 0.69;
  const Limit wrong = of(results, "wrong_answers");
  EXPECT_NEAR(wrong.number, 0.31, 1e-9);
  EXPECT_THAT(wrong.says, HasSubstr("31\u00A0% of the answers"));
  EXPECT_THAT(wrong.cure, HasSubstr("Train the teacher"));
  results.people = {{"ann", 40}};
  EXPECT_THAT(of(results, "wrong_answers").cure, HasSubstr("several people"));
  EXPECT_THAT(of(results, "one_person").says, HasSubstr("1 person gave all 40 answers of people"));
  results.people.push_back({"bob", 20});
  EXPECT_THAT(of(results, "one_person").says, HasSubstr("0 clips were answered by two"));
  results.answered_twice = 4;
  EXPECT_THAT(names(results), ElementsAre("wrong_answers"));
}

TEST(Limits, StudentsThatWereStillLearning) {
  Results results = sound();
  for (Trial& trial : results.trials) {
    if (trial.arm == "margin") trial.rounds.back().loss_fall = 0.2;
  }
  const Limit plateau = of(results, "plateau");
  EXPECT_NEAR(plateau.number, 0.2, 1e-9);
  EXPECT_THAT(plateau.says, AllOf(HasSubstr("20\u00A0%"), HasSubstr("(margin)")));
  for (Trial& trial : results.trials) trial.rounds.back().loss_fall = NAN;
  EXPECT_THAT(names(results), IsEmpty());
}

TEST(Limits, TheLastRoundAndTheFirstStudent) {
  Results results = sound();
  for (Trial& trial : results.trials) {
    for (auto& right : trial.rounds[0].metrics.correct) right = 0;
    trial.rounds[0].metrics.accuracy = 0.5;
    trial.rounds[1].metrics.accuracy -= 0.1;
  }
  EXPECT_THAT(of(results, "first_student").says,
              HasSubstr("right in 50.0\u00A0%, and chance is 50.0\u00A0%"));
  EXPECT_THAT(of(results, "budget").says, HasSubstr("added +10.0 points to margin"));
}

TEST(Limits, OneTeacherMissingRunsHiddenLabelsAndVideos) {
  Results results = sound();
  for (Trial& trial : results.trials) trial.taught = true;
  results.trials.pop_back();
  results.start_draw = "4 evenly over the classes by hidden labels, as nobody could";
  results.quarantined = {{"a.mp4", "empty"}};
  EXPECT_THAT(names(results),
              ElementsAre("one_teacher", "missing_runs", "start_draw", "unusable_videos"));
  EXPECT_THAT(of(results, "missing_runs").says, HasSubstr("1 run is missing"));
}

TEST(Limits, ManyComparisonsAtOnce) {
  Results results = sound();
  const std::vector<Trial> trials = results.trials;
  for (int arm = 0; arm < 11; ++arm) {
    for (Trial trial : trials) {
      if (trial.control) continue;
      trial.arm = fmt::format("arm {}", arm);
      results.trials.push_back(trial);
    }
  }
  EXPECT_THAT(of(results, "many_arms").says, HasSubstr("12 differences are tested at once"));
}

}  // namespace
}  // namespace distal
