// The objective: what it prepares, what its losses are made of, that a killed pre-training ends as
// it would have.

#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/testing.h"
#include "distal/models/weights.h"
#include "distal/pretext/task.h"
#include "distal/pretext/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names(const Losses& losses) {
  std::vector<std::string> names;
  for (const auto& [name, loss] : losses) names.push_back(name);
  return names;
}

double value(const Losses& losses, const std::string& wanted) {
  for (const auto& [name, loss] : losses) {
    if (name == wanted) return loss.item<double>();
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::string refusal(const std::string& yaml) {
  return error_of<UsageError>([&] { pretext_options(yaml); });
}

TEST(PretextOptions, KeepWhatEachTaskWasGiven) {
  PretextOptions options =
      pretext_options("tasks: [speed, reverse], speed: {strides: [1, 3], weight: 0.5}");
  EXPECT_EQ(options.view_frames(4), 10);
  EXPECT_EQ(options.chosen[0].weight, 0.5);
  PretextOptions again;
  read_options(again, resolved(options), "test");
  EXPECT_EQ(resolved(again), resolved(options));
  EXPECT_EQ(
      pretext_options("mode: contrast, tasks: [speed], speed: {strides: [1, 3]}").view_frames(4),
      10)
      << "the same views in every mode";
}

TEST(PretextOptions, AreRefusedWithACure) {
  EXPECT_THAT(refusal("tasks: [reverse, reverse]"), HasSubstr("keep one"));
  EXPECT_THAT(refusal("tasks: []"), HasSubstr("choose mode: contrast"));
  EXPECT_EQ(refusal("tasks: [], mode: contrast"), "");
  EXPECT_THAT(refusal("tasks: [revers]"), HasSubstr("did you mean reverse?"));
  EXPECT_THAT(refusal("tasks: [speed], speed: {strides: [2]}"), HasSubstr("at least two"));
  EXPECT_THAT(refusal("tasks: [shuffle], shuffle: {chunks: 3, orders: 7}"),
              HasSubstr("3 chunks have 6 orders"));
  EXPECT_THAT(refusal("speed: {strides: [1, 2]}, tasks: [reverse]"),
              HasSubstr("speed is no option here"));
  EXPECT_THAT(refusal("training: {class_balanced: true}"), HasSubstr("does not look at"));
  EXPECT_THROW(pretext_options("tasks: [shuffle]").view_frames(3), Error);
}

TEST(Tasks, DoWhatTheirLabelsSay) {
  Random random(1);
  const auto numbered = [](int64_t frames) {  // frame t of every view is t
    return torch::arange(frames, torch::kFloat32)
        .view({1, 1, frames, 1, 1})
        .expand({2, 3, frames, 2, 2})
        .contiguous();
  };
  const auto shown = [](const torch::Tensor& clips) {
    std::vector<std::vector<int64_t>> all;
    for (int64_t i = 0; i < clips.size(0); ++i) {
      all.emplace_back();
      for (int64_t t = 0; t < clips.size(2); ++t)
        all.back().push_back(clips[i][0][t][0][0].item<int64_t>());
    }
    return all;
  };
  const auto labels = torch::tensor({0.f, 1.f});
  EXPECT_THAT(shown(make<PretextTask>("reverse")->transform(numbered(4), labels, 4, random)),
              ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(3, 2, 1, 0)));
  EXPECT_THAT(shown(make<PretextTask>("speed", "strides: [3, 2]")
                        ->transform(numbered(10), labels, 4, random))[0],
              ElementsAre(0, 3, 6, 9));
  const auto chunks = shown(
      make<PretextTask>("shuffle", "chunks: 2, gap: 1")->transform(numbered(5), labels, 4, random));
  EXPECT_THAT(chunks, ElementsAre(ElementsAre(0, 1, 3, 4), ElementsAre(3, 4, 0, 1)));
  const auto ordered = shown(make<PretextTask>("clip_order", "clips: 2, gap: 0.5")
                                 ->transform(numbered(5), labels, 2, random));
  EXPECT_THAT(ordered, ElementsAre(ElementsAre(0, 1), ElementsAre(3, 4), ElementsAre(3, 4),
                                   ElementsAre(0, 1)));
  const auto shared =
      shown(make<PretextTask>("overlap")->transform(numbered(4), labels, 2, random));
  EXPECT_THAT(shared[0], ElementsAre(0, 1));
  EXPECT_THAT(shared[1], ElementsAre(2, 3)) << "label 0: nothing in common";
  EXPECT_EQ(shared[2], shared[3]) << "label 1: the same frames";
  const auto picture = torch::tensor({1.f, 2.f, 3.f, 4.f})
                           .view({1, 1, 1, 2, 2})
                           .expand({2, 3, 2, 2, 2})
                           .contiguous();
  const auto turned = make<PretextTask>("rotation")->transform(picture, labels, 2, random);
  EXPECT_TRUE(turned[0].equal(picture[0]));
  EXPECT_TRUE(turned[1][2][1].flatten().equal(torch::tensor({2.f, 4.f, 1.f, 3.f})))
      << "a quarter turn, counter-clockwise";
}

TEST(Taco, SharesABatchOutOverItsTasks) {
  const auto net = small_net();
  const Taco taco = taco_for("tasks: [reverse, overlap, shuffle]", *net);
  const Batch views = views_of(8, 8, Random(1), 40);
  const Batch prepared = taco.prepare(views, Random(2));
  EXPECT_EQ(prepared.clips.sizes().vec(),
            (std::vector<int64_t>{3 + 2 * 3 + 2, 3, kFrames, kSize,
                                  kSize}));  // 3, 3 and 2 clips; overlap makes two of each
  EXPECT_EQ(prepared.second.sizes().vec(), (std::vector<int64_t>{8, 3, kFrames, kSize, kSize}));
  EXPECT_EQ(prepared.targets.sizes().vec(), (std::vector<int64_t>{8, 1}));
  EXPECT_TRUE(std::get<0>(prepared.rows.sort()).equal(views.rows));
  EXPECT_TRUE(taco.prepare(views, Random(2)).clips.equal(prepared.clips));
  EXPECT_FALSE(taco.prepare(views, Random(3)).clips.equal(prepared.clips));
}

TEST(Taco, GivesEveryTaskEveryClipWhereAllAreDrawn) {
  const auto net = small_net();
  const Taco taco = taco_for("draw: all, key: transformed, tasks: [reverse, overlap]", *net);
  const Batch views = views_of(3, 8, Random(1));
  const Batch prepared = taco.prepare(views, Random(2));
  EXPECT_EQ(prepared.clips.size(0), 3 + 6);
  EXPECT_EQ(prepared.second.size(0), 3 + 6);
  EXPECT_TRUE(prepared.rows.equal(views.rows.repeat({2})));
  EXPECT_EQ(taco_for("draw: all, tasks: [reverse, overlap]", *net)
                .prepare(views, Random(2))
                .second.size(0),
            3)
      << "plain keys are shared";
}

TEST(Taco, LeavesThePlainKeyAsItIs) {
  const auto net = small_net();
  const Batch views = views_of(6, kFrames, Random(1));
  const Batch plain = taco_for("tasks: [reverse]", *net).prepare(views, Random(2));
  EXPECT_TRUE(plain.second.equal(views.second.index_select(0, plain.rows)));
  const Batch other =
      taco_for("tasks: [reverse], key: transformed", *net).prepare(views, Random(2));
  EXPECT_TRUE(other.clips.equal(plain.clips));
  EXPECT_FALSE(other.second.equal(plain.second));
  EXPECT_TRUE(taco_for("mode: contrast, tasks: [reverse]", *net)
                  .prepare(views, Random(2))
                  .clips.equal(views.clips.index_select(0, plain.rows)));
  EXPECT_FALSE(
      taco_for("mode: tasks, tasks: [reverse]", *net).prepare(views, Random(2)).second.defined());
}

TEST(Taco, NamesItsPartsAndWeighsThem) {
  const auto net = small_net();
  net->train();
  const Batch views = views_of(4, 8, Random(1));
  const auto parts = [&](const std::string& yaml) {
    Taco taco = taco_for(yaml, *net);
    return taco.losses(*net, taco.prepare(views, Random(2)));
  };
  EXPECT_THAT(names(parts("tasks: [reverse, overlap]")),
              ElementsAre("contrast", "reverse", "overlap"));
  EXPECT_THAT(names(parts("mode: tasks, tasks: [reverse, overlap]")),
              ElementsAre("reverse", "overlap"));
  EXPECT_THAT(names(parts("mode: augment, tasks: [reverse, overlap]")), ElementsAre("contrast"));
  EXPECT_THAT(names(parts("mode: contrast")), ElementsAre("contrast"));
  const double whole = value(parts("mode: tasks, tasks: [reverse]"), "reverse");
  EXPECT_NEAR(value(parts("mode: tasks, tasks: [reverse], reverse: {weight: 0.25}"), "reverse"),
              0.25 * whole, 1e-5 * whole);
  // At the start each task loses what chance loses: the mean over the batch for one task a clip, a
  // sum over tasks for all.
  EXPECT_NEAR(value(parts("mode: tasks, tasks: [reverse, shuffle]"), "reverse"), std::log(2.) / 2,
              0.05);
  EXPECT_NEAR(value(parts("mode: tasks, draw: all, tasks: [reverse, shuffle]"), "reverse"),
              std::log(2.), 0.1);
}

TEST(Taco, LetsTheMomentumEncoderFollow) {
  const auto net = small_net();
  Taco taco = taco_for("tasks: [reverse], contrast: {name: moco, momentum: 0.6}", *net);
  const auto encoder = [&] { return taco.extra()->named_parameters()["encoder.conv1.weight"]; };
  const auto before = net->named_parameters()["conv1.weight"].detach().clone();
  EXPECT_TRUE(encoder().equal(before)) << "it starts as the network";
  {
    const torch::NoGradGuard no_grad;
    net->named_parameters()["conv1.weight"].add_(1);
  }
  taco.stepped(*net, 1, 2);  // half of the way from 0.6 to 1
  EXPECT_LT((encoder() - (before + 0.2)).abs().max().item<double>(), 1e-6);
  taco.stepped(*net, 2, 2);
  EXPECT_LT((encoder() - (before + 0.2)).abs().max().item<double>(), 1e-6) << "momentum 1";
}

TEST(Taco, HoldsNothingItDoesNotNeed) {
  const auto net = small_net();
  const auto parts = [&](const std::string& yaml) {
    Taco taco = taco_for(yaml, *net);
    std::vector<std::string> names;
    for (const auto& child : taco.extra()->named_children()) names.push_back(child.key());
    return names;
  };
  EXPECT_THAT(parts("mode: tasks, tasks: [reverse]"), ElementsAre("head_reverse"));
  EXPECT_THAT(parts("contrast: simclr, tasks: [reverse, speed]"),
              ElementsAre("projection_reverse", "contrast_reverse", "head_reverse",
                          "projection_speed", "contrast_speed", "head_speed"));
  EXPECT_THAT(parts("mode: augment, tasks: [reverse, speed]"),
              ElementsAre("encoder", "projection_all", "key_projection_all", "contrast_all"));
}

struct Killed {};

std::vector<std::string> differing(const Tensors& a, const Tensors& b) {
  std::vector<std::string> names;
  if (a.size() != b.size()) names.push_back(fmt::format("{} and {} tensors", a.size(), b.size()));
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].first != b[i].first || !at::equal(a[i].second, b[i].second))
      names.push_back(a[i].first);
  }
  return names;
}

