// Learning from a teacher: what a loss is handed, function matching, and parts that are trained,
// kept and continued.

#include "distal/train/taught.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>

#include "distal/base/choice.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/testing.h"
#include "distal/models/classifier.h"
#include "distal/models/gate.h"
#include "distal/models/layers.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

using ::testing::IsEmpty;

[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Features [N, 4] to three classes over `width` hidden ones, which it shows as a map.
class TinyNet final : public Classifier {
 public:
  TinyNet(uint64_t seed, int64_t width)
      : hidden_(register_module("hidden", std::make_shared<Linear>(4, width))) {
    add_head(width, 3, 0.3);
    initialise(*this, Random(seed));
    const torch::NoGradGuard no_grad;
    for (auto& parameter : parameters()) {
      if (parameter.dim() > 1) parameter.mul_(50);
    }
  }
  Output forward(const at::Tensor& clips) override {
    const auto embedding = hidden_->forward(clips).relu();
    tap("hidden", embedding.view({clips.size(0), -1, 1, 1, 1}));
    saw_autocast |= at::autocast::is_autocast_enabled(at::kCPU);
    seen = clips;
    return {head(embedding), embedding};
  }
  at::Tensor seen;
  bool saw_autocast = false;

 private:
  std::shared_ptr<Linear> hidden_;
};

// Hands out the lesson that it got.
class Spy final : public DistillLoss {
 public:
  explicit Spy(bool network = false) : network_(network) {}
  Losses losses(const Lesson& lesson) const override {
    seen = lesson;
    autocast = at::autocast::is_autocast_enabled(at::kCPU) &&
               !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutocastCPU);
    return {{"spy", lesson.student.logits.sum()}, {"other", lesson.student.logits.sum()}};
  }
  bool needs_teacher_network() const override { return network_; }
  bool needs_maps() const override { return network_; }
  bool teaches_classes() const override { return true; }
  mutable Lesson seen;
  mutable bool autocast = false;

 private:
  bool network_;
};

// Eight clips; of the first two the teacher's word is unknown, of the last four the truth.
Batch drawn(int64_t micro) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(micro + 1));
  Batch batch;
  batch.clips = at::randn({8, 4}, generator, at::TensorOptions(at::kFloat));
  batch.targets =
      at::one_hot(at::randint(3, {8}, generator, at::TensorOptions(at::kLong)), 3).to(at::kFloat);
  batch.targets.slice(0, 4).fill_(kNan);
  batch.teacher = at::randn({8, 3}, generator, at::TensorOptions(at::kFloat)).softmax(1);
  batch.teacher.slice(0, 0, 2).fill_(kNan);
  batch.rows = at::remainder(at::arange(8 * micro, 8 * micro + 8, at::kLong), 20);
  batch.weights = at::ones({8});
  return batch;
}

Batch one_clip() {
  const auto even = at::full({1, 3}, 1.0f / 3);
  return {at::zeros({1, 4}), even, at::zeros({1}, at::kLong), at::ones({1}), even};
}

bool close(const at::Tensor& a, const at::Tensor& b) {
  return at::allclose(a, b, 1e-6, 1e-6, /*equal_nan=*/true);
}

TEST(Taught, HandsSmoothedTruthAndTheCachedAnswersToALoss) {
  TinyNet net(1, 6);
  net.eval();
  const Batch batch = drawn(0);
  const auto spy = std::make_shared<Spy>();
  Taught objective(spy, 0.2);
  objective.starting(3, 12);
  const auto losses = objective.losses(net, batch);
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_EQ(losses[0].first, "spy");
  EXPECT_TRUE(close(spy->seen.student.logits, net.forward(batch.clips).logits));
  EXPECT_TRUE(close(spy->seen.teacher, batch.teacher)) << "a teacher's word is not smoothed";
  EXPECT_TRUE(close(spy->seen.truth, 0.8 * batch.targets + 0.2 / 3));
  EXPECT_TRUE(at::equal(spy->seen.weights, batch.weights));
  EXPECT_TRUE(at::equal(spy->seen.rows, batch.rows));
  EXPECT_DOUBLE_EQ(spy->seen.progress, 0.25);
  EXPECT_FALSE(spy->seen.teacher_embedding.defined());
  EXPECT_THAT(spy->seen.student_maps, IsEmpty());
  EXPECT_EQ(objective.extra(), nullptr);
}

TEST(Taught, ShowsATeacherAtHandTheStudentsViewOfTheClipsItAnsweredFor) {
  TinyNet net(1, 6);
  const auto teacher = std::make_shared<TinyNet>(2, 9);
  teacher->train();
  const Batch batch = drawn(0);
  const auto spy = std::make_shared<Spy>(true);
  Taught objective(spy, 0, teacher);
  EXPECT_FALSE(teacher->is_training());
  objective.losses(net, batch);
  EXPECT_TRUE(teacher->seen.is_same(batch.clips));
  const auto now = teacher->forward(batch.clips);
  EXPECT_TRUE(close(spy->seen.teacher.slice(0, 2), now.logits.softmax(1).slice(0, 2)));
  EXPECT_TRUE(spy->seen.teacher.slice(0, 0, 2).isnan().all().item<bool>())
      << "nobody asked about these";
  EXPECT_TRUE(close(spy->seen.teacher_embedding, now.embedding));
  EXPECT_FALSE(spy->seen.teacher_embedding.requires_grad());
  EXPECT_EQ(spy->seen.student_maps.at("hidden").size(1), 6);
  EXPECT_EQ(spy->seen.teacher_maps.at("hidden").size(1), 9);
}

