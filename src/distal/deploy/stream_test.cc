#include "distal/deploy/stream.h"

#include <fmt/format.h>

#include "distal/base/choice.h"
#include "distal/base/random.h"
#include "distal/data/batches.h"
#include "distal/data/testing.h"
#include "distal/models/backbone.h"
#include "distal/video/writer.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Keeps the clips it is shown; its logits say how bright they are.
class Witness final : public Net {
 public:
  Output forward(const torch::Tensor& clips) override {
    seen.push_back(clips.clone());
    const auto bright = clips.mean({1, 2, 3, 4});
    return {torch::stack({bright, -bright}, 1), bright.unsqueeze(1)};
  }
  torch::Tensor head(const torch::Tensor& embedding) override {
    return torch::cat({embedding, -embedding}, 1);
  }
  int64_t embedding_size() const override { return 1; }
  std::vector<torch::Tensor> seen;
};

// A witness behind ECO's rule.
struct Watched {
  explicit Watched(const InputOptions& input)
      : engine(libtorch_engine(net)), scorer(*engine, input) {}
  std::shared_ptr<Witness> net = std::make_shared<Witness>();
  std::unique_ptr<Engine> engine;
  EcoStream scorer;
};

InputOptions input_of(int64_t frames, const std::string& rule = "even", int64_t stride = 1) {
  InputOptions input;
  input.sampling.rule = rule;
  input.sampling.frames = frames;
  input.sampling.stride = stride;
  input.size_px = 16;
  return input;
}

torch::Tensor grey(int64_t value) { return torch::full({18, 24, 3}, value, torch::kUInt8); }

// The value of each frame of a clip of grey frames.
std::vector<int64_t> values(const torch::Tensor& clip) {
  const auto each = ((clip.mean({0, 1, 3, 4}) + 1) * 127.5).round().to(torch::kInt64).contiguous();
  return {each.const_data_ptr<int64_t>(), each.const_data_ptr<int64_t>() + each.numel()};
}

// A video of one picture, shown `count` times.
VideoInfo still(const TemporaryFolder& folder, const std::string& name, int64_t count) {
  SyntheticOptions options;
  options.width = 64;
  options.height = 48;
  options.crf = 0;
  options.frames = count;
  std::vector<uint8_t> rgb;
  for (int64_t y = 0; y < 48; ++y) {
    for (int64_t x = 0; x < 64; ++x) {
      for (const int64_t value : {4 * x, 5 * y, (x / 8 + y / 8) % 2 * 200})
        rgb.push_back(static_cast<uint8_t>(value));
    }
  }
  VideoWriter writer(folder / name, options);
  for (int64_t i = 0; i < count; ++i) writer.add(rgb);
  writer.finish();
  return probe(folder / name);
}

// The clips that 32 frames of growing brightness give a net of so many frames.
std::vector<std::vector<int64_t>> clips_of(int64_t frames) {
  Watched watched(input_of(frames));
  for (int64_t i = 0; i < 32; ++i) watched.scorer.add(grey(i));
  std::vector<std::vector<int64_t>> clips;
  for (const auto& clip : watched.net->seen) clips.push_back(values(clip));
  return clips;
}

// ECO's second clip is 0 2 4 6 9 11 13 15 16 18 20 22 25 27 29 31; of 16 the centres of 8 parts are
// 1 3 5 .., of 4 parts 2 6 10 14.
TEST(EcoStream, ShowsTheNetEcosFramesThinnedEvenlyToItsNumber) {
  EXPECT_THAT(clips_of(16),
              ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                          ElementsAre(0, 2, 4, 6, 9, 11, 13, 15, 16, 18, 20, 22, 25, 27, 29, 31)));
  EXPECT_THAT(clips_of(8), ElementsAre(ElementsAre(1, 3, 5, 7, 9, 11, 13, 15),
                                       ElementsAre(2, 6, 11, 15, 18, 22, 27, 31)));
  EXPECT_THAT(clips_of(4), ElementsAre(ElementsAre(2, 6, 10, 14), ElementsAre(4, 13, 20, 29)));
  EXPECT_THAT(clips_of(32).front(),
              ElementsAre(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11,
                          11, 12, 12, 13, 13, 14, 14, 15, 15));
}