class KilledPretraining : public ::testing::TestWithParam<const char*> {
 protected:
  struct Trained {
    Tensors net, extra;
    int64_t resumed_from = 0;
  };
  // Killed when micro-batch `killed` is asked for; -1: never.
  Trained train(const std::string& checkpoint, int64_t killed) {
    const Model net = small_net();
    Taco taco =
        taco_for(fmt::format("contrast: {}, tasks: [reverse, speed], speed: {{strides: [1, 2]}}",
                             GetParam()),
                 *net);
    TrainingOptions training;
    training.steps = 6;
    training.accumulate = 2;
    training.checkpoint_every = 2;
    training.precision = "f32";
    BatchStream stream;
    stream.open = [&](int64_t first) {
      return [&, micro = first]() mutable {
        if (micro == killed) throw Killed();
        const Batch views = views_of(6, 7, Random(5).stream("views", static_cast<uint64_t>(micro)),
                                     6 * (micro % 3));
        return taco.prepare(views, Random(6).stream("tasks", static_cast<uint64_t>(micro++)));
      };
    };
    stream.describe = [](const torch::Tensor&) { return std::string("squares"); };
    ConsoleProgress progress(ConsoleProgress::Mode::quiet);
    const FitReport report = fit(*net, training, taco, stream, Random(1), checkpoint, progress);
    return {state(*net), state(*taco.extra()), report.resumed_from};
  }

  TemporaryFolder folder_;
};

TEST_P(KilledPretraining, EndsBitForBitAsItWouldHave) {
  const std::string checkpoint = folder_ / "c.safetensors";
  const Trained whole = train("", -1);
  EXPECT_THROW(train(checkpoint, 9), Killed);
  const Trained continued = train(checkpoint, -1);
  EXPECT_EQ(continued.resumed_from, 4);
  EXPECT_THAT(differing(whole.net, continued.net), IsEmpty());
  EXPECT_THAT(differing(whole.extra, continued.extra), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Contrasts, KilledPretraining, ::testing::Values("moco", "simclr", "byol"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace distal
