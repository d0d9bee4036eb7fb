#pragma once
// The conformance suite of augmentations. A GoogleTest program can run it on other augmentations.
// In one source file:
//
//   #include <distal/data/conformance.h>
//   namespace distal {
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryAugmentation, ::testing::Values("mine"));
//   }
//
// The parameter is the name of the augmentation in the catalogue. The test uses its default
// options. Load plugins before InitGoogleTest.

#include <limits>
#include <set>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/data/augmentation.h"
#include "distal/data/batches.h"

namespace distal {
namespace augmentation_suite {

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr int64_t kClasses = 4;

inline torch::Tensor noise(std::vector<int64_t> sizes, uint64_t seed = 1) {
  Random random(seed);
  auto values = torch::empty(sizes, torch::kFloat32);
  auto* numbers = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i)
    numbers[i] = static_cast<float>(random.uniform(-1, 1));
  return values;
}

// Rows alternate, two at a time: label i % 4, teacher's probabilities, both, neither.
inline Batch batch_of(const torch::Tensor& clips) {
  const int64_t count = clips.size(0);
  Batch batch;
  batch.clips = clips;
  batch.targets = torch::full({count, kClasses}, kNaN);
  batch.teacher = torch::full({count, kClasses}, kNaN);
  batch.rows = torch::empty({count}, torch::kInt64);
  batch.weights = torch::empty({count}, torch::kFloat32);
  for (int64_t i = 0; i < count; ++i) {
    batch.rows.mutable_data_ptr<int64_t>()[i] = 100 + i;
    batch.weights.mutable_data_ptr<float>()[i] = static_cast<float>(i + 1);
    const int64_t how = i / 2 % 4;
    for (int64_t k = 0; k < kClasses; ++k) {
      if (how == 0 || how == 2) batch.targets[i][k] = k == i % kClasses ? 1 : 0;
      if (how == 1 || how == 2) batch.teacher[i][k] = k == i % kClasses ? 0.7 : 0.1;
    }
  }
  return batch;
}

inline bool same(const torch::Tensor& a, const torch::Tensor& b) {
  return a.defined() == b.defined() &&
         (!a.defined() || (a.sizes() == b.sizes() && a.nan_to_num(-9).equal(b.nan_to_num(-9))));
}
inline bool same(const Batch& a, const Batch& b) {
  return same(a.clips, b.clips) && same(a.targets, b.targets) && same(a.teacher, b.teacher) &&
         same(a.rows, b.rows) && same(a.weights, b.weights) && same(a.transform, b.transform);
}
inline Batch copy_of(const Batch& batch) {
  Batch copy = batch;
  for (auto* column : {&copy.clips, &copy.targets, &copy.rows, &copy.weights, &copy.teacher})
    *column = column->clone();
  return copy;
}
inline torch::Tensor unknown(const torch::Tensor& rows) { return rows.isnan().any(1); }

class EveryAugmentation : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Augmentation> family_ = make<Augmentation>(GetParam());
};

TEST_P(EveryAugmentation, KeepsShapesAndRange) {
  for (const auto& sizes : std::vector<std::vector<int64_t>>{
           {8, 3, 4, 8, 8}, {3, 3, 7, 6, 10}, {2, 3, 1, 5, 5}, {1, 3, 2, 1, 1}}) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      const Batch batch = family_->apply(batch_of(noise(sizes, seed)), Random(seed));
      EXPECT_EQ(batch.clips.sizes(), torch::IntArrayRef(sizes));
      EXPECT_TRUE(batch.clips.isfinite().all().item<bool>());
      EXPECT_LE(batch.clips.abs().max().item<float>(), 1);
    }
  }
}

TEST_P(EveryAugmentation, IsAFunctionOfItsArguments) {
  const Batch batch = batch_of(noise({8, 3, 6, 8, 8}));
  const Batch first = family_->apply(batch, Random(5));
  EXPECT_TRUE(same(first, family_->apply(copy_of(batch), Random(5))));
  std::set<bool> differs;
  for (uint64_t seed = 6; seed < 12; ++seed)
    differs.insert(!same(first.clips, family_->apply(batch, Random(seed)).clips));
  EXPECT_EQ(differs.contains(true), GetParam() != "none") << "another random draws anew";
}

TEST_P(EveryAugmentation, LeavesItsInputAsItIs) {
  const Batch batch = batch_of(noise({8, 3, 6, 8, 8}));
  const Batch before = copy_of(batch);
  family_->apply(batch, Random(5));
  EXPECT_TRUE(same(batch, before));
}

TEST_P(EveryAugmentation, KeepsWhatIsKnownKnownAndSummingToOne) {
  const Batch batch = batch_of(noise({11, 3, 6, 8, 8}));
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const Batch after = family_->apply(batch, Random(seed));
    EXPECT_TRUE(unknown(after.targets).equal(unknown(batch.targets)));
    EXPECT_TRUE(unknown(after.teacher).equal(unknown(batch.teacher)));
    for (const auto& rows : {after.targets, after.teacher}) {
      EXPECT_TRUE(torch::allclose(rows.sum(1).nan_to_num(1), torch::ones({11}), 0, 1e-6));
      EXPECT_GE(rows.nan_to_num(0).min().item<float>(), 0);
    }
  }
}

TEST_P(EveryAugmentation, KeepsRowsAndWeights) {
  const Batch batch = batch_of(noise({8, 3, 6, 8, 8}));
  const Batch after = family_->apply(batch, Random(5));
  EXPECT_TRUE(after.rows.equal(batch.rows));
  EXPECT_TRUE(after.weights.equal(batch.weights));
}

TEST_P(EveryAugmentation, TellsWhatItDidWhereAHeadAsks) {
  const int64_t classes = family_->head_classes();
  std::set<int64_t> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Batch after = family_->apply(batch_of(noise({8, 3, 6, 4, 4})), Random(seed));
    ASSERT_EQ(after.transform.defined(), classes > 0);
    if (classes > 0) {
      for (int64_t i = 0; i < 8; ++i) seen.insert(after.transform[i].item<int64_t>());
    }
  }
  EXPECT_EQ(std::ssize(seen), classes) << "each of them is drawn";
  EXPECT_EQ(family_->head_weight() > 0, classes > 0);
  if (classes > 0) {
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), classes - 1);
  }
}

}  // namespace augmentation_suite

using augmentation_suite::EveryAugmentation;

}  // namespace distal
