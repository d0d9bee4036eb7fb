// Training for an experiment, on small generated videos with a frozen backbone.

#include "distal/learn/network_trainer.h"

#include <fstream>

#include "distal/base/document.h"
#include "distal/base/files.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/distill/loss.h"
#include "distal/infer/openvino.h"
#include "distal/learn/testing.h"
#include "distal/models/gate.h"
#include "distal/models/network_testing.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

using ::testing::SizeIs;

class LearningTest : public ::testing::Test {
 protected:
  LearningTest() {
    clips_ = small_clips(folder_, 12);
    input_.size_px = 32;
    input_.sampling.frames = 4;
    read_options(loss_, "{name: black_box}", "test");
    read_options(learner_,
                 "{model: {name: resnet3d, depth: 10, width: 4, freeze: [backbone]}, training: "
                 "{steps: 12, batch_size: 5}}",
                 "test");
  }

  struct Start {
    Start(const LearningTest& test, const std::string& name)
        : reader(test.input_, {test.folder_ / "frames", 1}),
          learning(
              reader, {{"left", "right"}}, [clips = test.clips_] { return clips; },
              test.folder_ / name, progress) {}
    /// float32 [1, 3, T, H, W], as it is evaluated.
    torch::Tensor reader_clip(const Clip& clip) {
      const std::vector<Clip> clips = {clip};
      return EvaluationBatches(reader, clips, LabelSpace(2), 1, 0).next()->clips;
    }
    ConsoleProgress progress{ConsoleProgress::Mode::quiet};
    ClipReader reader;
    NetworkTrainer learning;
  };

  std::vector<Sample> samples(std::vector<int> rows) const {
    std::vector<Sample> made;
    for (const int row : rows)
      made.push_back(
          {clips_[row], row % 2 == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1}});
    return made;
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  InputOptions input_;
  Learner learner_;
  Choice<DistillLoss> loss_{"black_box"};
};

TEST_F(LearningTest, AClipsFeaturesDoNotDependOnWhatElseWasAskedBefore) {
  Start whole(*this, "whole");
  Start parts(*this, "parts");
  const Model net = learner_.model.build(2, Random(1));
  const Predictions all = whole.learning.predict(*net, learner_, clips_);
  parts.learning.predict(*net, learner_, {clips_[7]});
  const Predictions later = parts.learning.predict(*net, learner_, {clips_[3], clips_[9]});
  EXPECT_TRUE(later.embeddings[0].equal(all.embeddings[3]));
  EXPECT_TRUE(later.embeddings[1].equal(all.embeddings[9]));
}

TEST_F(LearningTest, AFrozenGraphPredictsWhatTheNetworkDoesAndPassesOverWhatCannotBeRead) {
  clips_ = small_clips(folder_, 30);
  std::ofstream(clips_[13].video) << "no video any more";
  learner_.model.freeze.clear();
  const Model net = learner_.model.build(2, Random(1));
  Start plain(*this, "plain");
  Start frozen(*this, "frozen");
  frozen.learning.worth_freezing = 1;
  const Predictions expected = plain.learning.predict(*net, learner_, clips_);
  const Predictions found = frozen.learning.predict(*net, learner_, clips_);
  EXPECT_EQ(found.rows.size(0), 29);
  EXPECT_TRUE(found.rows.equal(expected.rows));
  EXPECT_TRUE(torch::allclose(found.logits, expected.logits, 1e-4, 1e-6));
  EXPECT_TRUE(torch::allclose(found.embeddings, expected.embeddings, 1e-4, 1e-6));
  EXPECT_TRUE(frozen.learning.predict(*net, learner_, {clips_[13]}).rows.size(0) == 0);
}

TEST_F(LearningTest, AStrategyIsShownWhatTheNetworkComputesInThePrecisionItTrainsIn) {
  learner_.model.freeze.clear();
  const Model net = learner_.model.build(2, Random(1));
  Start start(*this, "score");
  const std::vector<Clip> few(clips_.begin(), clips_.begin() + 2);
  const auto whole = start.learning.predict(*net, learner_, clips_).logits;
  const auto alone = start.learning.score(*net, learner_, refs_of(few)).logits;
  EXPECT_TRUE(alone.equal(whole.slice(0, 0, 2))) << "few clips are not worth a graph";
  if (!openvino_present()) GTEST_SKIP() << "built without OpenVINO";
  start.learning.worth_freezing = 12;
  const auto scored = start.learning.score(*net, learner_, refs_of(clips_)).logits;
  const auto beside = start.learning.score(*net, learner_, refs_of(few), 12).logits;
  EXPECT_TRUE(torch::allclose(scored, whole, 0.05, 0.05));
  EXPECT_EQ(torch::allclose(scored, whole, 1e-4, 1e-6), !cpu_has_bf16());
  EXPECT_TRUE(torch::allclose(beside, scored.slice(0, 0, 2), 1e-4, 1e-6)) << "as the many are";
  learner_.training.precision = "f32";
  EXPECT_TRUE(torch::allclose(start.learning.score(*net, learner_, refs_of(clips_)).logits, whole,
                              1e-4, 1e-6));
}

