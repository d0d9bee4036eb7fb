// The promises of every kind of oracle of the catalogue, but of those where people answer:
// people_test.cc.

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <torch/script.h>

#include "distal/base/catalogue.h"
#include "distal/base/document.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/testing.h"
#include "distal/infer/freeze.h"
#include "distal/models/model_options.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/oracles/ledger.h"
#include "distal/oracles/teacher.h"
#include "support/reference_server.h"

namespace distal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

torch::Tensor by_colour(const torch::Tensor& clips) {
  return clips.mean({2, 3, 4}).slice(1, 0, 2).softmax(1);
}

/// How one kind is opened here, and what its options do. A kind that is not listed fails: add it.
struct Opening {
  std::string yaml;                   // what it needs, without `kind`
  std::vector<std::string> of_place;  // options that say who answers: its version() does
  std::vector<std::string> changes;   // options that change answers, with another value
  std::vector<std::string> same;      // the others
};

class OracleConformance : public ::testing::TestWithParam<std::string> {
 protected:
  OracleConformance() {
    SyntheticOptions video;
    video.frames = 16;
    for (int i = 0; i < 5; ++i) {
      const std::string path = folder_ / fmt::format("{}.mp4", i);
      write_motion(path, motions()[i % 2], i, video);
      const VideoInfo info = probe(path);
      clips_.push_back({path, info.id, 0, info.duration_s, info.id, i % 2});
    }
    input_.size_px = 32;
    input_.sampling.frames = 4;
    opening_ = openings().at(GetParam());
    options_ = options_with("");
  }

  std::map<std::string, Opening> openings() {
    return {
        {"truth", {}},
        {"teacher", {}},
        {"model", {"path: " + model_file(), {"path"}, {}, {}}},
        {"torchscript",
         {"path: " + torchscript_file(), {"path"}, {"logits: true"}, {"timeout_s: 20"}}},
        {"network", GetParam() == "network" ? network_opening() : Opening()},
        {"http",
         {fmt::format("url: '{}'", server_.url()),
          {"url"},
          {"logits: true", "input: video", "output: scores"},
          {"timeout_s: 20", "retries: 2", "backoff_s: 1", "requests_per_s: 9", "token_env: T"}}},
    };
  }

  /// A graph of it, as a file of others.
  Opening network_opening() {
    const std::string file = folder_.write(
        "network.onnx", freeze(*network().build(2, Random(7)), {3, 4, 32, 32}).serialised());
    return {
        fmt::format("network: {{file: {}, output: logits, mean: [0, 0, 0], std: [1, 1, 1], "
                    "range: signed}}",
                    file),
        {"network",           "network.file",         "network.size_px",   "network.frames",
         "network.mean",      "network.std",          "network.range",     "network.channels",
         "network.layout",    "network.input",        "network.output",    "network.pooling",
         "network.precision", "network.timeout_s",    "sampling.rule",     "sampling.frames",
         "sampling.stride",   "zero_shot.embeddings", "zero_shot.classes", "zero_shot.temperature"},
        {"answers: probabilities", "temperature: 2", "classes: [left, right]",
         "drop_other_classes: true", "zero_shot: {temperature: 1}", "sampling: {rule: dense}",
         "short_side_px: 40"},
        {"deadline_s: 5"}};
  }

  ModelOptions network() const {
    ModelOptions model;
    read_options(model, "{name: resnet3d, depth: 10, width: 4}", "test");
    return model;
  }
  std::string model_file() {
    const std::string path = folder_ / "teacher.safetensors";
    save_model(path, *network().build(2, Random(7)),
               side_json(network(), classes_.names, resolved(input_)));
    return path;
  }
  std::string torchscript_file() const {
    torch::jit::Module module("teacher");
    module.define("def forward(self, x):\n    return torch.softmax(x.mean([2, 3, 4])[:, :2], 1)\n");
    module.save(folder_ / "teacher.pt");
    return folder_ / "teacher.pt";
  }

  OracleOptions options_with(const std::string& more) const {
    OracleOptions options;
    std::string yaml = "{kind: " + GetParam();
    if (!opening_.yaml.empty()) yaml += ", " + opening_.yaml;
    if (!more.empty()) yaml += ", " + more;
    read_options(options, yaml + "}", "test");
    return options;
  }

