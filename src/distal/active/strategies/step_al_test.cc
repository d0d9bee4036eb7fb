#include <set>

#include <gmock/gmock.h>

#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/random.h"

namespace distal {
namespace {

/// Clips given as video, predicted class, how sure (logit), embedding.
struct Row {
  const char* video;
  int64_t step;
  double sure, place;
};

PoolScores clips(const std::vector<Row>& rows) {
  PoolScores scores;
  scores.logits = torch::zeros({std::ssize(rows), 3}, torch::kFloat64);
  scores.embeddings = torch::zeros({std::ssize(rows), 1}, torch::kFloat64);
  for (int64_t i = 0; i < std::ssize(rows); ++i) {
    scores.logits[i][rows[i].step] = rows[i].sure;
    scores.embeddings[i][0] = rows[i].place;
    scores.video.push_back(rows[i].video);
  }
  return scores;
}

std::set<std::string> videos(const PoolScores& scores, double budget, uint64_t seed) {
  SelectionOptions options;
  options.ask = "video";
  const auto rows = select(*make<Strategy>("step_al"), scores, budget, options, Random(seed));
  std::set<std::string> all;
  for (int64_t i = 0; i < rows.numel(); ++i) all.insert(scores.video[rows[i].item<int64_t>()]);
  return all;
}

// The mean embedding of every video is 3: only what its steps look like tells them apart.
TEST(StepAl, TakesVideosOfDifferentSteps) {
  const auto scores = clips({{"a", 0, 1, 1},
                             {"a", 1, 1, 5},
                             {"b", 0, 1, 1.1},
                             {"b", 1, 1, 4.9},
                             {"c", 0, 1, 5},
                             {"c", 2, 1, 1},
                             {"d", 0, 1, 4.9},
                             {"d", 2, 1, 1.1}});
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto chosen = videos(scores, 4, seed);
    EXPECT_EQ(chosen.size(), 2u);
    EXPECT_EQ(chosen.contains("a") + chosen.contains("b"), 1);
  }
}

TEST(StepAl, TakesTheUncertainVideoOfACluster) {
  const auto scores = clips({{"a", 0, 9, 1},
                             {"a", 1, 9, 5},
                             {"b", 0, 0.1, 1.4},
                             {"b", 1, 0.1, 4.6},
                             {"c", 0, 9, 50},
                             {"c", 2, 9, 10},
                             {"d", 0, 0.1, 49},
                             {"d", 2, 0.1, 11}});
  for (uint64_t seed = 0; seed < 8; ++seed)
    EXPECT_EQ(videos(scores, 4, seed), (std::set<std::string>{"b", "d"}));
}

TEST(StepAl, KeepsAwayFromWhatThisRoundHasChosen) {
  auto scores = clips({{"a", 0, 1, 1}, {"b", 0, 1, 1.1}, {"c", 1, 1, 9}});
  PoolScores chosen = subset(scores, {0});
  PoolScores rest = subset(scores, {1, 2});
  rest.chosen = std::make_shared<PoolScores>(chosen);
  for (uint64_t seed = 0; seed < 8; ++seed)
    EXPECT_EQ(make<Strategy>("step_al")->select(rest, 1, Random(seed))[0].item<int64_t>(), 1);
}

}  // namespace
}  // namespace distal
