#pragma once
// The promises of every export target, as tests, for targets of yours too. With GoogleTest, in one
// source of a test program:
//
//   #include <distal/deploy/conformance.h>
//   namespace distal {
//   INSTANTIATE_TEST_SUITE_P(Mine, EveryExportTarget, ::testing::Values("mine"));  // its names
//   }
//
// Load a plugin before InitGoogleTest. Each target is tested with its default options. Where its
// reader is absent, only its names are tested.

#include <algorithm>
#include <filesystem>
#include <set>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "distal/base/leftovers.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/data/augment.h"
#include "distal/deploy/export.h"
#include "distal/deploy/model_file.h"
#include "distal/infer/freeze.h"
#include "distal/infer/openvino.h"
#include "distal/models/model.h"

namespace distal {
namespace export_suite {

inline InputOptions small_input() {
  InputOptions input;
  input.sampling.frames = 4;
  input.size_px = 32;
  return input;
}

inline torch::Tensor noise(int64_t clips, uint64_t seed) {
  return at::randn({clips, 3, 4, 32, 32}, at::make_generator<at::CPUGeneratorImpl>(seed));
}

/// A network of three classes, with batch statistics as after training; each seed gives another.
inline std::string save_small_model(const std::string& path, uint64_t seed) {
  const torch::NoGradGuard no_grad;
  ModelOptions options;
  read_options(options, "{name: resnet3d, depth: 10, width: 4}", "suite");
  const Model net = options.build(3, Random(seed));
  net->train();
  net->forward(noise(8, seed));
  net->eval();
  save_model(path, *net, side_json(options, {"a", "b", "c"}, resolved(small_input())));
  return path;
}

inline double relative_error(const torch::Tensor& ours, const torch::Tensor& theirs) {
  return ((ours - theirs).norm() / theirs.norm()).item<double>();
}

inline std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

}  // namespace export_suite

class EveryExportTarget : public ::testing::TestWithParam<std::string> {
 protected:
  EveryExportTarget() {
    for (const TargetChoice& target : export_targets()) {
      if (target.name() == GetParam()) target_ = target;
    }
    std::filesystem::create_directory(folder_ / "out");
    out_ = folder_ / ("out/m" + target_->endings()[0]);
  }

  bool readable() const { return target_->reader().present; }

  void export_from(const std::string& model, bool frames = true) const {
    ExportOptions options;
    options.frames = frames;
    options.model = model;
    options.out = out_;
    ConsoleProgress progress(ConsoleProgress::Mode::quiet);
    export_model(options, progress);
  }

  // In batches of `together` clips.
  Output answers(const std::string& file, const torch::Tensor& clips, int64_t together) const {
    const torch::NoGradGuard no_grad;
    const auto engine = target_->open(file, {});
    std::vector<torch::Tensor> logits;
    std::vector<torch::Tensor> embeddings;
    for (const auto& part : clips.split(std::min(together, engine->batch()))) {
      const Output output = engine->run(part);
      logits.push_back(output.logits);
      embeddings.push_back(output.embedding);
    }
    return {at::cat(logits), at::cat(embeddings)};
  }

  static Output network_answers(const std::string& model, const torch::Tensor& clips,
                                int64_t together) {
    const torch::NoGradGuard no_grad;
    const SavedModel saved = load_model(model);
    std::vector<torch::Tensor> logits;
    std::vector<torch::Tensor> embeddings;
    for (const auto& part : clips.split(together)) {
      const Output output = saved.net->forward(part);
      logits.push_back(output.logits);
      embeddings.push_back(output.embedding);
    }
    return {at::cat(logits), at::cat(embeddings)};
  }

  void expect_answers_of(const std::string& model) const {
    using export_suite::relative_error;
    const torch::Tensor clips = export_suite::noise(3, 5);
    const std::vector<int64_t> numbers =
        target_->takes_any_batch() ? std::vector<int64_t>{1, 3} : std::vector<int64_t>{1};
    for (const int64_t together : numbers) {
      const Output ours = network_answers(model, clips, together);
      const Output theirs = answers(out_, clips, together);
      ASSERT_EQ(theirs.logits.sizes(), ours.logits.sizes());
      ASSERT_EQ(theirs.embedding.sizes(), ours.embedding.sizes());
      EXPECT_LE(relative_error(theirs.logits, ours.logits), target_->tolerance()) << together;
      EXPECT_LE(relative_error(theirs.embedding, ours.embedding), target_->tolerance()) << together;
      EXPECT_GT(relative_error(theirs.logits.flip(0), ours.logits), 10 * target_->tolerance())
          << "clips have answers of their own";
    }
  }

