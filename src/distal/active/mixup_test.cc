// Active Mixup by hand: the pool's pairs counted, the least confident lambda from a student in
// closed form, the stream against a full sort.

#include <set>

#include <gmock/gmock.h>

#include "distal/active/mixup.h"
#include "distal/base/hash.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pointwise;
using ::testing::SizeIs;

using Pair = std::pair<int64_t, int64_t>;
using Row = std::tuple<int64_t, int64_t, double>;

MixupOptions by(const std::string& criterion, int64_t batch = 2048, int64_t pairs = 0) {
  MixupOptions options;
  options.criterion = criterion;
  options.batch = batch;
  options.pairs = pairs;
  return options;
}

// Images of one number x in [0, 1]; the student says (x, 1 - x), least confident at x = 0.5.
torch::Tensor two_classes(const torch::Tensor& mixes) { return torch::cat({mixes, 1 - mixes}, 1); }

// Confidences without order: the fraction of a hash of (i, j, lambda), many ties among them.
Confidence scattered() {
  return [](const torch::Tensor& i, const torch::Tensor& j, const torch::Tensor& lambdas) {
    auto scores = torch::empty({i.size(0), lambdas.size(0)});
    for (int64_t b = 0; b < i.size(0); ++b) {
      for (int64_t t = 0; t < lambdas.size(0); ++t)
        scores[b][t] =
            static_cast<float>(
                mix64(i[b].item<int64_t>() * 1000003 + j[b].item<int64_t>() * 101 + t) % 997) /
            997;
    }
    return scores;
  };
}

std::vector<Row> rows(const std::vector<Mix>& mixes) {
  std::vector<Row> rows;
  for (const Mix& mix : mixes) rows.emplace_back(mix.i, mix.j, mix.lambda);
  return rows;
}

std::set<Pair> pairs_of(const std::vector<Mix>& mixes) {
  std::set<Pair> pairs;
  for (const Mix& mix : mixes) pairs.emplace(mix.i, mix.j);
  return pairs;
}