TEST(Taught, ComputesLossAndTeacherInFullPrecisionBesideAStudentInBf16) {
  TinyNet net(1, 6);
  const auto teacher = std::make_shared<TinyNet>(2, 9);
  const auto spy = std::make_shared<Spy>(true);
  Taught objective(spy, 0, teacher);
  const Batch batch = drawn(0);
  {
    const Bf16Scope scope;
    objective.losses(net, batch);
  }
  EXPECT_TRUE(net.saw_autocast);
  EXPECT_FALSE(spy->autocast);
  EXPECT_TRUE(at::equal(spy->seen.teacher_embedding, teacher->forward(batch.clips).embedding));
}

TEST(Taught, LearnsTheAnswersBesideALossOfFeatures) {
  TinyNet net(1, 6);
  Taught objective(make<DistillLoss>("rkd"), 0, std::make_shared<TinyNet>(2, 9));
  std::vector<std::string> names;
  for (const auto& [name, part] : objective.losses(net, drawn(0))) names.push_back(name);
  EXPECT_THAT(names, ::testing::ElementsAre("distance", "angle", "truth", "teacher"));
}

TEST(Taught, PreparesThePartsOfALossOnceSizesAreKnown) {
  TinyNet net(1, 6);
  Taught objective(
      make<DistillLoss>("sum", "of: [kd, hint, crd], hint: {map: hidden}, crd: {size: 5}"), 0,
      std::make_shared<TinyNet>(2, 9));
  objective.prepare(net, one_clip(), 20, Random(1));
  ASSERT_NE(objective.extra(), nullptr);
  std::map<std::string, std::vector<int64_t>> sizes;
  for (const auto& [name, tensor] : state(*objective.extra())) sizes[name] = tensor.sizes().vec();
  EXPECT_EQ(sizes.at("hint.weight"), (std::vector<int64_t>{9, 6}));
  EXPECT_EQ(sizes.at("crd.student.weight"), (std::vector<int64_t>{5, 6}));
  EXPECT_EQ(sizes.at("crd.teacher_bank"), (std::vector<int64_t>{20, 5}));
  Taught lost(make<DistillLoss>("at", "maps: [layer1]"), 0, std::make_shared<TinyNet>(2, 9));
  EXPECT_THAT(error_of([&] { lost.prepare(net, one_clip(), 20, Random(1)); }),
              ::testing::HasSubstr("the student has no map 'layer1'; it has: embedding, hidden"));
}

Tensors clone_of(const torch::nn::Module& module) {
  Tensors copies;
  for (const auto& [name, tensor] : state(module))
    copies.emplace_back(name, tensor.detach().clone());
  return copies;
}

struct Killed {};

BatchStream stream_of(int64_t killed_at = -1) {
  BatchStream stream;
  stream.open = [killed_at](int64_t first) {
    return [killed_at, micro = first]() mutable {
      if (micro == killed_at) throw Killed();
      return drawn(micro++);
    };
  };
  stream.describe = [](const at::Tensor&) { return std::string("a video"); };
  return stream;
}

TEST(Taught, AKilledRunContinuesBitForBitWithItsRegressorsAndItsBank) {
  TrainingOptions options;
  options.steps = 9;
  options.checkpoint_every = 2;
  options.precision = "f32";
  const TemporaryFolder folder;
  const auto teacher = std::make_shared<TinyNet>(2, 9);
  const auto train = [&](TinyNet& net, int64_t killed_at, const std::string& checkpoint) {
    Taught objective(make<DistillLoss>("sum", "of: [kd, hint, crd], hint: {map: hidden, warmup: "
                                              "0.5, beta: 1}, crd: {size: 5, negatives: 6}"),
                     0.1, teacher);
    objective.prepare(net, one_clip(), 20, Random(1));
    ConsoleProgress progress(ConsoleProgress::Mode::quiet);
    fit(net, options, objective, stream_of(killed_at), Random(1), checkpoint, progress);
    return clone_of(*objective.extra());
  };
  TinyNet straight(1, 6);
  TinyNet killed(1, 6);
  TinyNet continued(3, 6);
  const auto wanted = train(straight, -1, "");
  EXPECT_THROW(train(killed, 7, folder / "fit.safetensors"), Killed);
  const auto parts = train(continued, -1, folder / "fit.safetensors");
  for (const auto& [name, tensor] : state(straight))
    EXPECT_TRUE(at::equal(tensor, continued.named_parameters()[name])) << name;
  ASSERT_EQ(parts.size(), wanted.size());
  for (size_t i = 0; i < parts.size(); ++i)
    EXPECT_TRUE(at::equal(parts[i].second, wanted[i].second)) << parts[i].first;
  EXPECT_THAT(wanted, ::testing::Contains(::testing::Pair("crd.normaliser",
                                                          ::testing::Truly([](const at::Tensor& z) {
                                                            return z.min().item<float>() > 0;
                                                          }))));
}

}  // namespace
}  // namespace distal
