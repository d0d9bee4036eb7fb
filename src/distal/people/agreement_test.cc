#include "distal/people/agreement.h"

#include <cmath>

#include <gmock/gmock.h>

#include "distal/base/random.h"

namespace distal {
namespace {

using testing::HasSubstr;

// rows[person][item], 0 where there is no answer, classes from 1.
std::vector<Said> said_of(const std::vector<std::vector<int64_t>>& rows) {
  std::vector<Said> said;
  for (int64_t person = 0; person < std::ssize(rows); ++person) {
    for (int64_t item = 0; item < std::ssize(rows[person]); ++item) {
      if (rows[person][item] > 0) said.push_back({item, person, rows[person][item] - 1});
    }
  }
  return said;
}

// counts[item][class]; persons take their answers in the order of the classes.
std::vector<Said> said_of_counts(const std::vector<std::vector<int64_t>>& counts) {
  std::vector<Said> said;
  for (int64_t item = 0; item < std::ssize(counts); ++item) {
    int64_t person = 0;
    for (int64_t label = 0; label < std::ssize(counts[item]); ++label) {
      for (int64_t n = 0; n < counts[item][label]; ++n) said.push_back({item, person++, label});
    }
  }
  return said;
}

// table[i][j]: person 0 said i, person 1 said j.
std::vector<Said> said_of_table(const std::vector<std::vector<int64_t>>& table) {
  std::vector<Said> said;
  int64_t item = 0;
  for (int64_t i = 0; i < std::ssize(table); ++i) {
    for (int64_t j = 0; j < std::ssize(table); ++j) {
      for (int64_t n = 0; n < table[i][j]; ++n, ++item) {
        said.push_back({item, 0, i});
        said.push_back({item, 1, j});
      }
    }
  }
  return said;
}

// K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, example C: four observers,
// twelve units.
const std::vector<std::vector<int64_t>> kObservers = {{1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0},
                                                      {1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3},
                                                      {0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0},
                                                      {1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0}};

// https://en.wikipedia.org/wiki/Fleiss%27_kappa: fourteen raters, ten subjects, five classes.
const std::vector<std::vector<int64_t>> kFourteenRaters = {
    {0, 0, 0, 0, 14}, {0, 2, 6, 4, 2}, {0, 0, 3, 5, 6}, {0, 3, 9, 2, 0}, {2, 2, 8, 1, 1},
    {7, 7, 0, 0, 0},  {3, 2, 6, 3, 0}, {2, 5, 3, 2, 2}, {6, 5, 2, 1, 0}, {0, 2, 2, 3, 7}};

TEST(CohenKappa, IsThatOfTheWorkedExample) {
  // Fifty proposals: 20 and 15 alike, .70 observed, .50 by chance.
  const auto kappa = cohen_kappa(said_of_table({{20, 5}, {10, 15}}), 0, 1, 2);
  EXPECT_NEAR(*kappa.value, 0.4, 1e-12);
  EXPECT_NEAR(kappa.observed, 0.7, 1e-12);
  EXPECT_NEAR(kappa.expected, 0.5, 1e-12);
  EXPECT_EQ(kappa.items, 50);
  EXPECT_EQ(kappa.answers, 100);
  // The standard error .126996 by numeric differentiation of kappa over the cells.
  EXPECT_NEAR(kappa.interval->low, 0.151092, 2e-6);
  EXPECT_NEAR(kappa.interval->high, 0.648908, 2e-6);
}

TEST(CohenKappa, HasTheStandardErrorOfThreeClasses) {
  const auto kappa = cohen_kappa(said_of_table({{88, 14, 18}, {10, 40, 10}, {2, 6, 12}}), 0, 1, 3);
  EXPECT_NEAR(*kappa.value, 0.4915254, 1e-7);
  EXPECT_NEAR(kappa.interval->low, 0.391564, 2e-6);
  EXPECT_NEAR(kappa.interval->high, 0.591487, 2e-6);
}

TEST(CohenKappa, TakesTheItemsOfBothAndNoOthers) {
  auto said = said_of_table({{20, 5}, {10, 15}});
  for (int64_t item = 50; item < 60; ++item) said.push_back({item, item % 2, 0});
  for (int64_t item = 0; item < 50; ++item) said.push_back({item, 2, 1});
  EXPECT_NEAR(*cohen_kappa(said, 0, 1, 2).value, 0.4, 1e-12);
  EXPECT_NEAR(*cohen_kappa(said, 1, 0, 2).value, 0.4, 1e-12);
}

TEST(FleissKappa, IsThatOfTheWorkedExample) {
  const auto kappa = fleiss_kappa(said_of_counts(kFourteenRaters), 5);
  EXPECT_NEAR(*kappa.value, 0.20993, 5e-6);
  EXPECT_NEAR(kappa.observed, 0.37802, 5e-6);
  EXPECT_NEAR(kappa.expected, 0.21276, 5e-6);
  EXPECT_EQ(kappa.items, 10);
  EXPECT_EQ(kappa.answers, 140);
  // Gwet's irrCAC 0.4.4 gives the same interval.
  EXPECT_NEAR(kappa.interval->low, 0.00097, 5e-6);
  EXPECT_NEAR(kappa.interval->high, 0.41889, 5e-6);
}

TEST(FleissKappa, TakesItemsOfDifferentNumbersOfAnswers) {
  // irrCAC on the table of Krippendorff's example: .76117, standard error .15302.
  const auto kappa = fleiss_kappa(said_of(kObservers), 5);
  EXPECT_NEAR(*kappa.value, 0.76117, 5e-6);
  EXPECT_NEAR(kappa.interval->low, 0.42438, 5e-6);
  EXPECT_EQ(kappa.interval->high, 1);
  EXPECT_EQ(kappa.items, 11);
  EXPECT_EQ(kappa.answers, 40);
}

TEST(FleissKappa, TakesItemsWithOneAnswerByTheirClassesAlone) {
  std::vector<Said> all = said_of(kObservers);
  const std::vector<int64_t> others = {4, 0, 2, 1, 0};
  const Agreement counted = fleiss_kappa(all, 5, others);
  int64_t item = 1000;
  for (int64_t k = 0; k < std::ssize(others); ++k) {
    for (int64_t n = 0; n < others[k]; ++n) all.push_back({item++, 0, k});
  }
  const Agreement listed = fleiss_kappa(all, 5);
  EXPECT_NEAR(*counted.value, *listed.value, 1e-12);
  EXPECT_NEAR(counted.interval->low, listed.interval->low, 1e-12);
  EXPECT_NEAR(counted.interval->high, listed.interval->high, 1e-12);
  EXPECT_EQ(counted.items, listed.items);
  EXPECT_GT(std::abs(*counted.value - *fleiss_kappa(said_of(kObservers), 5).value), 1e-3);
}

TEST(KrippendorffAlpha, IsThatOfTheWorkedExample) {
  // Krippendorff prints .743; PyPI's krippendorff 0.8 gives .743421052631579.
  const auto alpha = krippendorff_alpha(said_of(kObservers), 5);
  EXPECT_NEAR(*alpha.value, 0.743421052631579, 1e-12);
  EXPECT_EQ(alpha.items, 11);
  EXPECT_EQ(alpha.answers, 40);
  // irrCAC: standard error .14557.
  EXPECT_NEAR(alpha.interval->low, 0.41906, 5e-6);
  EXPECT_EQ(alpha.interval->high, 1);
}

TEST(KrippendorffAlpha, IsThatOfTheOtherExampleToo) {
  const auto alpha = krippendorff_alpha(said_of_counts(kFourteenRaters), 5);
  EXPECT_NEAR(*alpha.value, 0.21557, 5e-6);
  EXPECT_NEAR(alpha.interval->low, 0.00662, 5e-6);
  EXPECT_NEAR(alpha.interval->high, 0.42453, 5e-6);
}

TEST(AgreementTest, IsUnknownWithoutOverlapAndWithOneClass) {
  const std::vector<Said> apart = {{0, 0, 0}, {1, 1, 1}, {2, 0, 1}};
  const std::vector<Said> alike = {{0, 0, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}};
  for (const auto& unknown :
       {cohen_kappa(apart, 0, 1, 2), fleiss_kappa(apart, 2), krippendorff_alpha(apart, 2),
        cohen_kappa({}, 0, 1, 2), fleiss_kappa({}, 2), krippendorff_alpha({}, 2)}) {
    EXPECT_FALSE(unknown.value);
    EXPECT_FALSE(unknown.interval);
    EXPECT_EQ(unknown.items, 0);
    EXPECT_THAT(unknown.unknown, HasSubstr("no item"));
  }
  for (const auto& unknown :
       {cohen_kappa(alike, 0, 1, 2), fleiss_kappa(alike, 2), krippendorff_alpha(alike, 2)}) {
    EXPECT_FALSE(unknown.value);
    EXPECT_EQ(unknown.items, 2);
    EXPECT_THAT(unknown.unknown, HasSubstr("only one class"));
  }
}

TEST(AgreementTest, PerfectAgreementIsOneWithoutAnInterval) {
  const std::vector<Said> said = {{0, 0, 1}, {0, 1, 1}, {1, 0, 0}, {1, 1, 0}, {2, 0, 2}, {2, 1, 2}};
  for (const auto& agreement :
       {cohen_kappa(said, 0, 1, 3), fleiss_kappa(said, 3), krippendorff_alpha(said, 3)}) {
    EXPECT_NEAR(*agreement.value, 1, 1e-12);
    EXPECT_FALSE(agreement.interval);
  }
}

TEST(AgreementTest, ContradictionIsBelowZero) {
  const std::vector<Said> said = {{0, 0, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}};
  EXPECT_NEAR(*cohen_kappa(said, 0, 1, 2).value, -1, 1e-12);
  EXPECT_NEAR(*fleiss_kappa(said, 2).value, -1, 1e-12);
  EXPECT_LT(*krippendorff_alpha(said, 2).value, 0);
}

TEST(AgreementTest, DoesNotDependOnTheOrderOfAnswers) {
  const auto said = said_of(kObservers);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    std::vector<Said> shuffled;
    for (const int64_t at : Random(seed).permutation(std::ssize(said)))
      shuffled.push_back(said[static_cast<size_t>(at)]);
    EXPECT_EQ(*fleiss_kappa(shuffled, 5).value, *fleiss_kappa(said, 5).value);
    EXPECT_EQ(*krippendorff_alpha(shuffled, 5).value, *krippendorff_alpha(said, 5).value);
    EXPECT_EQ(*cohen_kappa(shuffled, 1, 3, 5).value, *cohen_kappa(said, 1, 3, 5).value);
  }
}

TEST(AgreementTest, IntervalsCoverWhatManyItemsGive) {
  // Three people of 80 % among three classes; the value of 20,000 items stands for the truth.
  const auto draw = [](uint64_t seed, int64_t items) {
    Random random = Random(seed).stream("agreement");
    std::vector<Said> said;
    for (int64_t item = 0; item < items; ++item) {
      const int64_t truth = random.below(3);
      for (int64_t person = 0; person < 3; ++person)
        said.push_back({item, person, random.uniform() < 0.7 ? truth : random.below(3)});
    }
    return said;
  };
  const auto many = draw(999, 20'000);
  const double fleiss = *fleiss_kappa(many, 3).value;
  const double alpha = *krippendorff_alpha(many, 3).value;
  const double cohen = *cohen_kappa(many, 0, 1, 3).value;
  std::vector<int> covered(3);
  const auto covers = [](const Agreement& agreement, double truth) {
    return agreement.interval->low <= truth && truth <= agreement.interval->high;
  };
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto said = draw(seed, 60);
    covered[0] += covers(fleiss_kappa(said, 3), fleiss);
    covered[1] += covers(krippendorff_alpha(said, 3), alpha);
    covered[2] += covers(cohen_kappa(said, 0, 1, 3), cohen);
  }
  for (const int times : covered) {
    EXPECT_GE(times, 180);  // of 200; 190 expected, standard deviation 3
    EXPECT_LE(times, 199);
  }
}

TEST(IntraRaterTest, CountsRepeatsThatAreTheSame) {
  std::vector<Repeat> repeats;
  for (int i = 0; i < 10; ++i) repeats.push_back({7, i % 2, i < 8 ? i % 2 : 1 - i % 2});
  const auto rater = intra_rater(repeats, 2);
  EXPECT_EQ(rater.repeats, 10);
  EXPECT_EQ(rater.same, 8);
  EXPECT_NEAR(*rater.share, 0.8, 1e-12);
  // Wilson's interval of 8 of 10.
  EXPECT_NEAR(rater.interval->low, 0.490162, 1e-6);
  EXPECT_NEAR(rater.interval->high, 0.943318, 1e-6);
  EXPECT_NEAR(*rater.kappa.value, 0.6, 1e-12);  // .8 observed, .5 by chance
}

TEST(IntraRaterTest, IsUnknownWithoutRepeatsAndKeepsPersonsApart) {
  const auto none = intra_rater({}, 3);
  EXPECT_FALSE(none.share);
  EXPECT_FALSE(none.interval);
  EXPECT_FALSE(none.kappa.value);
  const auto by = intra_rater_by_person({{4, 0, 0}, {2, 1, 0}, {4, 1, 1}, {2, 1, 1}}, 2);
  ASSERT_EQ(by.size(), 2u);
  EXPECT_NEAR(*by.at(4).share, 1, 1e-12);
  EXPECT_NEAR(*by.at(2).share, 0.5, 1e-12);
  EXPECT_LT(by.at(4).interval->low, 0.5);  // two repeats prove little
}

}  // namespace
}  // namespace distal
