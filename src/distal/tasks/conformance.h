#pragma once
// The promises of every task, as tests. With GoogleTest, in one source of a test program:
//
//   #include "distal/tasks/conformance.h"
//   namespace distal {
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryTaskKind, ::testing::Values("mine"));  // its names
//   }

#include <cmath>
#include <limits>
#include <set>

#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <torch/utils.h>

#include "distal/tasks/task.h"

namespace distal {

class EveryTaskKind : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr int64_t kClasses = 4;
  static constexpr int64_t kClips = 6;

  torch::Tensor logits(uint64_t seed) const {
    return torch::empty({kClips, task_->outputs(kClasses)}, torch::kFloat64)
        .normal_(0, 2, at::make_generator<at::CPUGeneratorImpl>(seed));
  }

  torch::Tensor target(int64_t label) const {
    return torch::tensor(task_->target(label, kClasses)).to(torch::kFloat64).unsqueeze(0);
  }

  // The target of each class.
  torch::Tensor targets() const {
    std::vector<torch::Tensor> rows;
    for (int64_t label = 0; label < kClasses; ++label) rows.push_back(target(label));
    return torch::cat(rows);
  }

  static torch::Tensor with_unknown(torch::Tensor rows, int64_t row) {
    rows = rows.clone();
    rows[row] = std::numeric_limits<double>::quiet_NaN();
    return rows;
  }

  const std::shared_ptr<const Task> task_ = make<Task>(GetParam());
};

TEST_P(EveryTaskKind, MakesATargetOfEachLabelAndPredictsItFromThat) {
  for (int64_t label = 0; label < kClasses; ++label) {
    EXPECT_TRUE(task_->knows(label, kClasses));
    const std::vector<float> row = task_->target(label, kClasses);
    EXPECT_EQ(std::ssize(row), task_->outputs(kClasses));
    EXPECT_EQ(task_->predicted(row), label);
  }
  for (const int64_t unknown : {int64_t{-1}, kClasses}) {
    EXPECT_FALSE(task_->knows(unknown, kClasses));
    EXPECT_ANY_THROW(task_->target(unknown, kClasses)) << unknown;
  }
}

TEST_P(EveryTaskKind, TakesTheFirstOfEqualScores) {
  const torch::Tensor even = torch::zeros({2, task_->outputs(kClasses)});
  EXPECT_TRUE(torch::equal(task_->predicted(even), torch::zeros({2}, torch::kInt64)));
  EXPECT_EQ(task_->predicted(even[0]).item<int64_t>(), 0);
}

TEST_P(EveryTaskKind, MakesValidProbabilitiesThatKeepTheOrderOfTheLogits) {
  const torch::Tensor z = logits(1);
  const torch::Tensor p = task_->probabilities(z);
  EXPECT_EQ(p.sizes(), z.sizes());
  EXPECT_FALSE(task_->invalid(p));
  EXPECT_TRUE(torch::allclose(task_->normalised(p), p));
  EXPECT_TRUE(torch::equal(task_->predicted(p), task_->predicted(z)));
  EXPECT_TRUE(torch::allclose(task_->probabilities(task_->logits_of(p, 1e-30)), p));
  EXPECT_TRUE(torch::allclose(task_->probabilities(z.select(0, 0)), p.select(0, 0)));
}

TEST_P(EveryTaskKind, KeepsTheType) {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    const torch::Tensor z = logits(2).to(type);
    const torch::Tensor p = task_->probabilities(z);
    for (const auto& made : {p, task_->logits_of(p, 1e-30), task_->loss(z, p), task_->confidence(p),
                             task_->margin(p), task_->entropy(p), task_->smoothed(p, 0.1)})
      EXPECT_EQ(made.scalar_type(), type);
    EXPECT_EQ(task_->predicted(z).scalar_type(), torch::kInt64);
  }
}

