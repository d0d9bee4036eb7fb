// The promises of every strategy of the catalogue.

#include "distal/active/conformance.h"
#include "distal/base/catalogue.h"

namespace distal {
namespace {

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& row : catalogue<Strategy>()) all.push_back(row.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryStrategy, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

/// The other tests of this room work on tiny tensors too.
class OneThread : public ::testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
const auto* const kOneThread = ::testing::AddGlobalTestEnvironment(new OneThread);

TEST(Strategies, AreFoundByTheirFileNames) {
  EXPECT_THAT(names(), ::testing::IsSupersetOf({"badge",
                                                "bald",
                                                "boundary",
                                                "clue",
                                                "cluster_margin",
                                                "committee",
                                                "consistency",
                                                "disagreement",
                                                "ensemble",
                                                "entropy",
                                                "facility_location",
                                                "k_center",
                                                "k_center_cosine",
                                                "learning_loss",
                                                "least_confidence",
                                                "margin",
                                                "prob_cover",
                                                "rad",
                                                "random",
                                                "step_al",
                                                "typiclust"}));
}

}  // namespace
}  // namespace distal
