// What pre-training alone gives, on small generated videos, and which recipes ask for it.

#include "distal/study/pretraining_alone.h"

#include <fstream>

#include "distal/base/progress.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/study/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kLearner =
    "{model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 3, batch_size: 4}, "
    "pretext: {tasks: [reverse, speed], speed: {strides: [1, 2]}, dim: 8, hidden: 8, training: "
    "{steps: 3, batch_size: 4, precision: f32}}}";

TEST(PretrainingAlone, StandsOnAPoolWithoutLabels) {
  const TemporaryFolder folder;
  ConsoleProgress quiet{ConsoleProgress::Mode::quiet};
  small_clips(folder, 8, 12);
  const auto list = [&](const std::string& name, int first, int end, bool labelled) {
    std::ofstream file(folder / name);
    file << (labelled ? "path,label\n" : "path\n");
    for (int i = first; i < end; ++i)
      file << i << ".mp4" << (labelled ? "," + motions()[i % 2] : "") << "\n";
  };
  list("pool.csv", 0, 4, false);
  list("start.csv", 4, 6, true);
  list("test.csv", 6, 8, true);
  Recipe recipe;
  const std::string common = fmt::format("{{data: {{root: {}, pool: {{csv: pool.csv}}}}, input: "
                                         "{{size_px: 32, sampling: {{frames: 4}}}}, "
                                         "cache: {{folder: {}}}, student: {}}}",
                                         folder.path(), folder / "frames", kLearner);
  read_options(recipe, common, "test");
  EXPECT_TRUE(pretrains_only(recipe.shared, recipe.arm.student));
  EXPECT_THAT(pretraining_plan(recipe.shared, recipe.arm.student), HasSubstr("3 steps of 4 clips"));
  const Pretrained alone = pretrain(recipe.shared, recipe.arm.student, folder / "alone", quiet);
  EXPECT_EQ(alone.clips, 4);
  EXPECT_FALSE(alone.probe.has_value());
  recipe.shared.data.start = ListOptions{"start.csv", ""};
  recipe.shared.data.test = ListOptions{"test.csv", ""};
  const Pretrained measured =
      pretrain(recipe.shared, recipe.arm.student, folder / "measured", quiet);
  ASSERT_TRUE(measured.probe.has_value());
  EXPECT_EQ(measured.learned_from, 2);
  EXPECT_EQ(measured.tested_on, 2);
  EXPECT_THAT(measured.text(), HasSubstr("linear probe"));
  EXPECT_EQ(load_model(measured.model).classes.size(), 2U);
  EXPECT_THAT(load_model(alone.model).classes, ::testing::ElementsAre("none"));
  recipe.shared.data.pool.csv = "start.csv";
  EXPECT_FALSE(pretrains_only(recipe.shared, recipe.arm.student))
      << "labels are there to be learned";
}

TEST(PretextRecipe, IsReadWhereALearnerIs) {
  const std::string lists = "{data: {pool: {csv: pool.csv}, test: {csv: test.csv}}, rounds: 0, ";
  const auto read = [&](const std::string& rest) {
    try {
      read_study(Document::text(lists + rest, "recipe"), "recipe");
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(read("student: {pretext: {contrast: byol, tasks: [rotation]}}}"), IsEmpty());
  EXPECT_THAT(read("student: {pretext: {mode: both}}, arms: {a: {}, b: {student: {pretext: {mode: "
                   "augment}}}, c: {student: {pretext: ~}}}}"),
              IsEmpty());
  EXPECT_THAT(read("student: {pretext: {tasks: [shuffle]}}, input: {sampling: {frames: 2}}}"),
              HasSubstr("cannot be cut into 4 chunks"));
  EXPECT_THAT(read("student: {probe: true}}"), HasSubstr("model.freeze: [backbone]"));
  EXPECT_THAT(read("student: {pretext: {contrast: mocko}}}"), HasSubstr("did you mean moco?"));
}

}  // namespace
}  // namespace distal
