// Students of features in files: a head is trained, and no video is decoded.

#include "distal/base/document.h"
#include "distal/base/npy.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/batches.h"
#include "distal/distill/loss.h"
#include "distal/infer/openvino.h"
#include "distal/learn/network_trainer.h"
#include "distal/learn/testing.h"
#include "distal/models/network_testing.h"

namespace distal {
namespace {

class FeaturesTest : public ::testing::Test {
 protected:
  FeaturesTest() : clips_(small_clips(folder_, 12)), reader_({}, {folder_ / "frames", 1}) {
    save(1);
    std::string list = "path\n";
    for (auto clip = clips_.rbegin(); clip != clips_.rend(); ++clip)  // the last clip first
      list += clip->video.str() + "\n";
    folder_.write("f.csv", list);
  }

  // The first number tells the class, times `scale`; seven others are noise.
  void save(double scale) {
    torch::Tensor array = torch::randn({12, 8});
    for (int64_t i = 0; i < 12; ++i)
      array[i][0] = scale * (clips_[static_cast<size_t>(11 - i)].label == 0 ? -2.0 : 2.0);
    write_npy(folder_ / "f.npy", array);
    array_ = array.flip(0);  // in the order of the clips
  }

  Learner learner(const std::string& more) const {
    Learner learner;
    read_options(learner,
                 fmt::format("{{model: {{name: features, features: {0}/f.npy, list: {0}/f.csv, "
                             "{1}}}{2}}}",
                             folder_.path(), more,
                             more.find("probe") != std::string::npos
                                 ? ""
                                 : ", training: {steps: 200, batch_size: 8, learning_rate: 0.05}"),
                 "test");
    return learner;
  }

  NetworkTrainer& trainer() {
    trainer_ = std::make_unique<NetworkTrainer>(
        reader_, Classes{{"left", "right"}}, [this] { return clips_; }, folder_ / "unfinished",
        progress_);
    trainer_->embed([this] { return clips_; }, "");
    return *trainer_;
  }

  Model train(NetworkTrainer& trainer, const Learner& learner) {
    std::vector<Sample> samples;
    for (int i = 0; i < 8; ++i) samples.push_back({clips_[i], truth_of(clips_[i])});
    return trainer.train(learner, Choice<DistillLoss>(), samples, Random(1), "head");
  }

  TemporaryFolder folder_;
  std::vector<Clip> clips_;
  torch::Tensor array_;
  ClipReader reader_;
  ConsoleProgress progress_{ConsoleProgress::Mode::quiet};
  std::unique_ptr<NetworkTrainer> trainer_;
};

TEST_F(FeaturesTest, AStudentTrainsAHeadAndDecodesNothing) {
  for (const char* head :
       {"head: linear", "head: mlp, hidden: 6", "head: probe", "head: linear, dropout: 0.2"}) {
    const Learner learner = this->learner(head);
    EXPECT_TRUE(learner.backbone_frozen());
    EXPECT_FALSE(learner.reads_frames());
    NetworkTrainer& trainer = this->trainer();
    const Model net = train(trainer, learner);
    const Predictions seen = trainer.predict(*net, learner, clips_);
    EXPECT_TRUE(seen.rows.equal(torch::arange(12)));
    EXPECT_TRUE(seen.embeddings.equal(array_)) << "of each clip its own row";
    for (int64_t i = 0; i < 8; ++i)
      EXPECT_EQ(seen.logits[i].argmax().item<int64_t>(), clips_[static_cast<size_t>(i)].label)
          << head;
    EXPECT_THAT(error_of([&] {
                  net->forward(torch::zeros({1, 3, 4, 32, 32}));
                }),
                ::testing::HasSubstr("reads rows of"));
  }
  const auto counts = reader_.counts();
  EXPECT_EQ(counts.hits + counts.misses, 0);
}

TEST_F(FeaturesTest, AStudentIsTrainedAgainWhereTheFilesHoldOthers) {
  const Learner learner = this->learner("head: linear");
  train(trainer(), learner);
  const std::string first = trainer_->training();
  train(trainer(), learner);
  EXPECT_EQ(trainer_->training(), first);
  save(3);
  train(trainer(), learner);
  EXPECT_NE(trainer_->training(), first);
}

TEST_F(FeaturesTest, EmbeddingsOfANetworkAreWhatItGivesInItsOwnSizeAndAreComputedOnce) {
  if (!openvino_present()) GTEST_SKIP() << "built without OpenVINO";
  const SmallNetwork network(5);
  network.write(folder_ / "small.onnx", 48);
  EmbeddingOptions options;
  read_options(options, fmt::format("{{network: {{file: {}}}}}", folder_ / "small.onnx"), "test");
  const std::vector<Clip> asked = {clips_[7], clips_[2], clips_[9]};
  const Predictions seen = trainer().embeddings(options, refs_of(asked));
  EXPECT_TRUE(seen.rows.equal(torch::arange(3)));
  EXPECT_EQ(trainer_->feature_counts().computed, 12);

  InputOptions input;
  input.size_px = 48;
  ClipReader reader(input, {folder_ / "frames", 1});
  EvaluationBatches batches(reader, asked, LabelSpace(2), 3, /*threads=*/1);
  const torch::Tensor exact = network.features(batches.next()->clips);
  // The cache holds bf16. Before it, OpenVINO and PyTorch differ by less than 1e-4.
  const torch::Tensor rounded = exact.to(torch::kBFloat16).to(torch::kFloat32);
  EXPECT_TRUE(torch::allclose(seen.embeddings, rounded, /*rtol=*/1.0 / 128, /*atol=*/1e-4));
  EXPECT_GE(seen.embeddings.eq(rounded).sum().item<int64_t>(), rounded.numel() - 2)
      << "all but values at the edge of two bf16 numbers";

  Clip view = clips_[7];
  view.view = 1;
  EXPECT_TRUE(trainer_->embeddings(options, {&view}).embeddings[0].equal(seen.embeddings[0]));
  trainer().embeddings(options, refs_of(asked));
  EXPECT_EQ(trainer_->feature_counts().computed, 0) << "another trainer finds them on disk";
  EXPECT_EQ(trainer_->feature_counts().found, 12);
}

}  // namespace
}  // namespace distal
