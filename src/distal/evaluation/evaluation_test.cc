#include "distal/evaluation/evaluation.h"

#include <gmock/gmock.h>

#include "distal/base/random.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Clip i of `labels`, in group i / 2; the model says class `said[i]` of two.
ModelAnswers answers(const std::vector<std::string>& labels, const std::vector<int64_t>& said,
                     std::vector<std::string> classes = {"a", "b"}) {
  ModelAnswers of{"model.safetensors", std::move(classes), {}, {}, said};
  for (size_t i = 0; i < labels.size(); ++i) {
    Clip clip;
    clip.video = clip.video_id = fmt::format("video{}", i);
    clip.group = fmt::format("group{}", i / 2);
    clip.end_s = 1;
    of.clips.push_back({fmt::format("video{}.mp4", i), labels[i], clip});
    of.probabilities.insert(of.probabilities.end(),
                            {said[i] == 0 ? 0.75 : 0.25, said[i] == 1 ? 0.75 : 0.25});
  }
  return of;
}

TEST(Evaluation, CountsLabelsThatTheModelDoesNotKnow) {
  const Evaluation of =
      evaluate(answers({"a", "c", "b", "d", "c", "a"}, {0, 0, 0, 1, 1, 0}), Random(1), 50);
  EXPECT_EQ(of.judged.clips(), 3);
  EXPECT_EQ(of.right, 2);
  ASSERT_EQ(of.unknown.size(), 2U);
  EXPECT_EQ(of.unknown[0].name, "c");
  EXPECT_EQ(of.unknown[0].clips, 2);
  EXPECT_EQ(of.unknown[1].name, "d");
  EXPECT_NEAR(of.accuracy_of_all(), 2.0 / 6, 1e-15);
  EXPECT_THAT(of.judged_clip, ElementsAre(0, 2, 5));
  EXPECT_EQ(of.groups.size(), 3U);
  EXPECT_EQ(of.by_video.clusters, 3);
}

TEST(Evaluation, NamesBothSidesWhereNoLabelIsAClass) {
  const std::string error = error_of([] { evaluate(answers({"x", "y"}, {0, 1}), Random(1), 10); });
  EXPECT_THAT(error, HasSubstr("the list has x, y, the model a, b"));
}

TEST(Evaluation, MatchesClassesByNameAndPairsClips) {
  // The second model has its classes the other way round, and misses a clip.
  const Evaluation a = evaluate(answers({"a", "b", "a", "b"}, {0, 1, 0, 0}), Random(1), 50);
  ModelAnswers turned = answers({"a", "b", "a", "b"}, {1, 0, 0, 0}, {"b", "a"});
  turned.clips.erase(turned.clips.begin());
  turned.predicted.erase(turned.predicted.begin());
  turned.probabilities.erase(turned.probabilities.begin(), turned.probabilities.begin() + 2);
  const Evaluation b = evaluate(std::move(turned), Random(1), 50);
  EXPECT_EQ(a.right, 3);
  EXPECT_EQ(b.right, 2);  // "b", then not "a", then "b"
  const auto paired = compare(a, b, Random(1), 50);
  ASSERT_TRUE(paired);
  EXPECT_EQ(paired->clips, 3);
  EXPECT_EQ(paired->both, 1);
  EXPECT_EQ(paired->only_a, 1);
  EXPECT_EQ(paired->only_b, 1);
  EXPECT_EQ(paired->p, 1);
  EXPECT_THAT(sentence_of(*paired, "first", "second"), HasSubstr("No difference of first"));
  EXPECT_THAT(sentence_of(*paired, "first", "second"), HasSubstr("fewer than 6"));
}

TEST(Evaluation, ClaimsADifferenceOnlyOverGroups) {
  std::vector<std::string> labels(40, "a");
  const Evaluation good = evaluate(answers(labels, std::vector<int64_t>(40, 0)), Random(1), 400);
  std::vector<int64_t> wrong(40, 0);
  for (size_t i = 0; i < wrong.size(); i += 2) wrong[i] = 1;  // one in each group
  const Evaluation bad = evaluate(answers(labels, wrong), Random(1), 400);
  const auto paired = compare(good, bad, Random(1), 400);
  EXPECT_THAT(sentence_of(*paired, "good", "bad"), HasSubstr("good is more accurate than bad"));
  EXPECT_EQ(compare(good, evaluate(answers({"a"}, {0}), Random(1), 5), Random(1), 5)->clips, 1);
}

}  // namespace
}  // namespace distal
