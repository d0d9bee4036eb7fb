// The promises of every export target, and what export does around them.

#include "distal/deploy/export.h"

#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "distal/base/json.h"
#include "distal/base/npy.h"
#include "distal/deploy/conformance.h"
#include "distal/models/model.h"
#include "distal/models/network_testing.h"

namespace distal {
namespace {

[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace export_suite;

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const TargetChoice& target : export_targets()) names.push_back(target.name());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryExportTarget, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

// Answers `factor` times what the network that was written last answers.
class LoudEngine final : public Engine {
 public:
  LoudEngine(Model net, double factor) : net_(std::move(net)), factor_(factor) {}
  std::future<Output> submit(const torch::Tensor& clips) override {
    const torch::NoGradGuard no_grad;
    most_clips = std::max(most_clips, clips.size(0));
    Output output = net_->forward(clips);
    output.logits = factor_ * output.logits;
    std::promise<Output> done;
    done.set_value(output);
    return done.get_future();
  }
  int64_t batch() const override { return 1; }
  bool company_counts() const override { return false; }

  inline static int64_t most_clips = 0;  // of a batch

 private:
  Model net_;
  double factor_;
};

// A target of two files whose reader answers too loudly, and takes clips one by one.
class Loud final : public ExportTarget {
 public:
  struct Options {
    double factor = 1;
    void visit(OptionVisitor& v) const {
      v("factor", factor, "how loud it answers", between(0, 9));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Loud(const Options& options) : factor_(options.factor) {}
  std::string title() const override { return "Loud"; }
  std::vector<std::string> endings() const override { return {".loud", ".more"}; }
  bool carries_int8() const override { return false; }
  bool takes_any_batch() const override { return false; }
  void write_graph(const OnnxModel& graph, UnfinishedFile& files) const override {
    files.write(graph.metadata.at("distal"));
  }
  FileReader reader() const override { return {"loud", "Loud", present}; }
  std::unique_ptr<Engine> open(const std::string&, const OpenOptions&) const override {
    return std::make_unique<LoudEngine>(net, factor_);
  }

  inline static Model net;
  inline static bool present = true;

 private:
  double factor_;
};

class ExportToLoud : public ::testing::Test {
 protected:
  ExportToLoud() {
    all_methods<ExportTarget>().insert({"loud", &kLoud, ""});
    Loud::net = load_model(model_).net;
    Loud::present = true;
    LoudEngine::most_clips = 0;
    std::filesystem::create_directory(folder_ / "out");
    options_.model = model_;
    options_.out = folder_ / "out/m.loud";
    options_.target = target_for(options_.out);
  }
  ~ExportToLoud() override {
    Loud::net = nullptr;
    all_methods<ExportTarget>().erase({"loud", nullptr, ""});
  }

  void set_factor(const std::string& factor) {
    read_options(options_.target, "{factor: " + factor + "}", "--set");
  }
  ExportReport run() const {
    ConsoleProgress progress(ConsoleProgress::Mode::quiet);
    return export_model(options_, progress);
  }

