#include "distal/people/consensus.h"

#include <cmath>

#include <gmock/gmock.h>

#include "distal/base/random.h"
#include "distal/evaluation/statistics.h"

namespace distal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Crowd {
  std::vector<int64_t> truth;
  std::vector<Said> said;
  std::vector<double> skill;
};

// Each item is answered by `per_item` of the people. A person is right with a skill from 70 to 95
// %; a biased one says one class of his own where he errs, the others any other class.
Crowd crowd_of(uint64_t seed, int64_t items, int64_t people, int64_t per_item, int64_t classes) {
  Random random = Random(seed).stream("crowd");
  Crowd crowd;
  for (int64_t p = 0; p < people; ++p) crowd.skill.push_back(random.uniform(0.7, 0.95));
  for (int64_t item = 0; item < items; ++item) {
    const int64_t truth = random.below(classes);
    crowd.truth.push_back(truth);
    for (const int64_t p : random.choose(people, per_item)) {
      int64_t label = truth;
      if (random.uniform() >= crowd.skill[static_cast<size_t>(p)])
        label = p % 3 == 0 ? p % classes : (truth + 1 + random.below(classes - 1)) % classes;
      crowd.said.push_back({item, p, label});
    }
  }
  return crowd;
}

double accuracy_of(const Consensus& consensus, const std::vector<int64_t>& truth) {
  double right = 0;
  for (int64_t i = 0; i < std::ssize(truth); ++i)
    right += consensus.label(i) == truth[static_cast<size_t>(i)];
  return right / static_cast<double>(truth.size());
}

// A tie is as good as a draw among its winners.
double accuracy_of(const std::vector<MajorityVote>& votes, const std::vector<int64_t>& truth) {
  double right = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    for (const int64_t winner : votes[i].winners)
      right += winner == truth[i] ? 1.0 / static_cast<double>(votes[i].winners.size()) : 0;
  }
  return right / static_cast<double>(truth.size());
}

TEST(MajorityVoteTest, NamesTiesAndItemsWithoutAnswers) {
  const auto votes =
      majority_votes({{0, 0, 2}, {0, 1, 2}, {0, 2, 1}, {1, 0, 0}, {1, 1, 2}, {3, 0, 1}}, 4, 3);
  EXPECT_THAT(votes[0].winners, ElementsAre(2));
  EXPECT_EQ(votes[0].label(), 2);
  EXPECT_THAT(votes[1].winners, ElementsAre(0, 2));
  EXPECT_EQ(votes[1].label(), -1);
  EXPECT_THAT(votes[2].winners, IsEmpty());
  EXPECT_EQ(votes[2].label(), -1);
  EXPECT_THAT(votes[3].votes, ElementsAre(0, 1, 0));
}

TEST(DawidSkene, IsTheEmOfThePaperWithoutAPrior) {
  // Two steps written out by hand for two items, two people, two classes: both say 0 of the first
  // item; of the second the first person says 0, the other 1.
  const std::vector<Said> said = {{0, 0, 0}, {0, 1, 0}, {1, 0, 0}, {1, 1, 1}};
  const auto step = [&](int64_t iterations) {
    return dawid_skene(said, 2, 2, 2,
                       {.spread = 0,
                        .right = 0,
                        .class_spread = 0,
                        .tolerance = 0,
                        .most_iterations = iterations});
  };
  const auto first = step(1);
  // Posteriors at the start: (1, 0), (1/2, 1/2). Shares: 3/4, 1/4.
  EXPECT_THAT(first.class_shares, ElementsAre(0.75, 0.25));
  EXPECT_THAT(first.confusion[0][0], ElementsAre(1, 0));
  EXPECT_THAT(first.confusion[0][1], ElementsAre(1, 0));
  EXPECT_NEAR(first.confusion[1][0][0], 2.0 / 3, 1e-12);
  EXPECT_THAT(first.confusion[1][1], ElementsAre(0, 1));
  // Item 1: 3/4 * 1 * 1/3 = 1/4 against 1/4 * 1 * 1.
  EXPECT_NEAR(first.posterior[1][0], 0.5, 1e-12);
  EXPECT_NEAR(first.posterior[0][0], 1, 1e-12);
  EXPECT_EQ(first.iterations, 1);
}

TEST(DawidSkene, PriorsStandInEveryCell) {
  const auto result = dawid_skene({{0, 0, 0}}, 1, 2, 2, {.most_iterations = 1});
  // One answer, posterior (1, 0): (1 + .1 + 1) / (1 + .2 + 1), and a person without answers.
  EXPECT_NEAR(result.confusion[0][0][0], 2.1 / 2.2, 1e-12);
  EXPECT_NEAR(result.confusion[1][0][0], 1.1 / 1.2, 1e-12);
  EXPECT_NEAR(result.class_shares[0], 1.1 / 1.2, 1e-12);
}

