// Losses of features: the published values, and small cases worked by hand.

#include "distal/distill/features.h"
#include "distal/base/choice.h"
#include "distal/distill/testing.h"

namespace distal {
namespace {

double value(const DistillLoss& loss, const Lesson& lesson) {
  return total(loss.losses(lesson)).item<double>();
}

Lesson lesson_of_maps(const torch::Tensor& student, const torch::Tensor& teacher) {
  Lesson lesson = lesson_of_features(torch::zeros({student.size(0), 1}, torch::kFloat64),
                                     torch::zeros({student.size(0), 1}, torch::kFloat64));
  lesson.student_maps = {{"map", student}};
  lesson.teacher_maps = {{"map", teacher}};
  return lesson;
}

// Loss and gradient of published numbers, of embeddings.
void expect_published(const DistillLoss& loss, const nlohmann::json& table,
                      const nlohmann::json& expected) {
  auto student = tensor_of(table.at("student_features")).requires_grad_();
  const auto value =
      total(loss.losses(lesson_of_features(student, tensor_of(table.at("teacher_features")))));
  value.backward();
  EXPECT_NEAR(value.item<double>(), expected.at("loss").get<double>(), 1e-10);
  EXPECT_LT(
      (student.grad() - tensor_of(expected.at("gradient_of_student"))).abs().max().item<double>(),
      1e-10);
}

TEST(Rkd, MatchesThePublishedCode) {
  const auto table = parity_table("RKD");
  if (!table) GTEST_SKIP() << "the folder of parity fixtures is not there";
  const auto& expected = table->at("expected");
  expect_published(*make<DistillLoss>("rkd", "distance: 1, angle: 0"), *table,
                   expected.at("distance"));
  expect_published(*make<DistillLoss>("rkd", "distance: 0, angle: 1"), *table,
                   expected.at("angle"));
  expect_published(*make<DistillLoss>("rkd"), *table,
                   expected.at("published_25_distance_plus_50_angle"));
}

TEST(Rkd, DoesNotSeeScaleAndPlace) {
  const auto teacher = normal({5, 3}, 1);
  EXPECT_NEAR(value(*make<DistillLoss>("rkd"), lesson_of_features(3 * teacher + 7, teacher)), 0,
              1e-12);
}

TEST(Sp, MatchesThePublishedCode) {
  const auto table = parity_table("SP");
  if (!table) GTEST_SKIP() << "the folder of parity fixtures is not there";
  expect_published(*make<DistillLoss>("sp", "beta: 1"), *table, table->at("expected"));
}

TEST(Sp, ComparesMapsFlattened) {
  const auto student = normal({4, 2, 1, 2, 2}, 1);
  const auto teacher = normal({4, 3, 1, 1, 1}, 2);
  EXPECT_NEAR(
      value(*make<DistillLoss>("sp", "map: map"), lesson_of_maps(student, teacher)),
      value(*make<DistillLoss>("sp"), lesson_of_features(student.flatten(1), teacher.flatten(1))),
      1e-9);
}

TEST(At, MatchesThePublishedCode) {
  const auto table = parity_table("AT");
  if (!table) GTEST_SKIP() << "the folder of parity fixtures is not there";
  for (const auto& [size, teacher] : {std::pair("same_size", "teacher_same_size"),
                                      std::pair("teacher_smaller", "teacher_smaller")}) {
    SCOPED_TRACE(size);
    const auto& expected = table->at("expected").at(size);
    auto student = tensor_of(table->at("student_N_C_H_W")).requires_grad_();
    const auto loss = total(make<DistillLoss>("at", "maps: [map], beta: 1")
                                ->losses(lesson_of_maps(student, tensor_of(table->at(teacher)))));
    loss.backward();
    EXPECT_NEAR(loss.item<double>(), expected.at("loss").get<double>(), 1e-10);
    EXPECT_NEAR(student.grad().norm().item<double>(), expected.at("gradient_l2").get<double>(),
                1e-10);
    EXPECT_LT((student.grad()[0][0] - tensor_of(expected.at("gradient_of_student_0_0")))
                  .abs()
                  .max()
                  .item<double>(),
              1e-10);
  }
}

TEST(At, RefusesUnevenLists) {
  EXPECT_THROW(make<DistillLoss>("at", "maps: [a, b], teacher_maps: [c]"), UsageError);
}

TEST(Hint, RegressesTheStudentsMapOntoTheTeachers) {
  const auto loss = make<DistillLoss>("hint", "map: map, beta: 10");
  Lesson lesson = lesson_of_maps(normal({2, 3, 2, 4, 4}, 1), normal({2, 5, 2, 2, 2}, 2));
  const auto parts = loss->parts(lesson, 2, Random(1));
  parts->to(torch::kFloat64);
  lesson.parts = parts.get();
  const auto& regressor = dynamic_cast<Linear&>(*parts);
  ASSERT_EQ(regressor.weight.sizes(), c10::IntArrayRef({5, 3}));
  EXPECT_TRUE(regressor.weight.requires_grad());
  const auto student = lesson.student_maps["map"].unflatten(4, {2, 2}).unflatten(3, {2, 2}).mean(
      {4, 6});  // [2, 3, 2, 2, 2]
  const auto difference =
      torch::einsum("oc,ncthw->nothw", {regressor.weight, student}) - lesson.teacher_maps["map"];
  EXPECT_NEAR(value(*loss, lesson), 10 * difference.pow(2).mean().item<double>(), 1e-12);
}

TEST(Hint, SaysWhichMapsThereAre) {
  const auto lesson = lesson_of_maps(normal({2, 3, 2, 4, 4}, 1), normal({2, 5, 2, 2, 2}, 2));
  EXPECT_THROW(make<DistillLoss>("hint")->parts(lesson, 2, Random(1)), Error);
}

class CrdTest : public ::testing::Test {
 protected:
  void give(const std::string& options, int64_t samples) {
    loss_ = make<DistillLoss>("crd", options);
    parts_ = loss_->parts(lesson_, samples, Random(1));
    parts_->to(torch::kFloat64);
    lesson_.parts = parts_.get();
  }
  torch::Tensor buffer(const std::string& name) const {
    return parts_->named_buffers()[name].clone();
  }
  torch::Tensor projected(const std::string& side, const torch::Tensor& embedding) const {
    const auto parameters = parts_->named_parameters();
    const auto x = embedding.mm(parameters[side + ".weight"].t()) + parameters[side + ".bias"];
    return x / x.norm(2, 1, true);
  }
  void remember() {
    const torch::NoGradGuard no_grad;
    loss_->remember(lesson_);
  }

