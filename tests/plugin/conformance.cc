// distal_conformance FILE.so [--gtest_filter=...]: runs the methods of a plugin through the
// promises of their families.

#include <cstdio>

#include "distal/active/conformance.h"
#include "distal/base/plugin.h"
#include "distal/data/conformance.h"
#include "distal/deploy/conformance.h"
#include "distal/distill/conformance.h"
#include "distal/models/conformance.h"
#include "distal/pretext/conformance.h"

namespace distal {
namespace {

template <class Family>
std::vector<std::string> added() {
  std::vector<std::string> names;
  for (const auto& row : catalogue<Family>()) {
    if (!row.plugin.empty()) names.push_back(row.name);
  }
  return names;
}

// At their defaults, which may make them slow.
std::vector<SmallBackbone> added_backbones() {
  std::vector<SmallBackbone> members;
  for (const auto& name : added<Backbone>()) members.push_back({name, ""});
  return members;
}

const auto kName = [](const auto& info) { return info.param; };

INSTANTIATE_TEST_SUITE_P(Plugin, EveryStrategy, ::testing::ValuesIn(added<Strategy>()), kName);
INSTANTIATE_TEST_SUITE_P(Plugin, EveryLoss, ::testing::ValuesIn(added<DistillLoss>()), kName);
INSTANTIATE_TEST_SUITE_P(Plugin, EveryAugmentation, ::testing::ValuesIn(added<Augmentation>()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Plugin, EveryBackbone, ::testing::ValuesIn(added_backbones()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Plugin, EveryExportTarget, ::testing::ValuesIn(added<ExportTarget>()),
                         kName);
INSTANTIATE_TEST_SUITE_P(Plugin, EveryTask, ::testing::ValuesIn(added<PretextTask>()), kName);
INSTANTIATE_TEST_SUITE_P(Plugin, EveryContrast, ::testing::ValuesIn(added<Contrast>()), kName);

}  // namespace

// A plugin has no method of most families.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryStrategy);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryLoss);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryAugmentation);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryBackbone);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryExportTarget);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryTask);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryContrast);

}  // namespace distal

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    std::fputs("distal_conformance FILE.so [--gtest_filter=...]: tests the methods of a plugin\n",
               stderr);
    return 2;
  }
  try {
    distal::load_plugin(argv[1]);
  } catch (const distal::Error& error) {
    std::fprintf(stderr, "distal_conformance: %s\n", error.what());
    return 2;
  }
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