  static const Entry<ExportTarget> kLoud;
  const TemporaryFolder folder_;
  const std::string model_ = save_small_model(folder_ / "model.safetensors", 1);
  ExportOptions options_;
};

const std::set<std::string> kAllFiles = {"m.loud", "m.more", "m.loud.json", "m.loud.md",
                                         "m.loud.py"};

const Entry<ExportTarget> ExportToLoud::kLoud = entry<ExportTarget, Loud>("loud", "-");

TEST_F(ExportToLoud, ReadsBackWhatItWroteAndSaysHowFarItIsOff) {
  set_factor("1.0005");
  const ExportReport report = run();
  ASSERT_TRUE(report.read_back.has_value());
  EXPECT_NEAR(report.read_back->error, 0.0005, 1e-5);
  EXPECT_EQ(report.read_back->clips, 4);
  EXPECT_EQ(report.read_back->reader.engine, "loud");
  EXPECT_EQ(LoudEngine::most_clips, 1) << "the engine takes one at a time";
  EXPECT_EQ(report.clip, clip_sizes(small_input()));
  EXPECT_FALSE(report.any_batch);
  EXPECT_FALSE(report.int8.has_value());
  auto beside = parse_json(read_file(options_.out + ".json"), "beside");
  EXPECT_EQ(beside["export"]["read_back"]["by"], "Loud");
  beside["export"].erase("read_back");
  EXPECT_EQ(parse_json(read_file(options_.out), "inside"), beside)
      << "the graph carries the description, as far as it is known before it is read back";
  const auto ours = parse_json(load_model(model_).side_json, "model");
  for (const char* name : {"model", "classes", "input"}) EXPECT_EQ(beside[name], ours[name]);
  EXPECT_EQ(names_in(folder_ / "out"), kAllFiles);
}

TEST_F(ExportToLoud, LeavesTheOldFilesWhereTheNewOnesAnswerOtherwise) {
  folder_.write("out/m.loud", "old");
  folder_.write("out/m.more", "old");
  folder_.write("out/m.loud.json", "old");
  set_factor("1.002");
  EXPECT_THAT(error_of([&] { run(); }),
              AllOf(HasSubstr("m.loud: read back by Loud its logits differ by 2.0e-03"),
                    HasSubstr("not written")));
  EXPECT_EQ(names_in(folder_ / "out"), (std::set<std::string>{"m.loud", "m.more", "m.loud.json"}));
  for (const char* name : {"out/m.loud", "out/m.more", "out/m.loud.json"}) {
    EXPECT_EQ(read_file(folder_ / name), "old") << name;
  }
}

TEST_F(ExportToLoud, IsNotReadBackWhereItsReaderIsAbsent) {
  Loud::present = false;
  set_factor("2");
  EXPECT_FALSE(run().read_back.has_value());
  EXPECT_TRUE(std::filesystem::exists(options_.out));
}

TEST_F(ExportToLoud, WritesClipsAndTheAnswersOfTheNetworkBesideIt) {
  options_.sample = folder_ / "s";
  options_.frames = false;
  run();
  const torch::Tensor clips = map_npy(folder_ / "s_clips.npy");
  EXPECT_EQ(clips.sizes(), (std::vector<int64_t>{4, 3, 4, 32, 32}));
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(map_npy(folder_ / "s_logits.npy"), Loud::net->forward(clips).logits));
}

TEST_F(ExportToLoud, WritesFramesAndTheProbabilitiesOfTheNetworkBesideIt) {
  options_.sample = folder_ / "s";
  run();
  const torch::Tensor frames = map_npy(folder_ / "s_frames.npy");
  EXPECT_EQ(frames.sizes(), (std::vector<int64_t>{4, 4, 37, 49, 3}));
  EXPECT_EQ(frames.scalar_type(), at::kByte);
  const torch::NoGradGuard no_grad;
  const torch::Tensor logits = Loud::net->forward(centre(frames[3], 32).unsqueeze(0)).logits;
  EXPECT_TRUE(at::allclose(map_npy(folder_ / "s_probabilities.npy")[3], at::softmax(logits, 1)[0]));
}

TEST_F(ExportToLoud, SaysInItsCardWhatIsUnknown) {
  run();
  const std::string card = read_file(options_.out + ".md");
  EXPECT_THAT(card, AllOf(HasSubstr("# m.loud\n"), HasSubstr("Classes: a, b, c."),
                          HasSubstr("Initial weights: unknown, licence unknown."),
                          HasSubstr("Unknown: the model does not say what it learned from."),
                          HasSubstr("| sampling | formula | first + floor((2 i + 1) n / (2 T))")));
  EXPECT_THAT(read_file(options_.out + ".py"), HasSubstr("def chosen("));
}

TEST_F(ExportToLoud, ItsOptionsAreReadAndOthersRefused) {
  EXPECT_TRUE(options_.target.has_options());
  EXPECT_FALSE(target_for("m.onnx").has_options());
  EXPECT_THAT(error_of<UsageError>([&] { set_factor("10"); }), HasSubstr("factor = 10"));
  EXPECT_THAT(error_of<UsageError>([&] { read_options(options_.target, "{size: 1}", "--set"); }),
              HasSubstr("size is no option here"));
}

TEST_F(ExportToLoud, IsAmongTheWordsOfTheRefusals) {
  const auto refusal = [](const ExportOptions& options) {
    return error_of<UsageError>([&] { require_consistent(options); });
  };
  options_.int8.emplace();
  options_.int8->list = "pool.csv";
  EXPECT_THAT(refusal(options_),
              AllOf(HasSubstr("--int8 wants --out FILE.onnx"), Not(HasSubstr("FILE.loud")),
                    HasSubstr("; loud keeps the float weights")));
  ExportOptions weights;
  weights.out = "m.safetensors";
  EXPECT_EQ(refusal(weights), "");
  weights.sample = "s";
  EXPECT_THAT(refusal(weights), AllOf(HasSubstr("--sample is for .loud and .onnx and "),
                                      Not(HasSubstr(".safetensors"))));
  EXPECT_THAT(error_of<UsageError>([] { target_for("m.pb"); }),
              AllOf(HasSubstr("--out m.pb: ends in .loud, .onnx, .xml (openvino)"),
                    HasSubstr(".safetensors")));
}

TEST(Export, WantsVideosOrAListForEightBits) {
  ExportOptions options;
  options.out = "m.onnx";
  options.int8.emplace();
  const auto refusal = [&] { return error_of<UsageError>([&] { require_consistent(options); }); };
  EXPECT_THAT(refusal(), AllOf(HasSubstr("--int8 wants videos of the pool"),
                               HasSubstr("or give --list LIST"), Not(HasSubstr("both"))));
  options.int8->list = "pool.csv";
  EXPECT_EQ(refusal(), "");
  options.int8->videos = {"a.mp4"};
  EXPECT_THAT(refusal(), HasSubstr("and not both"));
}

TEST(EitherOf, JoinsWords) {
  EXPECT_EQ(either_of({}), "");
  EXPECT_EQ(either_of({"a"}), "a");
  EXPECT_EQ(either_of({"a", "b"}), "a or b");
  EXPECT_EQ(either_of({"a", "b", "c"}), "a, b or c");
}

// A model whose backbone is a network of others with another normalisation, in another folder.
std::string save_on_network(const TemporaryFolder& folder, const std::string& network,
                            const std::string& head) {
  ModelOptions options;
  read_options(
      options,
      fmt::format("{{name: network, network: {{file: {}, mean: [0.4, 0.5, 0.6], std: [0.2, "
                  "0.3, 0.4], channels: bgr}}, {}}}",
                  network, head),
      "test");
  const Model net = options.build(3, Random(1));
  save_model(folder / "on.safetensors", *net,
             side_json(options, {"a", "b", "c"}, resolved(small_input())));
  return folder / "on.safetensors";
}

TEST(Export, HoldsANetworkOfOthersAndItsHead) {
  if (!openvino_present()) GTEST_SKIP() << "nothing here reads it";
  const TemporaryFolder folder;
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  for (const bool maps : {false, true}) {
    SmallNetwork(7).write(folder / "small.onnx", 32, maps, maps ? 13 : 17);
    for (const char* head : {"head: linear", "head: mlp, hidden: 5"}) {
      ExportOptions options;
      options.model = save_on_network(folder, folder / "small.onnx", head);
      const SavedModel saved = load_model(options.model);
      for (const char* name : {"m.onnx", "m.xml"}) {
        options.out = folder / name;
        const ExportReport report = export_model(options, progress);
        ASSERT_TRUE(report.read_back.has_value());
        EXPECT_LT(report.read_back->error, 1e-4) << name << " " << head;
        const torch::NoGradGuard no_grad;
        const auto clips = noise(2, 9);
        const Output ours = saved.net->forward(clips);
        const Output theirs =
            engine_of(open_model(options.out), "", "auto", 2, 2, nullptr)->run(clips);
        EXPECT_LT(relative_error(theirs.logits, ours.logits), 1e-4) << name << " " << head;
        EXPECT_LT(relative_error(theirs.embedding, ours.embedding), 1e-4);
      }
    }
  }
}

// A network of clips, one of ours in OpenVINO's format, with two outputs.
TEST(Export, HoldsANetworkInOpenvinosFormatAndItsHeadInThatFormatAlone) {
  if (!openvino_present()) GTEST_SKIP() << "nothing here reads it";
  const TemporaryFolder folder;
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  const SavedModel inner = load_model(save_small_model(folder / "inner.safetensors", 1));
  save_openvino(freeze(*inner.net, clip_sizes(small_input())), folder / "inner.xml");
  ModelOptions made;
  read_options(made,
               fmt::format("{{name: network, network: {{file: {}, mean: [0, 0, 0], std: [1, 1, 1], "
                           "range: signed, output: embedding}}}}",
                           folder / "inner.xml"),
               "test");
  save_model(folder / "on.safetensors", *made.build(3, Random(1)),
             side_json(made, {"a", "b", "c"}, resolved(small_input())));
  ExportOptions options;
  options.model = folder / "on.safetensors";
  options.out = folder / "m.xml";
  const ExportReport report = export_model(options, progress);
  EXPECT_LT(report.read_back.value().error, 1e-4);
  const torch::NoGradGuard no_grad;
  const auto clips = noise(2, 9);
  const Output theirs = engine_of(open_model(options.out), "", "auto", 2, 2, nullptr)->run(clips);
  EXPECT_LT(relative_error(theirs.embedding, inner.net->forward(clips).embedding), 1e-4);
  options.out = folder / "m.onnx";
  EXPECT_THAT(error_of([&] { export_model(options, progress); }),
              AllOf(HasSubstr("inner.xml"), HasSubstr("export to FILE.xml or .safetensors")));
}

TEST(Export, OfANetworkOfOthersRefusesEightBits) {
  if (!openvino_present()) GTEST_SKIP() << "nothing here reads it";
  const TemporaryFolder folder;
  SmallNetwork(7).write(folder / "small.onnx", 32);
  ConsoleProgress progress(ConsoleProgress::Mode::quiet);
  ExportOptions options;
  options.model = save_on_network(folder, folder / "small.onnx", "head: linear");
  options.out = folder / "m.onnx";
  options.int8.emplace();
  options.int8->videos = {"absent.mp4"};
  EXPECT_THAT(error_of([&] { export_model(options, progress); }),
              HasSubstr("the backbone of this model is a network of others"));
  EXPECT_FALSE(std::filesystem::exists(options.out));
}

}  // namespace
}  // namespace distal
