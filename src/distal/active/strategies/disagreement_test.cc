#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

std::vector<double> scores_of(const torch::Tensor& student, const torch::Tensor& teacher,
                              const std::string& options = "") {
  PoolScores scores;
  scores.logits = student.log() - 1;
  scores.teacher = teacher;
  const auto values =
      make<Strategy>("disagreement", options)->score(scores, Random(0))->contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

const torch::Tensor kStudent =
    torch::tensor({0.9, 0.1, 0.9, 0.1, 0.9, 0.1}, torch::kFloat64).view({3, 2});
const torch::Tensor kTeacher =
    torch::tensor({0.5, 0.5, 0.9, 0.1, 1.0, 0.0}, torch::kFloat64).view({3, 2});

TEST(Disagreement, IsTheDivergenceOfTheTeacherFromTheStudent) {
  // 0.5 ln(0.5 / 0.9) + 0.5 ln(0.5 / 0.1); 0; ln(1 / 0.9)
  EXPECT_THAT(scores_of(kStudent, kTeacher),
              Pointwise(DoubleNear(1e-6), {0.510826, 0.0, 0.105361}));
}

TEST(Disagreement, MayBeSymmetric) {
  // m = (0.7, 0.3): (0.087177 + 0.116322) / 2
  EXPECT_NEAR(scores_of(kStudent, kTeacher, "by: js")[0], 0.101749, 1e-6);
  const auto there = scores_of(kStudent, kTeacher, "by: js");
  const auto back = scores_of(kTeacher.clamp_min(1e-12), kStudent, "by: js");
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(there[i], back[i], 1e-9);
}

TEST(Disagreement, RefusesATeacherOfOtherClasses) {
  PoolScores scores;
  scores.logits = torch::zeros({2, 3});
  scores.teacher = torch::zeros({2, 4});
  EXPECT_THROW(make<Strategy>("disagreement")->score(scores, Random(0)), Error);
}

}  // namespace
}  // namespace distal
