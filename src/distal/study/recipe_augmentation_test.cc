// What a recipe says of augmentation that may contradict its labels, and what it refuses.

#include <gmock/gmock.h>

#include "distal/base/error.h"
#include "distal/base/testing.h"
#include "distal/study/recipe.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Study study(const std::string& yaml) {
  return read_study(
      Document::text("data: {pool: {csv: p.csv}, test: {csv: t.csv}}\nrounds: 0\n" + yaml,
                     "r.yaml"),
      "r");
}

TEST(RecipeAugmentation, IsNoneUnlessAsked) {
  const auto plain = study("");
  EXPECT_EQ(plain.arms.front().options.student.augment.family.name, "none");
  EXPECT_THAT(plain.notes, IsEmpty());
}

TEST(RecipeAugmentation, NotesOnceWhatMayContradictTheLabels) {
  const auto all =
      study("arms: {plain: {}, naive: {student: {augment: {family: temporal_naive}}}, reversed: "
            "{student: {augment: {family: {name: temporal_naive, of: reverse}}}},\n"
            "  naive too: {student: {augment: {family: temporal_naive, flip: 0.5}}}, safe: "
            "{student: {augment: {family: temporal_safe}}},\n"
            "  told: {student: {augment: {family: task_aware}}}}");
  EXPECT_THAT(
      all.notes,
      ElementsAre(
          HasSubstr("temporal_naive (reverse) of reversed may change"),
          HasSubstr("temporal_naive (reverse, shuffle, speed) of naive, naive too may change")));
}

TEST(RecipeAugmentation, IsRefusedBeforeAFrozenBackbone) {
  EXPECT_THAT(error_of<UsageError>([] {
                study("student: {model: {name: resnet3d, freeze: backbone}, augment: {family: "
                      "mixup}}");
              }),
              HasSubstr("student.augment.family = mixup has no effect on a frozen backbone"));
}

TEST(RecipeAugmentation, IsPartOfWhatResultsDependOn) {
  const auto decisive = [](const std::string& family) {
    const Study read = study("student: {augment: {family: " + family + "}}");
    return decisive_options(read.shared, read.arms.front().options);
  };
  EXPECT_EQ(decisive("mixup"), decisive("{name: mixup, alpha: 0.2}"));
  EXPECT_NE(decisive("mixup"), decisive("{name: mixup, alpha: 0.3}"));
}

}  // namespace
}  // namespace distal
