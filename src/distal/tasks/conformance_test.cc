// The promises of tasks/conformance.h, of every task in the catalogue.

#include "distal/tasks/conformance.h"

namespace distal {
namespace {

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<Task>()) all.push_back(row.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryTaskKind, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

TEST(Tasks, AreFoundByTheirFileNames) { EXPECT_THAT(names(), ::testing::Contains("single_label")); }

TEST(Tasks, ANumberOfClassesMeansOneLabelAClip) {
  const LabelSpace labels = 3;
  EXPECT_EQ(labels.task, &default_task());
  EXPECT_EQ(labels.outputs(), 3);
}

}  // namespace
}  // namespace distal