  const TemporaryFolder folder_;
  const std::string model_ = export_suite::save_small_model(folder_ / "model.safetensors", 1);
  TargetChoice target_;
  std::string out_;
};

TEST_P(EveryExportTarget, IsFoundByItsEndingAndNoOtherIs) {
  EXPECT_EQ(target_of_file(out_).name(), GetParam());
  EXPECT_NE(target_->title(), "");
  std::set<std::string> mine;
  for (const std::string& ending : target_->endings()) {
    EXPECT_TRUE(ending.starts_with(".") && ending.size() > 1) << ending;
    EXPECT_TRUE(mine.insert(ending).second) << ending;
    if (!target_->holds_graph() || target_.in_plugin()) continue;
    EXPECT_TRUE(is_unfinished(unfinished_name("m", 1) + ending))
        << "list " << ending << " in base/leftovers.cc, or killed exports leave it behind";
  }
  EXPECT_NE(target_->description_of(out_), out_);
}

TEST_P(EveryExportTarget, AnswersLikeTheNetworkItWasMadeFrom) {
  if (!readable()) GTEST_SKIP() << "nothing here reads it";
  export_from(model_);
  expect_answers_of(model_);
}

TEST_P(EveryExportTarget, AnswersLikeTheNetworkWhereItTakesClips) {
  if (!readable()) GTEST_SKIP() << "nothing here reads it";
  export_from(model_, /*frames=*/false);
  expect_answers_of(model_);
}

TEST_P(EveryExportTarget, MakesClipsOfFramesOfAnySize) {
  if (!readable() || !target_->holds_graph()) GTEST_SKIP() << "nothing here reads it";
  export_from(model_);
  const torch::NoGradGuard no_grad;
  const SavedModel saved = load_model(model_);
  const int64_t side = export_suite::small_input().cached_short_side_px();
  for (const auto& [height, width] : {std::pair{side, side}, {side, side + 13}, {side + 8, side}}) {
    const torch::Tensor frames = at::randint(
        0, 256, {1, 4, height, width, 3}, at::make_generator<at::CPUGeneratorImpl>(1), at::kByte);
    const torch::Tensor found = target_->probabilities(out_, frames);
    if (!found.defined()) GTEST_SKIP() << "nothing here runs the whole of it";
    const torch::Tensor clip = centre(frames[0], export_suite::small_input().size_px).unsqueeze(0);
    const torch::Tensor expected = at::softmax(saved.net->forward(clip).logits, 1);
    EXPECT_LE((found - expected).abs().max().item<double>(), 1e-4) << height << "x" << width;
  }
  // Smooth pictures four times as large say nearly the same.
  const torch::Tensor small = (at::linspace(0, 1, side * side).view({1, 1, side, side, 1}) * 200)
                                  .expand({1, 4, side, side, 3})
                                  .to(at::kByte);
  const torch::Tensor large = small.repeat_interleave(4, 2).repeat_interleave(4, 3);
  EXPECT_LE((target_->probabilities(out_, large) - target_->probabilities(out_, small))
                .abs()
                .max()
                .item<double>(),
            5e-3);
}

TEST_P(EveryExportTarget, KeepsTheDescriptionAndAnEngineForIt) {
  if (!readable()) GTEST_SKIP() << "nothing here reads it";
  export_from(model_);
  const OpenedModel opened = open_model(out_);
  EXPECT_EQ(opened.saved.input_yaml, load_model(model_).input_yaml);
  EXPECT_THAT(opened.saved.classes, ::testing::ElementsAre("a", "b", "c"));
  EXPECT_EQ(clip_sizes(opened.input), clip_sizes(export_suite::small_input()));
  const torch::Tensor clips = export_suite::noise(1, 6);
  const auto engine = engine_of(opened, "", "auto", 1, 1, nullptr);
  EXPECT_TRUE(at::allclose(engine->run(clips).logits, answers(out_, clips, 1).logits));
}

TEST_P(EveryExportTarget, WritesTheFilesItNamesAndNoOthers) {
  if (!readable()) GTEST_SKIP() << "nothing here reads it";
  export_from(model_);
  std::set<std::string> expected = {
      std::filesystem::path(target_->description_of(out_)).filename().string()};
  for (const std::string& ending : target_->endings()) expected.insert("m" + ending);
  if (target_->holds_graph()) {
    expected.insert({std::filesystem::path(out_ + ".py").filename().string(),
                     std::filesystem::path(out_ + ".md").filename().string()});
  }
  EXPECT_EQ(export_suite::names_in(folder_ / "out"), expected);
}

TEST_P(EveryExportTarget, ReplacesAnOlderModel) {
  if (!readable()) GTEST_SKIP() << "nothing here reads it";
  export_from(model_);
  const std::string newer = export_suite::save_small_model(folder_ / "newer.safetensors", 2);
  export_from(newer);
  expect_answers_of(newer);
}

TEST_P(EveryExportTarget, RefusesAFileThatWasCutOff) {
  if (!readable()) GTEST_SKIP() << "nothing here reads it";
  export_from(model_);
  std::filesystem::resize_file(out_, std::filesystem::file_size(out_) / 2);
  EXPECT_THAT(error_of([&] { target_->open(out_, {}); }),
              ::testing::HasSubstr(std::filesystem::path(out_).filename().string()));
}

TEST_P(EveryExportTarget, HoldsEightBitsOrRefusesThem) {
  if (!target_->carries_int8()) {
    ExportOptions options;
    options.model = model_;
    options.out = out_;
    options.int8.emplace();
    options.int8->videos = {"absent.mp4"};
    EXPECT_THAT(error_of<UsageError>([&] { require_consistent(options); }),
                ::testing::HasSubstr(GetParam() + " keeps the float weights"));
    return;
  }
  if (!readable() || !openvino_present()) GTEST_SKIP() << "nothing here reads or quantises it";
  const SavedModel saved = load_model(model_);
  QuantiseOptions all_layers;
  all_layers.tolerance = 1;
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  const OnnxModel graph = freeze(*saved.net, clip_sizes(export_suite::small_input()));
  const Quantised int8 =
      quantise(graph, export_suite::noise(16, 3), all_layers, /*threads=*/1, progress);
  ASSERT_GT(int8.layers, 0);
  UnfinishedFile files(folder_ / "m8", target_->endings());
  target_->write_graph(int8.model, files);
  const torch::Tensor clips = export_suite::noise(2, 7);
  const double error = export_suite::relative_error(answers(files.name(), clips, 1).logits,
                                                    network_answers(model_, clips, 1).logits);
  EXPECT_LT(error, 0.2);
  EXPECT_GT(error, 1e-4) << "in float after all";
}

}  // namespace distal
