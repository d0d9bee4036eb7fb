// What a recipe says of augmentation that may contradict its labels, and what it refuses.

#include <gmock/gmock.h>

#include "distal/study/recipe.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Experiment experiment(const std::string& yaml) {
  return read_experiment(Document::text("data: {pool: {csv: p.csv}, test: {csv: t.csv}}\nrounds: 0\n" + yaml, "r.yaml"), "r");
}

TEST(RecipeAugmentation, IsNoneUnlessAsked) {
  const auto plain = experiment("");
  EXPECT_EQ(plain.base().student.augment.family.name, "none");
  EXPECT_THAT(plain.notes, IsEmpty());
}

TEST(RecipeAugmentation, NotesOnceWhatMayContradictTheLabels) {
  const auto all = experiment("arms: {plain: {}, naive: {student: {augment: {family: temporal_naive}}}, reversed: {student: {augment: {family: {name: temporal_naive, of: reverse}}}},\n"
                              "  naive too: {student: {augment: {family: temporal_naive, flip: 0.5}}}, safe: {student: {augment: {family: temporal_safe}}},\n"
                              "  told: {student: {augment: {family: task_aware}}}}");
  EXPECT_THAT(all.notes, ElementsAre(HasSubstr("temporal_naive (reverse) of reversed may change"), HasSubstr("temporal_naive (reverse, shuffle, speed) of naive, naive too may change")));
}

TEST(RecipeAugmentation, IsRefusedBeforeAFrozenBackbone) {
  try {
    experiment("student: {model: {name: resnet3d, freeze: backbone}, augment: {family: mixup}}");
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("student.augment.family = mixup has no effect on a frozen backbone"));
  }
}

TEST(RecipeAugmentation, IsPartOfWhatResultsDependOn) {
  const auto essence_of = [](const std::string& family) { return essence(experiment("student: {augment: {family: " + family + "}}").base()); };
  EXPECT_EQ(essence_of("mixup"), essence_of("{name: mixup, alpha: 0.2}"));
  EXPECT_NE(essence_of("mixup"), essence_of("{name: mixup, alpha: 0.3}"));
}

}  // namespace
}  // namespace distal