TEST(Mixup, PoolHasThePublishedNumberOfPairs) {
  EXPECT_EQ(MixPool(1000, {}).pairs(), 499'000);
  EXPECT_EQ(MixPool(2000, {}).pairs(), 1'998'000);
  EXPECT_EQ(MixPool(3, {}).pairs(), 3);
  EXPECT_THAT(error_of([] { MixPool(2, {}); }), HasSubstr("2 clips"));
}

TEST(Mixup, PairsAreDistinctAndOnlyAntipodesAreMissing) {
  for (const int64_t clips : {3, 4, 5, 10, 11}) {
    const MixPool pool(clips, {});
    std::set<Pair> unordered;
    for (int64_t number = 0; number < pool.pairs(); ++number) {
      const auto [i, j] = pool.pair(number);
      EXPECT_NE(i, j);
      unordered.emplace(std::min(i, j), std::max(i, j));
    }
    const int64_t all = clips * (clips - 1) / 2;
    const int64_t antipodes = clips % 2 == 0 ? clips / 2 : 0;
    EXPECT_EQ(std::ssize(unordered), pool.pairs());
    EXPECT_EQ(pool.pairs(), all - antipodes) << clips << " clips";
  }
  EXPECT_EQ(MixPool(10, {}).pair(12), Pair(2, 4)) << "shift 2";
  EXPECT_EQ(MixPool(10, {}).pair(39), Pair(9, 3)) << "shift 4";
}

TEST(Mixup, GridIsThePublishedOne) {
  EXPECT_THAT(MixupOptions().lambdas(), Pointwise(DoubleNear(1e-12), {.30, .34, .38, .42, .46, .50,
                                                                      .54, .58, .62, .66, .70}));
  MixupOptions coarse;
  coarse.lambda_step = 0.1;
  EXPECT_THAT(coarse.lambdas(), SizeIs(5));
}

TEST(Mixup, TakesTheLeastConfidentLambdaOfEachPair) {
  // Pairs (0, 1), (1, 2), (2, 0) of x = 0.8, 0, 0.4. The mix 0.8 lambda is nearest to 0.5 at 0.62:
  // 0.496. 0.4 (1 - lambda) is at most 0.28, at 0.3; 0.4 lambda + 0.8 (1 - lambda) = 0.8 - 0.4
  // lambda at least 0.52, at 0.7.
  const auto x = torch::tensor({0.8f, 0.0f, 0.4f}).unsqueeze(1);
  const auto selection = MixPool(3, by("c2")).select(confidence_of(x, two_classes), 3, Random(1));
  ASSERT_THAT(selection.mixes, SizeIs(3));
  EXPECT_EQ(selection.forwards, 33);
  const std::vector<Mix> expected = {{0, 1, 0.62, 0.504}, {2, 0, 0.70, 0.52}, {1, 2, 0.30, 0.72}};
  for (size_t row = 0; row < 3; ++row) {
    EXPECT_EQ(selection.mixes[row].i, expected[row].i);
    EXPECT_EQ(selection.mixes[row].j, expected[row].j);
    EXPECT_NEAR(selection.mixes[row].lambda, expected[row].lambda, 1e-9);
    EXPECT_NEAR(selection.mixes[row].score, expected[row].score, 1e-6);
  }
}

TEST(Mixup, C2TakesOneMixOfAPairAndC1Several) {
  const auto x = torch::tensor({0.8f, 0.0f, 0.4f}).unsqueeze(1);
  const auto confidence = confidence_of(x, two_classes);
  EXPECT_THAT(pairs_of(MixPool(3, by("c2")).select(confidence, 9, Random(1)).mixes), SizeIs(3));
  const auto several = MixPool(3, by("c1")).select(confidence, 4, Random(1)).mixes;
  // 0.8 lambda: 0.496, 0.528, 0.464; and 0.8 - 0.4 lambda = 0.52 at 0.70, before 0.528.
  ASSERT_THAT(several, SizeIs(4));
  EXPECT_THAT(pairs_of(several), ElementsAre(Pair(0, 1), Pair(2, 0)));
  EXPECT_EQ(several[1].j, 0);
  EXPECT_NEAR(several[2].lambda, 0.66, 1e-9);
  EXPECT_NEAR(several[3].lambda, 0.58, 1e-9);
}

TEST(Mixup, StreamKeepsWhatAFullSortWouldPutFirst) {
  const auto confidence = scattered();
  for (const std::string criterion : {"c1", "c2"}) {
    const MixPool pool(31, by(criterion));
    const auto lambdas = torch::tensor(MixupOptions().lambdas(), torch::kFloat32);
    std::vector<std::tuple<float, int64_t, int64_t>> all;
    for (int64_t number = 0; number < pool.pairs(); ++number) {
      const auto [i, j] = pool.pair(number);
      const auto scores = confidence(torch::tensor({i}), torch::tensor({j}), lambdas)[0];
      std::vector<std::tuple<float, int64_t, int64_t>> of_pair;
      for (int64_t t = 0; t < 11; ++t) of_pair.emplace_back(scores[t].item<float>(), number, t);
      if (criterion == "c2")
        all.push_back(*std::min_element(of_pair.begin(), of_pair.end()));
      else
        all.insert(all.end(), of_pair.begin(), of_pair.end());
    }
    std::sort(all.begin(), all.end());
    for (const int64_t count : {1, 100, 465}) {
      std::vector<Row> first;
      for (int64_t row = 0; row < count; ++row) {
        const auto [score, number, t] = all[row];
        first.emplace_back(pool.pair(number).first, pool.pair(number).second,
                           MixupOptions().lambdas()[t]);
      }
      for (const int64_t batch : {1, 100, 2048})
        EXPECT_EQ(
            rows(MixPool(31, by(criterion, batch)).select(confidence, count, Random(1)).mixes),
            first)
            << criterion << ", " << count << " by " << batch;
    }
  }
}

TEST(Mixup, NeverHoldsMoreThanABatchOfMixes) {
  int64_t largest = 0;
  int64_t calls = 0;
  const Confidence watched = [&](const torch::Tensor& i, const torch::Tensor&,
                                 const torch::Tensor& lambdas) {
    largest = std::max(largest, i.size(0) * lambdas.size(0));
    ++calls;
    return torch::rand({i.size(0), lambdas.size(0)});
  };
  const auto selection = MixPool(300, by("c2", 1100)).select(watched, 10, Random(1));
  EXPECT_EQ(largest, 1100);
  EXPECT_EQ(selection.forwards, 149 * 300 * 11);
  EXPECT_EQ(calls, 447);
}

TEST(Mixup, RoundsWithoutWhatWasAskedMakeUpOneLargeSelection) {
  for (const std::string criterion : {"c1", "c2"}) {
    MixPool pool(20, by(criterion));
    const auto whole = rows(pool.select(scattered(), 120, Random(1)).mixes);
    std::vector<Row> rounds;
    for (int64_t round = 0; round < 3; ++round) {
      const auto mixes = pool.select(scattered(), 40, Random(1)).mixes;
      pool.exclude(mixes);
      for (const Row& row : rows(mixes)) rounds.push_back(row);
    }
    EXPECT_EQ(rounds, whole) << criterion;
    if (criterion == "c2") {
      EXPECT_EQ(pool.left(), pool.pairs() - 120);
    }
  }
  MixPool pool(5, by("c2"));
  pool.exclude(pool.select(scattered(), 8, Random(1)).mixes);
  EXPECT_THAT(pool.select(scattered(), 8, Random(1)).mixes, SizeIs(2)) << "10 pairs in all";
}

TEST(Mixup, LooksAtDrawnPairsOnlyWhereThePoolIsLarge) {
  const MixPool pool(200, by("c2", 2048, 500));
  const auto one = pool.select(scattered(), 500, Random(1));
  const auto again = pool.select(scattered(), 500, Random(1));
  const auto other = pool.select(scattered(), 500, Random(2));
  EXPECT_EQ(one.forwards, 5500);
  EXPECT_EQ(rows(one.mixes), rows(again.mixes));
  EXPECT_NE(rows(one.mixes), rows(other.mixes));
  EXPECT_THAT(pairs_of(one.mixes), SizeIs(500)) << "without repetition";
}

TEST(Mixup, DrawsEveryPairEquallyOften) {
  std::vector<int64_t> seen(10, 0);
  const MixPool pool(5, by("random"));
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    for (const Mix& mix : pool.select(nullptr, 4, Random(seed)).mixes) {
      for (int64_t number = 0; number < 10; ++number)
        seen[number] += pool.pair(number) == Pair(mix.i, mix.j);
    }
  }
  for (const int64_t count : seen)
    EXPECT_NEAR(static_cast<double>(count), 800, 100);  // 4.5 standard deviations
}

