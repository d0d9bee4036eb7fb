#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {
namespace {

// One feature x; the label is class 0 and the logits (0, 4x), so that the loss log(1 + e^4x) grows
// with x.
PoolScores growing() {
  PoolScores scores;
  const auto x = torch::linspace(-1, 1, 40);
  scores.labelled_embeddings = x.unsqueeze(1);
  scores.labelled_logits = torch::stack({torch::zeros_like(x), 4 * x}, 1);
  scores.labelled_targets = torch::tensor({1.0f, 0.0f}).expand({40, 2}).clone();
  scores.embeddings = torch::linspace(-0.9, 0.9, 25).unsqueeze(1);
  return scores;
}

torch::Tensor predicted(const PoolScores& scores, uint64_t seed = 1) {
  return *make<Strategy>("learning_loss")->score(scores, Random(seed));
}

TEST(LearningLoss, RanksByTheLossItLearnedFromTheLabelledClips) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    const auto values = predicted(growing(), seed);
    const auto rank = values.argsort().argsort().to(torch::kFloat64);
    const auto spearman =
        torch::corrcoef(torch::stack({rank, torch::arange(25, torch::kFloat64)}))[0][1]
            .item<double>();
    EXPECT_GT(spearman, 0.95);
  }
}

TEST(LearningLoss, IgnoresClipsWithoutALabel) {
  auto scores = growing();
  auto more = scores;
  const auto none = torch::full({10, 2}, std::nan(""));
  more.labelled_embeddings = torch::cat({scores.labelled_embeddings, torch::full({10, 1}, -1.0)});
  more.labelled_logits = torch::cat({scores.labelled_logits, torch::zeros({10, 2})});
  more.labelled_targets = torch::cat({scores.labelled_targets, none});
  EXPECT_GT(predicted(more)[24].item<double>(), predicted(more)[0].item<double>());
  scores.labelled_targets = torch::full({40, 2}, std::nan(""));
  EXPECT_EQ(predicted(scores).abs().max().item<double>(), 0)
      << "nothing to learn from: all are alike";
}

TEST(LearningLoss, IsTheSameForTheSameSeed) {
  EXPECT_TRUE(predicted(growing(), 7).equal(predicted(growing(), 7)));
}

TEST(LearningLoss, RefusesLogitsThatAreNotFinite) {
  auto scores = growing();
  scores.labelled_logits[3][0] = std::nan("");
  EXPECT_THROW(predicted(scores), Error);
}

}  // namespace
}  // namespace distal