TEST(DawidSkene, ObjectiveNeverFallsAndItConverges) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Crowd crowd = crowd_of(seed, 80, 5, 3, 4);
    const auto result = dawid_skene(crowd.said, 80, 5, 4);
    EXPECT_TRUE(result.converged) << seed;
    EXPECT_LT(result.iterations, 500);
    for (size_t i = 1; i < result.log_posterior.size(); ++i)
      EXPECT_GE(result.log_posterior[i], result.log_posterior[i - 1] - 1e-9);
    for (const auto& row : result.posterior) {
      double sum = 0;
      for (const double p : row) sum += p;
      EXPECT_NEAR(sum, 1, 1e-12);
    }
  }
}

TEST(DawidSkene, SameAnswersGiveTheSameBits) {
  const Crowd crowd = crowd_of(3, 60, 5, 3, 4);
  const auto one = dawid_skene(crowd.said, 60, 5, 4);
  const auto other = dawid_skene(crowd.said, 60, 5, 4);
  EXPECT_EQ(one.posterior, other.posterior);
  EXPECT_EQ(one.confusion, other.confusion);
}

TEST(DawidSkene, FindsHowEachPersonErrs) {
  const Crowd crowd = crowd_of(11, 4000, 6, 4, 3);
  const auto result = dawid_skene(crowd.said, 4000, 6, 3);
  for (size_t p = 0; p < 6; ++p) {
    double diagonal = 0;
    for (size_t k = 0; k < 3; ++k) diagonal += result.confusion[p][k][k] / 3;
    // A biased person's own class is right even where he errs.
    const double skill = p % 3 == 0 ? crowd.skill[p] + (1 - crowd.skill[p]) / 3 : crowd.skill[p];
    EXPECT_NEAR(diagonal, skill, 0.03) << p;
  }
  // Person 3 is biased to class 0: of class 1 he says 0 where he errs, and never 2.
  EXPECT_NEAR(result.confusion[3][1][0], 1 - crowd.skill[3], 0.04);
  EXPECT_LT(result.confusion[3][1][2], 0.02);
}

TEST(DawidSkene, OneGoodPersonOutweighsTwoWhoErrTheSameWay) {
  // Persons 0 to 2 answer all of 200 items; 1 and 2 say 0 whatever it is in half of the cases.
  Random random(5);
  std::vector<Said> said;
  std::vector<int64_t> truth;
  for (int64_t item = 0; item < 200; ++item) {
    truth.push_back(item % 2);
    said.push_back({item, 0, random.uniform() < 0.97 ? item % 2 : 1 - item % 2});
    for (const int64_t person : {1, 2})
      said.push_back({item, person, random.uniform() < 0.5 ? 0 : item % 2});
  }
  const auto result = dawid_skene(said, 200, 3, 2);
  EXPECT_GT(accuracy_of(result, truth), 0.95);
  EXPECT_LT(accuracy_of(result.majority, truth), 0.9);
}

TEST(DawidSkene, IsAboveMajorityVoteWherePeopleErr) {
  for (const int64_t per_item : {3, 5}) {
    std::vector<double> consensus;
    std::vector<double> majority;
    int64_t above = 0;
    int64_t below = 0;
    for (uint64_t seed = 0; seed < 60; ++seed) {
      const Crowd crowd = crowd_of(seed, 200, 7, per_item, 4);
      const auto result = dawid_skene(crowd.said, 200, 7, 4);
      consensus.push_back(accuracy_of(result, crowd.truth));
      majority.push_back(accuracy_of(result.majority, crowd.truth));
      above += consensus.back() > majority.back();
      below += consensus.back() < majority.back();
    }
    const PairedTest test = paired_t_test(consensus, majority);
    RecordProperty(fmt::format("difference_of_{}", per_item),
                   fmt::format("{}", test.difference.mean));
    EXPECT_GT(test.difference.mean, 0);
    EXPECT_LT(test.p, 0.05) << summarise(consensus).mean << " " << summarise(majority).mean;
    EXPECT_GT(above, 2 * below);
  }
}

TEST(DawidSkene, ItemsAndPersonsWithoutAnswersStayUnknown) {
  const auto result = dawid_skene({{0, 0, 1}, {0, 1, 1}, {2, 0, 0}, {2, 1, 0}}, 3, 4, 2);
  EXPECT_EQ(result.label(1), -1);
  EXPECT_EQ(result.posterior[1], result.class_shares);
  EXPECT_EQ(result.label(0), 1);
  EXPECT_EQ(result.label(2), 0);
  EXPECT_EQ(result.confusion.size(), 4u);
  const auto nothing = dawid_skene({}, 2, 0, 3);
  EXPECT_EQ(nothing.label(0), -1);
  for (const double share : nothing.class_shares) EXPECT_NEAR(share, 1.0 / 3, 1e-12);
  EXPECT_TRUE(nothing.converged);
}

TEST(DawidSkene, ThousandsOfAnswersToAnItemDoNotUnderflow) {
  std::vector<Said> said;
  for (int64_t person = 0; person < 5000; ++person)
    said.push_back({0, person, person % 5 == 0 ? 0 : 1});
  const auto result = dawid_skene(said, 1, 5000, 2);
  EXPECT_EQ(result.label(0), 1);
  EXPECT_TRUE(std::isfinite(result.log_posterior.back()));
}

}  // namespace
}  // namespace distal