TEST(EcoStream, KeepsNoMoreFramesTheLongerTheStream) {
  Watched watched(input_of(8));
  int64_t most = 0;
  int64_t most_later = 0;
  int64_t answers = 0;
  for (int64_t i = 0; i < 4000; ++i) {
    answers += watched.scorer.add(grey(i % 200)).has_value();
    (i < 200 ? most : most_later) = std::max(i < 200 ? most : most_later, watched.scorer.kept());
    watched.net->seen.clear();
  }
  EXPECT_EQ(answers, 4000 / 16);
  EXPECT_EQ(most_later, most);
  EXPECT_LE(most, OnlineEco::kSlots * OnlineEco::kSlotFrames);
}

TEST(EcoStream, LetsGoOfTheFramesItForgets) {
  Watched watched(input_of(8));
  const auto first = grey(0);
  watched.scorer.add(first);
  EXPECT_EQ(first.use_count(), 2u);
  for (int64_t i = 1; i < 96; ++i) watched.scorer.add(grey(i));
  EXPECT_EQ(first.use_count(), 1u);
}

// The second clip is two frames of black and two of white: 0, and with the black one before it (0 -
// 1) / 2.
TEST(EcoStream, SmoothsItsAnswers) {
  Watched watched(input_of(4));
  const auto slot = [&](int64_t value) {
    std::optional<torch::Tensor> answer;
    for (int64_t i = 0; i < 16; ++i) answer = watched.scorer.add(grey(value));
    return (*answer)[0].item<float>();
  };
  EXPECT_FLOAT_EQ(slot(0), -1);
  EXPECT_FLOAT_EQ(slot(255), -0.5f);
}

TEST(EcoStream, RestartedAnswersAsIfNothingHadBeen) {
  Watched fresh(input_of(4));
  Watched used(input_of(4));
  for (int64_t i = 0; i < 40; ++i) used.scorer.add(grey(7 * i % 250));
  used.scorer.restart();
  EXPECT_EQ(used.scorer.kept(), 0);
  for (int64_t i = 0; i < 48; ++i) {
    const auto a = fresh.scorer.add(grey(5 * i));
    const auto b = used.scorer.add(grey(5 * i));
    ASSERT_EQ(a.has_value(), b.has_value()) << i;
    EXPECT_TRUE(!a || a->equal(*b)) << i;
  }
}

// 40 frames, a loss, 40 frames: two answers each, none from frames on both sides.
TEST(ScoreStream, NoAnswerJoinsWhatALossParts) {
  struct Frames final : FrameSource {
    std::optional<StreamItem> next() override {
      if (at == 81) return std::nullopt;
      const int64_t i = at++;
      if (i == 40) return StreamItem{1.6, {}, "cut"};
      return StreamItem{0.04 * static_cast<double>(i), grey(i < 40 ? 0 : 200), ""};
    }
    int64_t at = 0;
  } frames;
  struct Heard final : StreamListener {
    void begins(double time_s) override { words.push_back(fmt::format("begins {:.2f}", time_s)); }
    void answer(double time_s, const torch::Tensor&) override {
      words.push_back(fmt::format("answer {:.2f}", time_s));
    }
    void lost(double time_s, const std::string& why) override {
      words.push_back(fmt::format("lost {:.2f} {}", time_s, why));
    }
    std::vector<std::string> words;
  } heard;
  Watched watched(input_of(4));
  EXPECT_EQ(score_stream(frames, watched.scorer, heard), 80);
  EXPECT_THAT(heard.words, ElementsAre("begins 0.00", "answer 0.60", "answer 1.24", "lost 1.60 cut",
                                       "begins 1.64", "answer 2.24", "answer 2.88"));
  for (const auto& clip : watched.net->seen)
    EXPECT_THAT(values(clip), ::testing::Each(values(clip)[0]));
}

