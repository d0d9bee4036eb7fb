#include "distal/oracles/zero_shot.h"

#include <cmath>

#include <gmock/gmock.h>

#include "distal/base/npy.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ZeroShot : public ::testing::Test {
 protected:
  ZeroShotHead head(const torch::Tensor& texts, int64_t width, bool drop_others = false) {
    options_.embeddings = folder_ / "texts.npy";
    write_npy(options_.embeddings, texts);
    return {options_, "teacher x.onnx", width, {"cut", "sew"}, drop_others};
  }
  std::string refusal(const torch::Tensor& texts, int64_t width) {
    return error_of([&] { head(texts, width); });
  }

  TemporaryFolder folder_;
  ZeroShotOptions options_;
};

TEST_F(ZeroShot, IsTheCosineOverTheTemperature) {
  options_.temperature = 0.5;
  const auto texts = torch::tensor({{3.0f, 4.0f}, {0.0f, 2.0f}});
  // f = (1, 0): cosines 0.6 and 0; f = (0, 10): 0.8 and 1. Worked out by hand.
  const auto features = torch::tensor({{1.0f, 0.0f}, {0.0f, 10.0f}});
  const auto expected = torch::tensor({{1.2, 0.0}, {1.6, 2.0}}, torch::kFloat64);
  EXPECT_TRUE(torch::allclose(head(texts, 2).logits(features), expected, 1e-6, 1e-6));
}

TEST_F(ZeroShot, AveragesTextsOfAClassAfterTheyAreOfLengthOne) {
  options_.temperature = 1;
  // Class 0: (10, 0) and (0, 0.1), whose mean of length 1 lies at 45 degrees. Class 1: (0, 1)
  // twice.
  const auto texts = torch::tensor({10.0f, 0.0f, 0.0f, 0.1f, 0.0f, 1.0f, 0.0f, 1.0f});
  const auto logits = head(texts.view({2, 2, 2}), 2).logits(torch::tensor({{1.0f, 0.0f}}));
  EXPECT_NEAR(logits[0][0].item<double>(), std::sqrt(0.5), 1e-6);
  EXPECT_NEAR(logits[0][1].item<double>(), 0, 1e-6);
}

TEST_F(ZeroShot, PutsItsClassesInTheOrderOfTheLists) {
  options_.classes = {"sew", "glue", "cut"};
  const auto texts = torch::eye(3);
  EXPECT_THAT(refusal(texts, 3),
              AllOf(HasSubstr("texts.npy"), HasSubstr("knows glue, which the lists do not have")));
  const ZeroShotHead reordered = head(texts, 3, /*drop_others=*/true);
  const auto logits = reordered.logits(torch::tensor({{0.0f, 0.0f, 1.0f}}));
  EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{1, 2}));
  EXPECT_NEAR(logits[0][0].item<double>(), 100, 1e-6) << "cut, at CLIP's temperature";
  EXPECT_THAT(reordered.remarks(), ElementsAre(HasSubstr("1 of its 3 classes"),
                                               HasSubstr("put in the order of the lists")));
}

TEST_F(ZeroShot, SaysInWordsWhatDoesNotFit) {
  EXPECT_THAT(refusal(torch::eye(2), 384),
              AllOf(HasSubstr("teacher x.onnx"), HasSubstr("texts.npy"),
                    HasSubstr("have 2 numbers each, and the network gives 384 a clip")));
  EXPECT_THAT(refusal(torch::eye(3), 3), HasSubstr("gives 3 numbers a clip"));
  EXPECT_THAT(refusal(torch::ones({4}), 4), HasSubstr("shape [4]"));
  EXPECT_THAT(refusal(torch::ones({2, 4}, torch::kInt64), 4), HasSubstr("must hold embeddings"));
  EXPECT_THAT(refusal(torch::zeros({2, 4}), 4), HasSubstr("all 0"));
  EXPECT_THAT(refusal(torch::full({2, 4}, NAN), 4), HasSubstr("not finite"));
  options_.embeddings = folder_ / "none.npy";
  EXPECT_THAT(error_of([&] {
                ZeroShotHead(options_, "teacher x.onnx", 4, {"cut", "sew"}, false);
              }),
              HasSubstr(folder_ / "none.npy"));
}

TEST_F(ZeroShot, IsKnownByTheContentOfItsFile) {
  const std::string id = head(torch::eye(2), 2).id();
  EXPECT_EQ(head(torch::eye(2), 2).id(), id);
  EXPECT_NE(head(torch::eye(2) * 2, 2).id(), id);
}

}  // namespace
}  // namespace distal