TEST(Mixup, RandomIsDistinctPairsAtLambdasOfTheGrid) {
  MixPool pool(50, by("random"));
  const auto mixes = pool.select(nullptr, 300, Random(3)).mixes;
  EXPECT_THAT(pairs_of(mixes), SizeIs(300));
  std::set<int64_t> lambdas;
  for (const Mix& mix : mixes) lambdas.insert(std::llround(mix.lambda * 100));
  EXPECT_THAT(lambdas, ElementsAre(30, 34, 38, 42, 46, 50, 54, 58, 62, 66, 70));
  EXPECT_EQ(rows(mixes), rows(pool.select(nullptr, 300, Random(3)).mixes));
  pool.exclude(mixes);
  std::set<Pair> both = pairs_of(mixes);
  both.merge(pairs_of(pool.select(nullptr, 300, Random(3)).mixes));
  EXPECT_THAT(both, SizeIs(600));
}

TEST(Mixup, BlendsInTheScaleOfTheClips) {
  const auto bytes = torch::tensor({0, 100, 200}, torch::kUInt8).unsqueeze(1);
  EXPECT_TRUE(torch::allclose(blend(bytes, {{1, 2, 0.25}, {2, 0, 0.5}}),
                              torch::tensor({175.0f, 100.0f}).unsqueeze(1)));
}

TEST(Mixup, FadesFromOneClipToTheOther) {
  const auto clips = torch::cat({torch::ones({1, 3, 5, 2, 2}), torch::zeros({1, 3, 5, 2, 2})});
  const auto share = [&](double lambda, double fade) {
    return blend(clips, {{0, 1, lambda}}, fade)[0][0].select(1, 0).select(1, 0);
  };
  EXPECT_TRUE(torch::allclose(share(0.5, 0), torch::full({5}, 0.5)));
  EXPECT_TRUE(torch::allclose(share(0.5, 1),
                              torch::tensor({0.0, 0.25, 0.5, 0.75, 1.0}).to(torch::kFloat32)));
  EXPECT_TRUE(torch::allclose(share(0.7, 0.5),
                              torch::tensor({0.55, 0.625, 0.7, 0.775, 0.85}).to(torch::kFloat32)));
  EXPECT_TRUE(torch::allclose(blend(clips.narrow(2, 0, 1), {{0, 1, 0.3}}, 1),
                              torch::full({1, 3, 1, 2, 2}, 0.3)))
      << "one frame";
  EXPECT_THAT(error_of([] {
                blend(torch::ones({2, 4}), {{0, 1, 0.5}}, 0.5);
              }),
              HasSubstr("set fade to 0"));
}