  OracleSetup setup() {
    OracleSetup setup{classes_, "lists", {}, {}};
    setup.train = [this] {
      return TrainedTeacher{load_model(model_file()).net, model_file(), "t"};
    };
    return setup;
  }

  /// As a program that was started anew, over the same store unless another is named.
  struct Start {
    explicit Start(const std::string& url) : store(url) {}
    std::unique_ptr<ClipReader> reader;
    Store store;
    ConsoleProgress progress{ConsoleProgress::Mode::quiet};
    std::unique_ptr<Ledger> ledger;
  };
  std::unique_ptr<Start> start(const OracleOptions& options, const std::string& name = "store.db") {
    auto start = std::make_unique<Start>("sqlite:" + (folder_ / name));
    start->reader = std::make_unique<ClipReader>(input_, CacheOptions{folder_ / "cache", 1});
    const AskedClips asked{classes_, *start->reader, [this] {
                             FilmedClips filmed;
                             for (const Clip& clip : clips_) filmed[clip.key()] = clip;
                             return filmed;
                           }};
    start->ledger = std::make_unique<Ledger>(options, options.kind->open(setup()).answers, asked,
                                             start->store, start->progress);
    return start;
  }

  OracleTraits traits() const { return options_.kind->traits(); }

  TemporaryFolder folder_;
  Classes classes_{{"left", "right"}};
  std::vector<Clip> clips_;
  InputOptions input_;
  ReferenceServer server_{by_colour};
  Opening opening_;
  OracleOptions options_;
};

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  for (const auto& row : catalogue<Oracle>()) {
    OracleOptions options;
    read_options(options, "kind: " + std::string(row.name), "test");
    if (!options.kind->traits().people) names.push_back(row.name);
  }
  return names;
}

TEST_P(OracleConformance, AnswersTheSameAboutTheSameClips) {
  const Answers first = start(options_)->ledger->ask(clips_);
  ASSERT_TRUE(first.complete());
  for (const auto& answer : first.probabilities) {
    ASSERT_EQ(answer.size(), 2u);
    EXPECT_NEAR(answer[0] + answer[1], 1, 1e-6);
  }
  EXPECT_EQ(start(options_)->ledger->ask(clips_).probabilities, first.probabilities) << "known";
  EXPECT_EQ(start(options_, "other.db")->ledger->ask(clips_).probabilities, first.probabilities);
  const std::vector<Clip> backwards(clips_.rbegin(), clips_.rend());
  OracleOptions two = options_;
  two.batch_size = 2;
  auto answers = start(two, "third.db")->ledger->ask(backwards).probabilities;
  std::reverse(answers.begin(), answers.end());
  EXPECT_EQ(answers, first.probabilities) << "in other company";
}

TEST_P(OracleConformance, HasAnotherVersionWhereAnOptionChangesAnswersAndOnlyThere) {
  const std::string version = start(options_)->ledger->version();
  EXPECT_EQ(start(options_)->ledger->version(), version);
  std::set<std::string> listed(opening_.of_place.begin(), opening_.of_place.end());
  for (const auto* options : {&opening_.changes, &opening_.same}) {
    for (const std::string& option : *options) {
      listed.insert(option.substr(0, option.find(':')));
      const bool changes = options == &opening_.changes;
      const OracleOptions other = options_with(option);
      EXPECT_EQ(other.kind->answer_options() != options_.kind->answer_options(), changes) << option;
      EXPECT_EQ(other.identity() != options_.identity(), changes) << option;
    }
  }
  for (const auto& row : catalogue<Oracle>()) {
    if (row.name != GetParam()) continue;
    std::shared_ptr<const void> options;
    std::set<std::string> own;
    for (const OptionRow& option :
         option_rows([&](OptionVisitor& v) { row.entry->make(v, options); })) {
      own.insert(option.key);
    }
    EXPECT_EQ(own, listed) << "every option is listed here";
  }
  for (const char* shared : {"price: 3", "batch_size: 2", "ask_again: true"}) {
    EXPECT_EQ(start(options_with(shared))->ledger->version(), version) << shared;
  }
  classes_.names = {"left", "write"};
  openings();  // writes the model file for these classes
  EXPECT_NE(start(options_)->ledger->version(), version) << "an answer is one among its classes";
}

TEST_P(OracleConformance, HasAnotherVersionWhereItSeesOtherFrames) {
  const std::string version = start(options_)->ledger->version();
  input_.sampling.frames = 8;
  EXPECT_EQ(start(options_)->ledger->version() != version, traits().frames);
}