  Lesson lesson_ = lesson_of_features(normal({3, 4}, 1), normal({3, 6}, 2));
  std::shared_ptr<const DistillLoss> loss_;
  std::shared_ptr<torch::nn::Module> parts_;
};

// One anchor at a time, as the formula says; Z makes the scores of the first batch average 1 / n.
TEST_F(CrdTest, IsTheFormulaWrittenNaively) {
  give("size: 5, temperature: 0.5, beta: 1", 7);
  lesson_.rows = torch::tensor({2, 6, 0});
  const std::map<std::string, torch::Tensor> anchors = {
      {"student", projected("student", lesson_.student.embedding)},
      {"teacher", projected("teacher", lesson_.teacher_embedding)}};
  for (const std::string side : {"student", "teacher"}) {
    const auto bank = buffer(side == "student" ? "teacher_bank" : "student_bank");
    const auto raw = (anchors.at(side).mm(bank.t()) / 0.5).exp();  // [3, 7]
    const double z = raw.mean().item<double>() * 7;
    const double noise = 6.0 / 7;
    double sum = 0;
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 7; ++j) {
        const double s = raw[i][j].item<double>() / z;
        sum -= j == lesson_.rows[i].item<int64_t>() ? std::log(s / (s + noise + 1e-7))
                                                    : std::log(noise / (s + noise + 1e-7));
      }
    }
    EXPECT_NEAR(values_of(loss_->losses(lesson_)).at(side), sum / 3, 1e-10) << side;
  }
}

TEST_F(CrdTest, KeepsEveryClipOfTheBatchThatTheTeacherAnsweredFor) {
  give("size: 5, momentum: 0.25", 7);
  lesson_.rows = torch::tensor({2, 6, 0});
  lesson_.teacher = lesson_.teacher.clone();
  lesson_.teacher[1].fill_(kNaN);
  const auto before = buffer("student_bank");
  const auto anchors = projected("student", lesson_.student.embedding);
  const auto first = loss_->losses(lesson_);
  EXPECT_EQ(buffer("normaliser").abs().sum().item<double>(), 0) << "a loss by itself keeps nothing";
  remember();
  const auto after = buffer("student_bank");
  const auto z = buffer("normaliser");
  EXPECT_GT(z.min().item<double>(), 0);
  for (int64_t clip = 0; clip < 7; ++clip) {
    const int64_t row = clip == 2 ? 0 : clip == 0 ? 2 : -1;
    const auto mixed = row < 0 ? before[clip] : 0.25 * before[clip] + 0.75 * anchors[row];
    const auto wanted = row < 0 ? mixed : mixed / mixed.norm();
    EXPECT_LT((after[clip] - wanted).abs().max().item<double>(), 1e-12) << "clip " << clip;
  }
  remember();
  EXPECT_TRUE(torch::equal(buffer("normaliser"), z)) << "the first batch sets it";
}

TEST_F(CrdTest, DrawsNegativesWhereThereAreMoreClipsThanWanted) {
  give("size: 5, negatives: 4", 40);
  remember();
  torch::manual_seed(3);
  const double first = value(*loss_, lesson_);
  const double second = value(*loss_, lesson_);
  torch::manual_seed(3);
  EXPECT_EQ(value(*loss_, lesson_), first);
  EXPECT_NE(second, first);
}

TEST_F(CrdTest, FallsAsTheProjectionsLearnWhatBothSidesShare) {
  const auto student = normal({20, 4}, 1);
  lesson_ = lesson_of_features(student, student.mm(normal({4, 6}, 2)));
  give("size: 8, temperature: 0.2", 20);
  for (int i = 0; i < 5; ++i) remember();
  const double before = value(*loss_, lesson_);
  for (int step = 0; step < 60; ++step) {
    total(loss_->losses(lesson_)).backward();
    remember();
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parts_->parameters()) {
      parameter -= 0.1 * parameter.grad();
      parameter.mutable_grad().reset();
    }
  }
  EXPECT_LT(value(*loss_, lesson_), 0.7 * before);
}

}  // namespace
}  // namespace distal