TEST(StreamSampling, KnowsHowManyFramesCount) {
  const auto dense = input_of(8, "dense", 2).sampling;
  EXPECT_EQ(StreamSampling(dense, 0).counted(25), 12.5);
  EXPECT_EQ(StreamSampling(dense, 10).counted(25), 5);
  EXPECT_EQ(StreamSampling(dense, 50).counted(25), 12.5) << "what is not there cannot count";
  EXPECT_EQ(StreamSampling(dense, 10).counted(0), 5) << "perhaps";
  EXPECT_EQ(StreamSampling(dense, 0).counted(0), 0) << "nobody knows";
}

std::vector<int64_t> taken(StreamSampling sampling, int64_t frames, double rate) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < frames; ++i) {
    if (sampling.takes(static_cast<double>(i) / rate)) indices.push_back(i);
  }
  return indices;
}

TEST(StreamSampling, KeepsTheDistanceTheNetworkLearnedAndARate) {
  const auto even = input_of(8).sampling;
  const auto dense = input_of(8, "dense", 3).sampling;
  EXPECT_THAT(taken({even, 0}, 6, 25), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(taken({dense, 0}, 10, 25), ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(taken({even, 5}, 20, 25), ElementsAre(0, 5, 10, 15));
  EXPECT_THAT(taken({dense, 5}, 40, 25), ElementsAre(0, 15, 30)) << "the rate first";
  EXPECT_THAT(taken({even, 25}, 500, 25), SizeIs(500)) << "rounding loses none";
  EXPECT_THAT(taken({even, 29.97}, 500, 29.97), SizeIs(500));
  EXPECT_THAT(taken({even, 60}, 6, 25), SizeIs(6)) << "what is not there cannot count";
  EXPECT_THAT(taken({even, 10}, 25, 25), ElementsAre(0, 3, 5, 8, 10, 13, 15, 18, 20, 23))
      << "2.5 frames each";
}

TEST(ScoreStream, ShowsTheNetTheSameClipAsEvaluationWhereNothingMoves) {
  const TemporaryFolder folder;
  const VideoInfo info = still(folder, "still.mp4", 100);
  for (const char* rule : {"even", "dense"}) {
    const InputOptions input = input_of(8, rule, 2);
    Watched online(input);
    Witness offline;
    std::vector<double> times_s;
    torch::Tensor logits;
    const int64_t counted = score_stream(info, online.scorer, input, 0,
                                         [&](double time_s, const torch::Tensor& smoothed) {
                                           times_s.push_back(time_s);
                                           logits = smoothed;
                                         });
    EXPECT_EQ(counted, rule == std::string("even") ? 100 : 50);
    ASSERT_EQ(std::ssize(times_s), counted / 16);
    EXPECT_NEAR(times_s[0], rule == std::string("even") ? 15 / 25. : 30 / 25., 1e-6)
        << "the newest frame's";
    ClipReader reader(input, {folder / "frames", 1});
    const auto batch = EvaluationBatches(reader, {{info.path}}, 2, 1, 0).next();
    ASSERT_TRUE(batch.has_value());
    EXPECT_EQ(std::ssize(online.net->seen), counted / 16);
    for (const auto& clip : online.net->seen) EXPECT_TRUE(clip.equal(batch->clips)) << rule;
    EXPECT_TRUE(logits.equal(offline.forward(batch->clips).logits[0]));
    EXPECT_GT(batch->clips.std().item<float>(), 0.3) << "a picture, not a plain";
  }
}

TEST(ScoreStream, ThinsWhatComesInAndSaysHowManyFramesCounted) {
  const TemporaryFolder folder;
  const VideoInfo info = still(folder, "still.mp4", 100);
  Watched watched(input_of(4));
  int64_t answers = 0;
  EXPECT_EQ(score_stream(info, watched.scorer, input_of(4), 5,
                         [&](double, const torch::Tensor&) { ++answers; }),
            20);
  EXPECT_EQ(answers, 1);
}

TEST(ScoreStream, ReadsEachFrameOfAMovingVideoAsEvaluationDoes) {
  const TemporaryFolder folder;
  const std::string path = numbered(folder, "numbered.mp4", 40);
  const InputOptions input = input_of(16);
  Watched online(input);
  score_stream(probe(path), online.scorer, input, 0, [](double, const torch::Tensor&) {});
  ASSERT_THAT(online.net->seen, SizeIs(2));
  ClipReader reader(input, {folder / "frames", 1});
  const auto batch = EvaluationBatches(reader, {{path, "", 0, 16 / 25.}}, 2, 1, 0)
                         .next();  // its 16 frames are the first slot's
  EXPECT_TRUE(online.net->seen[0].equal(batch->clips));
  EXPECT_FALSE(online.net->seen[1].equal(batch->clips));
}

TEST(ScoreStream, StopsWithTheReasonWhereTheVideoIsTakenAway) {
  const TemporaryFolder folder;
  const VideoInfo info = still(folder, "still.mp4", 40);
  std::filesystem::remove(info.path);
  Watched watched(input_of(4));
  EXPECT_THAT(error_of([&] {
                score_stream(info, watched.scorer, input_of(4), 0,
                             [](double, const torch::Tensor&) {});
              }),
              ::testing::HasSubstr("still.mp4"));
}

// An answer a frame; the fourth is that of the clip of four, and what a frame passes on matters.
TEST(TsmStream, AnswersEachFrameAndAfterAClipAsTheClip) {
  const TemporaryFolder folder;
  InputOptions input = input_of(4);
  input.size_px = 32;
  const std::string path = numbered(folder, "numbered.mp4", 4);
  const auto net = std::dynamic_pointer_cast<FrameNet>(
      make<Backbone>("tsm", "base: resnet18, width: 0.25, online: true")->build(3, Random(1)));
  ASSERT_TRUE(net && net->online());
  net->eval();
  TsmStream scorer(*net, input);
  std::vector<torch::Tensor> answers;
  score_stream(probe(path), scorer, input, 0,
               [&](double, const torch::Tensor& logits) { answers.push_back(logits); });
  ASSERT_THAT(answers, SizeIs(4));
  const torch::NoGradGuard no_grad;
  ClipReader reader(input, {folder / "frames", 1});
  const auto clip = EvaluationBatches(reader, {{path}}, 3, 1, 0).next()->clips;
  const auto error = [](const torch::Tensor& a, const torch::Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
  };
  EXPECT_LT(error(answers[3], net->forward(clip).logits[0]), 1e-5);
  EXPECT_LT(error(answers[0], net->forward(clip.slice(2, 0, 1)).logits[0]), 1e-5);
  EXPECT_GT(error(answers[3], net->forward(clip.flip(2)).logits[0]), 1e-3)
      << "frames pass something on";
}

TEST(TsmStream, RestartedAnswersAsIfNothingHadBeen) {
  const auto net = std::dynamic_pointer_cast<FrameNet>(
      make<Backbone>("tsm", "base: resnet18, width: 0.25, online: true")->build(3, Random(1)));
  net->eval();
  TsmStream fresh(*net, input_of(4));
  TsmStream used(*net, input_of(4));
  for (const int64_t value : {0, 200, 90}) used.add(grey(value));
  used.restart();
  for (const int64_t value : {30, 60})
    EXPECT_TRUE(fresh.add(grey(value))->equal(*used.add(grey(value))));
}

TEST(TsmStream, ForgetsAllButTheLastFramesOfAClip) {
  const auto net = std::dynamic_pointer_cast<FrameNet>(
      make<Backbone>("tsm", "base: resnet18, width: 0.25, online: true")->build(3, Random(1)));
  net->eval();
  TsmStream scorer(*net, input_of(2));
  std::vector<torch::Tensor> answers;
  for (const int64_t value : {0, 200, 90, 90, 90, 90, 90, 90, 90, 90, 90, 90})
    answers.push_back(*scorer.add(grey(value)));
  EXPECT_GT((answers[3] - answers[2]).norm().item<double>(), 1e-4);
  EXPECT_LT((answers[11] - answers[10]).norm().item<double>(), 1e-6)
      << "what the blocks pass on is that of equal frames by now";
}

}  // namespace
}  // namespace distal