TEST_P(OracleConformance, GivesNoAnswerWhereAClipCannotBeRead) {
  if (!traits().frames) GTEST_SKIP() << "it sees no frames";
  std::ofstream(folder_ / "2.mp4") << "this is no video";
  const Answers answers = start(options_)->ledger->ask(clips_);
  EXPECT_TRUE(answers.complete());
  for (size_t i = 0; i < clips_.size(); ++i) {
    EXPECT_EQ(answers.probabilities[i].empty(), i == 2) << i;
  }
}

TEST_P(OracleConformance, HoldsARequestUntilItsReplyWasCollectedOnce) {
  auto opened = options_.kind->open(setup()).answers;
  EXPECT_FALSE(opened->holds("a"));
  EXPECT_THAT(opened->collect(Wait::none), IsEmpty());
  const auto frames = traits().frames ? torch::rand({2, 3, 4, 32, 32}) : torch::Tensor();
  torch::Tensor answers[2];
  for (torch::Tensor& answer : answers) {
    opened->submit({"a", {clips_[0], clips_[1]}, frames});
    EXPECT_TRUE(opened->holds("a"));
    std::vector<OracleReply> replies;
    for (auto some = opened->collect(Wait::soon); !some.empty();
         some = opened->collect(Wait::soon)) {
      replies.insert(replies.end(), some.begin(), some.end());
    }
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0].key, "a");
    ASSERT_EQ(replies[0].outcome, OracleReply::Outcome::answered);
    answer = replies[0].answers;
    EXPECT_EQ(answer.sizes(), (std::vector<int64_t>{2, 2}));
    opened->settle("a");
    EXPECT_FALSE(opened->holds("a"));
  }
  EXPECT_TRUE(torch::equal(answers[0], answers[1])) << "the same key, the same answers";
  EXPECT_EQ(server_.bill().clips, traits().bills_unusable ? 2 : 0) << "sent twice, billed once";
}

TEST_P(OracleConformance, FinishesRequestsOfSeveralClipsInAnyNumber) {
  auto opened = options_.kind->open(setup()).answers;
  const auto frames = traits().frames ? torch::rand({3, 3, 4, 32, 32}) : torch::Tensor();
  const auto some = [&](int64_t from, int64_t count) {
    return traits().frames ? frames.narrow(0, from, count) : frames;
  };
  opened->submit({"a", {clips_[0], clips_[1]}, some(0, 2)});
  opened->submit({"b", {clips_[2]}, some(2, 1)});
  std::map<std::string, int64_t> rows;
  for (auto more = opened->collect(Wait::soon); !more.empty(); more = opened->collect(Wait::soon)) {
    for (const OracleReply& reply : more) rows[reply.key] += reply.answers.size(0);
  }
  EXPECT_EQ(rows, (std::map<std::string, int64_t>{{"a", 2}, {"b", 1}}));
}

TEST_P(OracleConformance, SaysWhatItIsAndWhatIsMissing) {
  EXPECT_FALSE(options_.kind->line().empty());
  EXPECT_EQ(options_.kind->missing(), "");
  EXPECT_EQ(options_.kind->warning().empty(), !traits().foreign_code);
  EXPECT_EQ(options_.kind->program().empty(), !traits().foreign_code);
  EXPECT_EQ(options_.kind->network_file("trained").empty(), !traits().network);
  if (opening_.yaml.empty()) return;
  OracleOptions bare;
  read_options(bare, "kind: " + GetParam(), "test");
  EXPECT_THAT(bare.kind->missing(), HasSubstr("oracle.kind = " + GetParam() + " needs oracle."));
}

INSTANTIATE_TEST_SUITE_P(Kinds, OracleConformance, ::testing::ValuesIn(kinds()),
                         [](const auto& kind) { return kind.param; });

TEST(Kinds, AreNamedByWhatTheyAre) {
  EXPECT_EQ(kinds_with([](const OracleTraits& traits) { return traits.network; }),
            "teacher or model");
  EXPECT_EQ(kinds_with([](const OracleTraits& traits) { return traits.soft && traits.at_hand; }),
            "teacher, model, network or torchscript");
  EXPECT_EQ(kinds_with([](const OracleTraits& traits) {
              return traits.soft && !traits.trained_here && !traits.foreign_code;
            }),
            "model, network or http");
}

}  // namespace
}  // namespace distal