TEST_P(EveryTaskKind, IsLeastWrongWhereItSaysWhatTheTargetSays) {
  const torch::Tensor p = task_->probabilities(logits(3));
  const torch::Tensor right = task_->loss(task_->logits_of(p, 1e-30), p);
  EXPECT_TRUE((task_->loss(logits(4), p) > right).all().item<bool>());
  EXPECT_TRUE(torch::allclose(right, task_->entropy(p)));
  EXPECT_TRUE(torch::allclose(divergence(*task_, task_->logits_of(p, 1e-30), p),
                              torch::zeros({kClips}, torch::kFloat64), 0, 1e-12));
}

TEST_P(EveryTaskKind, LearnsNothingOfAnUnknownTarget) {
  torch::Tensor z = logits(5).requires_grad_();
  const torch::Tensor p = with_unknown(task_->probabilities(logits(6)), 2);
  const torch::Tensor loss = task_->loss(z, p);
  EXPECT_EQ(loss[2].item<double>(), 0);
  EXPECT_EQ(divergence(*task_, z, p)[2].item<double>(), 0);
  loss.sum().backward();
  EXPECT_TRUE((z.grad()[2] == 0).all().item<bool>());
  EXPECT_TRUE((z.grad()[1] != 0).any().item<bool>());
}

TEST_P(EveryTaskKind, TeachesTheLabel) {
  for (int64_t label = 0; label < kClasses; ++label) {
    torch::Tensor z = torch::zeros({1, task_->outputs(kClasses)}, torch::kFloat64);
    for (int step = 0; step < 20; ++step) {
      z = z.detach().requires_grad_();
      task_->loss(z, target(label)).sum().backward();
      z = z.detach() - z.grad();
    }
    EXPECT_EQ(task_->predicted(z).item<int64_t>(), label);
  }
}

TEST_P(EveryTaskKind, SmoothsTargetsToValidOnes) {
  EXPECT_TRUE(torch::equal(task_->smoothed(targets(), 0), targets()));
  const torch::Tensor smooth = task_->smoothed(with_unknown(targets(), 1), 0.2);
  EXPECT_FALSE(task_->invalid(smooth));
  EXPECT_TRUE(smooth[1].isnan().all().item<bool>());
  EXPECT_EQ(task_->predicted(smooth[2]).item<int64_t>(), 2);
  EXPECT_GT(task_->entropy(smooth)[2].item<double>(), 0);
}

TEST_P(EveryTaskKind, IsSureOfTargetsAndLessSureOfWhatIsSoftened) {
  const torch::Tensor hard = targets();
  EXPECT_TRUE((task_->entropy(hard) == 0).all().item<bool>());
  EXPECT_TRUE((task_->confidence(hard) == 1).all().item<bool>());
  EXPECT_TRUE((task_->margin(hard) == 1).all().item<bool>());
  const torch::Tensor p = task_->probabilities(logits(7));
  const torch::Tensor soft = softened(*task_, p, 4);
  EXPECT_TRUE((task_->entropy(soft) > task_->entropy(p)).all().item<bool>());
  EXPECT_TRUE((task_->confidence(soft) < task_->confidence(p)).all().item<bool>());
  EXPECT_TRUE((task_->margin(soft) < task_->margin(p)).all().item<bool>());
  EXPECT_TRUE((task_->margin(soft) >= 0).all().item<bool>());
  EXPECT_TRUE(torch::allclose(softened(*task_, p, 1), p));
}

TEST_P(EveryTaskKind, NamesTheFirstRowThatHoldsNoProbabilities) {
  torch::Tensor answers = with_unknown(task_->probabilities(logits(8)), 0);
  EXPECT_FALSE(task_->invalid(answers)) << "a row that is not finite is passed over";
  answers[3] = -1;
  answers[4] = 2;
  const auto found = task_->invalid(answers);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->row, 3);
  EXPECT_NE(found->reason, "");
  answers[3] = answers[1];
  EXPECT_EQ(task_->invalid(answers).value().row, 4);
}

TEST_P(EveryTaskKind, NamesItsMetricsOnce) {
  const auto names = task_->metrics();
  EXPECT_FALSE(names.empty());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

}  // namespace distal