TEST_F(LearningTest, ClipsAreReadBeforeTheyAreLearnedFrom) {
  learner_.model.freeze.clear();
  learner_.training.steps = 1;
  learner_.training.batch_size = 6;
  Start sees_all(*this, "all");
  Start sees_some(*this, "some");
  const auto first = samples({0, 1, 2, 3, 4, 5});
  const auto others = samples({6, 7, 8, 9, 10, 11, 0});
  sees_all.learning.train(learner_, loss_, first, Random(1), "all");
  EXPECT_EQ(sees_all.reader.counts().decoded_frames, 6 * 8) << "what training may ask for";
  EXPECT_EQ(sees_all.reader.counts().misses, 6) << "each video once";
  sees_some.learning.train(learner_, loss_, others, Random(1),
                           "some");  // one clip more than it sees
  EXPECT_LE(sees_some.reader.counts().decoded_frames, 6 * 8);
}

TEST_F(LearningTest, WhatATrainingYieldsDependsOnItsSamplesTheirOrderAndTheSeed) {
  Start first(*this, "first");
  Start again(*this, "again");
  const auto train = [&](Start& at, std::vector<int> rows, uint64_t seed) {
    return at.learning.train(learner_, loss_, samples(rows), Random(seed), "test");
  };
  const Model a = train(first, {0, 1, 2, 3}, 1);
  EXPECT_TRUE(same(*a, *train(again, {0, 1, 2, 3}, 1)));
  EXPECT_TRUE(same(*a, *train(first, {0, 1, 2, 3}, 1))) << "found again on disk";
  EXPECT_FALSE(same(*a, *train(first, {0, 1, 2, 5}, 1)));
  EXPECT_FALSE(same(*a, *train(first, {0, 1, 2, 3}, 2)));
}

TEST_F(LearningTest, KeptWeightsThatAreDamagedAreTrainedAgain) {
  Start at(*this, "kept");
  const auto train = [&] {
    return at.learning.train(learner_, loss_, samples({0, 1, 2, 3}), Random(1), "test");
  };
  const Model first = train();
  std::vector<std::string> kept;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "kept"))
    kept.push_back(entry.path());
  ASSERT_EQ(kept.size(), 1u);
  const std::string bytes = read_file(kept[0]);
  std::string changed = bytes;
  changed[bytes.size() - 30] ^= 1;
  for (const std::string& damaged : {changed, bytes.substr(0, bytes.size() / 2), std::string(),
                                     std::string(bytes.size(), '\0')}) {
    write_atomically(kept[0], damaged);
    EXPECT_TRUE(same(*first, *train()));
    EXPECT_EQ(read_file(kept[0]), bytes) << "and kept again";
  }
}

TEST_F(LearningTest, AnEarlierModelIsTakenWhereItsTrainingWasTheSame) {
  const std::string path = folder_ / "earlier.safetensors";
  const auto train = [&](const std::string& folder, uint64_t seed) {
    Start at(*this, folder);
    at.learning.reuse(path);
    const Model net = at.learning.train(learner_, loss_, samples({0, 1, 2, 3}), Random(seed), "it");
    return std::pair(net, at.learning.training());
  };
  const auto [trained, print] = train("first", 1);
  const auto save = [&](const Net& net, const std::string& training) {
    save_model(path, net, side_json(learner_.model, {"a", "b"}, ""), training);
  };
  const Model other = learner_.model.build(2, Random(9));  // so that weights taken over are known
  save(*other, print);
  EXPECT_TRUE(same(*other, *train("same", 1).first));
  EXPECT_FALSE(same(*other, *train("another seed", 2).first));
  learner_.training.steps += 1;
  EXPECT_FALSE(same(*other, *train("another option", 1).first));
  learner_.training.steps -= 1;
  save(*other, "");
  EXPECT_TRUE(same(*trained, *train("no fingerprint", 1).first));
  save(*other, print);
  std::string bytes = read_file(path);
  bytes[bytes.size() - 30] ^= 1;
  std::ofstream(path) << bytes;
  EXPECT_TRUE(same(*trained, *train("damaged", 1).first));
}