TEST(Mixup, ScoresTheMixThatIsAsked) {
  const auto clips = torch::rand({6, 3, 4, 2, 2});
  for (const double fade : {0.0, 0.8}) {
    const auto student = [](const torch::Tensor& mixes) {
      return mixes.flatten(1).slice(1, 0, 10).softmax(1);
    };
    const auto chosen =
        MixPool(6, by("c2")).select(confidence_of(clips, student, fade), 5, Random(1));
    EXPECT_THAT(chosen.mixes, SizeIs(5));
    for (const Mix& mix : chosen.mixes) {
      EXPECT_NEAR(mix.score, student(blend(clips, {mix}, fade)).max().item<double>(), 1e-6);
    }
  }
}

TEST(Mixup, AffineFirstLayersMayBeComputedOncePerClip) {
  const auto clips = torch::randn({7, 12});
  const auto weight = torch::randn({9, 12});
  const auto bias = torch::randn({9});
  const auto first = [&](const torch::Tensor& x) { return torch::addmm(bias, x, weight.t()); };
  const auto rest = [](const torch::Tensor& x) { return x.relu().softmax(1); };
  const auto i = torch::tensor({0, 5, 2}, torch::kInt64);
  const auto j = torch::tensor({3, 1, 6}, torch::kInt64);
  const auto lambdas = torch::tensor({0.3f, 0.46f, 0.7f});
  const auto whole =
      confidence_of(clips, [&](const torch::Tensor& x) { return rest(first(x)); })(i, j, lambdas);
  EXPECT_TRUE(torch::allclose(confidence_of(first(clips), rest)(i, j, lambdas), whole, 1e-5, 1e-6));
}

TEST(Mixup, RefusesAConfidenceThatIsNotANumber) {
  const Confidence broken = [](const torch::Tensor& i, const torch::Tensor&,
                               const torch::Tensor& lambdas) {
    auto scores = torch::zeros({i.size(0), lambdas.size(0)});
    scores[1][5] = std::nan("");
    return scores;
  };
  EXPECT_THAT(error_of([&] { MixPool(5, by("c2")).select(broken, 1, Random(1)); }),
              HasSubstr("mix of 1 and 2 at lambda 0.5"));
}

TEST(Unixkd, MixesTheMostUncertainRowsWithOthers) {
  const auto p = torch::tensor({0.90f, 0.05f, 0.05f, 0.40f, 0.35f, 0.25f, 0.50f, 0.50f, 0.00f,
                                0.34f, 0.33f, 0.33f})
                     .view({4, 3});
  const auto order = [&](const std::string& uncertainty) {
    std::vector<int64_t> order;
    for (const Mix& mix : unixkd(p, 4, uncertainty, {}, Random(1))) order.push_back(mix.i);
    return order;
  };
  EXPECT_THAT(order("least_confidence"), ElementsAre(3, 1, 2, 0));  // 0.66, 0.60, 0.50, 0.10
  EXPECT_THAT(order("margin"), ElementsAre(2, 3, 1, 0));            // 0, -0.01, -0.05, -0.85
  EXPECT_THAT(order("entropy"), ElementsAre(3, 1, 2, 0));           // 1.10, 1.08, 0.69, 0.39
  EXPECT_THAT(error_of([&] { unixkd(p, 4, "enropy", {}, Random(1)); }),
              HasSubstr("there is no uncertainty enropy"));
}

TEST(Unixkd, PartnersAreOtherRowsAndLambdasOfTheGrid) {
  const auto p = torch::rand({32, 4}).softmax(1);
  const auto mixes = unixkd(p, 8, "random", {}, Random(5));
  EXPECT_THAT(mixes, SizeIs(8));
  for (const Mix& mix : mixes) {
    EXPECT_NE(mix.i, mix.j);
    EXPECT_TRUE(mix.j >= 0 && mix.j < 32 && mix.lambda > 0.29 && mix.lambda < 0.71);
  }
  EXPECT_EQ(rows(mixes), rows(unixkd(p, 8, "random", {}, Random(5))));
  EXPECT_THAT(unixkd(p, 99, "entropy", {}, Random(5)), SizeIs(32));
  auto broken = p.clone();
  broken[3][1] = std::nan("");
  EXPECT_THAT(error_of([&] { unixkd(broken, 8, "entropy", {}, Random(5)); }),
              HasSubstr("not a number"));
}

}  // namespace
}  // namespace distal
