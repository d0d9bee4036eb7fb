// Every file of tasks/ and contrasts/ keeps the promises of its family.

#include "distal/pretext/conformance.h"
#include "distal/base/catalogue.h"

namespace distal {
namespace {

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const auto& row : catalogue<PretextTask>()) names.push_back(row.name);
  return names;
}

std::vector<std::string> contrast_names() {
  std::vector<std::string> names;
  for (const auto& row : catalogue<Contrast>()) names.push_back(row.name);
  return names;
}

const auto kName = [](const auto& info) { return info.param; };

INSTANTIATE_TEST_SUITE_P(Tasks, EveryTask, ::testing::ValuesIn(task_names()), kName);
INSTANTIATE_TEST_SUITE_P(Contrasts, EveryContrast, ::testing::ValuesIn(contrast_names()), kName);

}  // namespace
}  // namespace distal