TEST_F(LearningTest, ATeachersWordIsLearnedBesideTheTruth) {
  Start at(*this, "taught");
  auto taught = samples({0, 1, 2, 3});
  const Model labels = at.learning.train(learner_, loss_, taught, Random(1), "test");
  for (Sample& sample : taught) sample.teacher = {0.5f, 0.5f};
  EXPECT_FALSE(same(*labels, *at.learning.train(learner_, loss_, taught, Random(1), "test")));
  Choice<DistillLoss> little, much;
  read_options(little, "{name: kd, alpha: 0.1}", "test");
  read_options(much, "{name: kd, alpha: 0.9}", "test");
  EXPECT_FALSE(same(*at.learning.train(learner_, little, taught, Random(1), "test"),
                    *at.learning.train(learner_, much, taught, Random(1), "test")))
      << "alpha has an effect where a clip has both";
}

// Seven clips of one class and one of the other: drawn evenly, the rare class is half of what the
// head sees.
TEST_F(LearningTest, ClassBalanceHoldsWithAFrozenBackboneToo) {
  Start at(*this, "balance");
  learner_.training.steps = 60;
  const auto rare = samples({0, 2, 4, 6, 8, 10, 1});
  const auto share_of_rare = [&](bool balanced) {
    Learner learner = learner_;
    learner.training.class_balanced = balanced;
    const Model net = at.learning.train(learner, loss_, rare, Random(1), "test");
    return at.learning.predict(*net, learner, clips_)
        .logits.softmax(1)
        .select(1, 1)
        .mean()
        .item<double>();
  };
  EXPECT_GT(share_of_rare(true), share_of_rare(false) + 0.1);
}

TEST_F(LearningTest, EpochsCountTheSamples) {
  Start at(*this, "epochs");
  learner_.training.epochs = 2;  // ceil(2 x 8 / 5) = 4 steps
  Learner steps = learner_;
  steps.training.epochs = 0;
  steps.training.steps = 4;
  const auto eight = samples({0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_TRUE(same(*at.learning.train(learner_, loss_, eight, Random(1), "test"),
                   *at.learning.train(steps, loss_, eight, Random(1), "test")));
}

TEST_F(LearningTest, ANetworkOfOthersComputesEachClipOnceForAllHeadsSeedsAndTrainers) {
  SmallNetwork(5).write(folder_ / "small.onnx", 32);
  Start first(*this, "first");
  Start second(*this, "second");
  const auto learner = [&](const std::string& head) {
    Learner read;
    read_options(read,
                 fmt::format("{{model: {{name: network, network: {{file: {}}}, {}}}, training: "
                             "{{steps: 150, batch_size: 5, learning_rate: 0.1}}}}",
                             folder_ / "small.onnx", head),
                 "test");
    return read;
  };
  if (!openvino_present()) GTEST_SKIP() << "built without OpenVINO";
  first.learning.compute_features(learner("head: linear"));
  EXPECT_EQ(first.learning.feature_counts().computed, 12);
  for (const char* head : {"head: linear", "head: probe", "head: mlp, hidden: 16"}) {
    for (const uint64_t seed : {1, 2}) {
      const auto train = [&](Start& start) {
        return start.learning.train(learner(head), loss_, samples({0, 1, 2, 3, 4, 5}), Random(seed),
                                    "t");
      };
      const Model one = train(first);
      const Model two = train(second);
      EXPECT_TRUE(same(*one, *two)) << head << ": with computed features as with found ones";
      const Predictions seen = first.learning.predict(*one, learner(head), clips_);
      const Output exact = one->forward(first.reader_clip(clips_[7]));
      EXPECT_TRUE(torch::allclose(seen.embeddings[7], exact.embedding[0], 1.0 / 256, 1e-3))
          << "bf16 of what the network gives";
    }
  }
  EXPECT_EQ(first.learning.feature_counts().computed, 12);
  EXPECT_EQ(second.learning.feature_counts().computed, 0);
  EXPECT_EQ(second.learning.feature_counts().found, 12);
  EXPECT_THAT(second.learning.take_notes(),
              ::testing::Contains(
                  "Features of the frozen network: 0 clips computed, 12 found in the cache"));
}

}  // namespace
}  // namespace distal
