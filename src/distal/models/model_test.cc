#include <csignal>
#include <fstream>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "distal/base/document.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"
#include "distal/models/layers.h"
#include "distal/models/model.h"
#include "distal/models/model_options.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

ModelOptions options(const std::string& yaml) {
  ModelOptions options;
  read_options(options, yaml, "recipe.yaml");
  return options;
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string safetensors(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

const char* const kSmall = "{name: resnet3d, depth: 10, width: 4}";

TEST(WeightFile, GivesBackTensorsOfEveryDtypeInTheirOrder) {
  const TemporaryFolder folder;
  const Tensors tensors = {
      {"b", at::arange(6, at::kFloat).view({2, 3})},   {"a", at::tensor({1, 0, 1}).to(at::kBool)},
      {"scalar", at::scalar_tensor(3.5, at::kDouble)}, {"empty", at::empty({0, 4})},
      {"h", at::randn({5}).to(at::kBFloat16)},         {"long", at::tensor({int64_t{1} << 40})}};
  save_safetensors(folder / "x.safetensors", tensors, {{"who", "test"}});
  const auto read_back = load_safetensors(folder / "x.safetensors");
  ASSERT_THAT(read_back, SizeIs(tensors.size()));
  for (size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(read_back[i].first, tensors[i].first);
    EXPECT_EQ(read_back[i].second.scalar_type(), tensors[i].second.scalar_type());
    EXPECT_TRUE(at::equal(read_back[i].second, tensors[i].second)) << tensors[i].first;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "a temporary file stayed";
}

TEST(WeightFile, HasTheByteLayoutOfTheFormat) {
  const TemporaryFolder folder;
  save_safetensors(folder / "x.safetensors", {{"w", at::tensor({1.0f, -2.0f})}});
  const std::string bytes = read(folder / "x.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_THAT(bytes.substr(8, length),
              HasSubstr(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"));
  EXPECT_EQ(bytes.substr(8 + length), std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8));
}

TEST(WeightFile, WritingToALoadedTensorLeavesTheFileAlone) {
  const TemporaryFolder folder;
  save_safetensors(folder / "x.safetensors", {{"w", at::ones({4})}});
  const std::string before = read(folder / "x.safetensors");
  load_safetensors(folder / "x.safetensors")[0].second.zero_();
  EXPECT_EQ(read(folder / "x.safetensors"), before);
}

TEST(WeightFile, ReadsTensorsThatAreNotAligned) {
  const TemporaryFolder folder;
  const float value = 2.5f;
  write(folder / "x.safetensors",
        safetensors(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )",
                    std::string(reinterpret_cast<const char*>(&value), 4)));
  EXPECT_EQ(load_safetensors(folder / "x.safetensors")[0].second.item<float>(), value);
}

TEST(WeightFile, WithAChecksumEveryChangeIsSeen) {
  const TemporaryFolder folder;
  const std::string path = folder / "x.safetensors";
  const Tensors tensors = {{"b", at::arange(6, at::kFloat).view({2, 3})},
                           {"a", at::tensor({1, 0, 1}).to(at::kBool)},
                           {"odd", at::ones({5}, at::kByte)}};
  save_checked(path, tensors, {{"who", "test"}});
  const std::string bytes = read(path);
  EXPECT_THAT(load_checked(path), SizeIs(3));
  Metadata metadata;
  load_safetensors(path, &metadata);
  EXPECT_EQ(metadata, (Metadata{{"who", "test"}}));
  for (size_t at = 0; at < bytes.size(); ++at) {  // each bit in turn
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    write(path, damaged);
    EXPECT_NE(error_of([&] { load_checked(path); }), "") << "byte " << at << " of " << bytes.size();
  }
  write(path, bytes.substr(0, bytes.size() / 2));
  EXPECT_NE(error_of([&] { load_checked(path); }), "");
  save_safetensors(path, tensors, {{"who", "test"}});
  EXPECT_THAT(error_of([&] { load_checked(path); }), HasSubstr("has no checksum"));
}

// Programs that write a file again keep its remarks, not its order.
TEST(WeightFile, AChecksumHoldsInAnotherOrderAndNotForOtherValues) {
  const Tensors tensors = {{"a", at::ones({2})}, {"b", at::zeros({3})}};
  const Tensors turned = {tensors[1], tensors[0]};
  EXPECT_EQ(checksum_of(tensors, {}), checksum_of(turned, {}));
  EXPECT_NE(checksum_of(tensors, {}), checksum_of(tensors, {{"a", "b"}}));
  EXPECT_NE(checksum_of({{"a", at::ones({2})}}, {}), checksum_of({{"a", at::ones({2, 1})}}, {}));
  EXPECT_NE(checksum_of({{"a", at::zeros({2})}}, {}),
            checksum_of({{"a", at::zeros({2}, at::kInt)}}, {}));
  const TemporaryFolder folder;
  save_safetensors(folder / "x.safetensors", turned,
                   {{"weights_checksum", checksum_of(tensors, {})}});
  EXPECT_THAT(load_safetensors(folder / "x.safetensors"), SizeIs(2));
  save_safetensors(folder / "x.safetensors", {{"a", at::ones({2})}},
                   {{"weights_checksum", checksum_of(tensors, {})}});
  EXPECT_THAT(error_of([&] { load_safetensors(folder / "x.safetensors"); }),
              HasSubstr("its checksum differs"));
}

TEST(WeightFile, RefusesWhatIsBroken) {
  const TemporaryFolder folder;
  const std::string path = folder / "x.safetensors";
  const auto refusal = [&](const std::string& bytes) {
    write(path, bytes);
    return error_of([&] { load_safetensors(path); });
  };
  EXPECT_THAT(error_of([&] { load_safetensors(folder / "none.safetensors"); }),
              HasSubstr("no such file"));
  EXPECT_THAT(error_of([&] { load_safetensors(folder.path()); }),
              HasSubstr("a folder; name a file"));
  EXPECT_THAT(error_of([&] { load_safetensors("/dev/zero"); }), HasSubstr("no regular file"));
  EXPECT_THAT(refusal("abc"), HasSubstr("3 bytes"));
  EXPECT_THAT(refusal(std::string(8, '\xff')), HasSubstr("header wants"));
  EXPECT_THAT(refusal(std::string(8, '\xff')),
              AllOf(HasSubstr("no safetensors"), Not(HasSubstr("copy it again"))));
  EXPECT_THAT(refusal(" {\"model\": {}}"), HasSubstr("JSON text, no safetensors"));
  EXPECT_THAT(refusal("dear reader"), HasSubstr("text, no safetensors"));
  EXPECT_THAT(refusal(std::string("\0\0\0\x20"
                                  "ftypisom\0\0\2\0",
                                  16)),
              HasSubstr("a video, no safetensors"));
  EXPECT_THAT(refusal(safetensors("{nonsense", "")),
              HasSubstr("header: line 1, column 3: not JSON"));
  EXPECT_THAT(refusal(safetensors("[1]", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal(safetensors(R"({"w":{"dtype":"F32"}})", "")),
              HasSubstr("tensor w of its header has no shape"));
  EXPECT_THAT(
      refusal(safetensors(R"({"w":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})", "1234")),
      HasSubstr("dtype F4"));
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(refusal(safetensors(header, "12345678")), "");
  EXPECT_THAT(refusal(safetensors(header + '\0', "12345678")),
              HasSubstr(fmt::format("byte {} of its header is NUL", header.size())));
  EXPECT_THAT(refusal(safetensors(std::string("{\0}", 3), "")),
              HasSubstr("byte 1 of its header is NUL"));
  EXPECT_THAT(refusal(safetensors(header, "1234567")), HasSubstr("cut or damaged"));
  EXPECT_THAT(refusal(safetensors(header, "123456789")), HasSubstr("end at byte 8 of 9"));
  EXPECT_THAT(
      refusal(safetensors(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "12345678")),
      HasSubstr("[3]"));
  EXPECT_THAT(refusal(safetensors(R"({"w":{"dtype":"F32","shape":[4611686018427387905],)"
                                  R"("data_offsets":[0,4]}})",
                                  "1234")),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal(safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                                  R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                                  "123")),
              HasSubstr("overlap"));
  const std::string deep = std::string(300000, '[') + std::string(300000, ']');
  EXPECT_THAT(refusal(safetensors(R"({"w":)" + deep + "}", "")),
              HasSubstr("nested deeper than 64"));
  EXPECT_THAT(refusal(safetensors(R"({"a":{"dtype":"F32",)"
                                  R"("shape":[0,4611686018427387904,4611686018427387904],)"
                                  R"("data_offsets":[0,0]}})",
                                  "")),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal(safetensors(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                  R"("w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                  "12")),
              HasSubstr("'w' stands twice"));
  EXPECT_THAT(
      refusal(safetensors(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,-1]}})", "1")),
      HasSubstr("data_offsets of tensor w in its header is of another type"));
  EXPECT_THAT(
      refusal(safetensors(R"({"w":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}})", "1")),
      HasSubstr("shape of tensor w"));
  EXPECT_THAT(refusal(safetensors(R"({"w":{"dtype":"U8","shape":[18446744073709551615],)"
                                  R"("data_offsets":[0,1]}})",
                                  "1")),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal(safetensors(R"({"w":7})", "")),
              HasSubstr("tensor w of its header has no dtype"));
  std::string ones = "1";
  for (int i = 0; i < 100; ++i) ones += ",1";
  EXPECT_THAT(refusal(safetensors(
                  R"({"w":{"dtype":"U8","shape":[)" + ones + R"(],"data_offsets":[0,1]}})", "1")),
              HasSubstr("101 dimensions"));
}

// Whatever a header is made of, reading it takes little memory and no time to speak of.
TEST(WeightFile, AHeadersBytesAndValuesAreBounded) {
  const TemporaryFolder folder;
  const std::string path = folder / "x.safetensors";
  const auto refusal = [&](const std::string& header) {
    write(path, safetensors(header, ""));
    return error_of([&] { load_safetensors(path); });
  };
  const auto repeated = [](const std::string& text, int64_t count) {
    std::string all;
    for (int64_t i = 0; i < count; ++i) all += text;
    return all;
  };
  EXPECT_THAT(refusal(R"({"a":[0)" + repeated(",0", 1'000'000) + "]}"),
              HasSubstr("more than 1000000 names and values in its header"));
  EXPECT_THAT(refusal(R"({"a":[{})" + repeated(",{}", 1'000'000) + "]}"),
              HasSubstr("more than 1000000 names and values in its header"));
  EXPECT_THAT(refusal("{}" + std::string(17 << 20, ' ')), HasSubstr("at most 16777216 are read"));
  EXPECT_EQ(refusal("{}" + std::string(15 << 20, ' ')), "");
  std::string names = "{";
  for (int64_t i = 60'000; i > 0; --i)
    names += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                         i == 60'000 ? "" : ",", i);
  ASSERT_EQ(refusal(names + "}"), "");
  const auto tensors = load_safetensors(path);
  ASSERT_THAT(tensors, SizeIs(60'000));
  EXPECT_EQ(tensors.front().first, "60000") << "as they stand in the file";
}

TEST(WeightFile, AcceptsEmptyTensorsWhereverTheyStand) {
  const TemporaryFolder folder;
  const std::string path = folder / "x.safetensors";
  write(path, safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("end":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},)"
                          R"("none":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}})",
                          "12"));
  const auto tensors = load_safetensors(path);
  ASSERT_THAT(tensors, SizeIs(3));
  EXPECT_EQ(tensors[0].second.numel(), 2);
  EXPECT_THAT(tensors[2].second.sizes().vec(), ElementsAre(0, 3));
}

TEST(WeightFile, TellsTheRemarksOfAFile) {
  const TemporaryFolder folder;
  Metadata metadata = {{"left", "over"}};
  save_safetensors(folder / "x.safetensors", {{"w", at::ones({1})}}, {{"who", "test"}});
  load_safetensors(folder / "x.safetensors", &metadata);
  EXPECT_EQ(metadata, (Metadata{{"who", "test"}}));
  save_safetensors(folder / "x.safetensors", {{"w", at::ones({1})}});
  load_safetensors(folder / "x.safetensors", &metadata);
  EXPECT_TRUE(metadata.empty());
  write(folder / "x.safetensors", safetensors(R"({"__metadata__":{"who":1}})", ""));
  EXPECT_THAT(error_of([&] { load_safetensors(folder / "x.safetensors", &metadata); }),
              HasSubstr("__metadata__ in its header holds more than texts"));
}

TEST(WeightFile, FailingToWriteNamesThePlaceAndLeavesNothing) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { save_safetensors(folder / "none/x.safetensors", {}); }),
              HasSubstr("none/x.safetensors: cannot be written"));
  std::filesystem::create_directories(folder / "taken/inside");
  EXPECT_THAT(error_of([&] { save_safetensors(folder / "taken", {}); }),
              HasSubstr("cannot be replaced"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Loading, MapsPublishedNames) {
  EXPECT_EQ(our_name("module.base_model.layer1.0.conv1.net.weight"), "layer1.0.conv1.weight");
  EXPECT_EQ(our_name("module.new_fc.bias"), "fc.bias");
  EXPECT_EQ(our_name("fc8.weight"), "fc.weight");
  EXPECT_EQ(our_name("fc8N.weight"), "fc.weight");
  EXPECT_EQ(our_name("blocks.5.proj.bias"), "fc.bias");
  EXPECT_EQ(our_name("logits.weight"), "fc.weight");
  EXPECT_EQ(our_name("classifier.bias"), "fc.bias");
  EXPECT_EQ(our_name("layer4.1.bn2.running_var"), "layer4.1.bn2.running_var");
}

TEST(Loading, AccountsForWhatFitsAndWhatDoesNot) {
  const auto net = options(kSmall).build(3, Random(1));
  const Tensors tensors = {{"conv1.weight", at::ones({4, 3, 7, 7, 7})},
                           {"bn1.num_batches_tracked", at::zeros({})},
                           {"theirs.running_mean", at::full({4}, 2)},
                           {"fc.weight", at::zeros({400, 32})},
                           {"extra", at::zeros({1})}};
  const auto account = load_into(*net, tensors, {{"theirs.running_mean", "bn1.running_mean"}});
  EXPECT_THAT(account.matched, ElementsAre("conv1.weight", "bn1.running_mean"));
  EXPECT_THAT(account.unused, ElementsAre("fc.weight [400, 32]", "extra [1]"));
  EXPECT_EQ(account.missing.size(), state(*net).size() - 2);
  EXPECT_THAT(account.text(), HasSubstr("2 tensors loaded"));
  EXPECT_THAT(account.text(), HasSubstr("more"));
  EXPECT_EQ(net->named_parameters()["conv1.weight"].sum().item<float>(), 4 * 3 * 343);
  EXPECT_EQ(net->named_buffers()["bn1.running_mean"].sum().item<float>(), 8);
}

TEST(SavedModel, ComesBackWithOptionsClassesAndLogits) {
  const TemporaryFolder folder;
  const auto recipe =
      options("{name: resnet3d, depth: 10, width: 6, dropout: 0.25, freeze: [conv1]}");
  auto net = recipe.build(2, Random(7));
  save_model(folder / "model.safetensors", *net,
             side_json(recipe, {"left", "right"}, "{frames: 8}"));
  auto saved = load_model(folder / "model.safetensors");
  EXPECT_THAT(saved.classes, ElementsAre("left", "right"));
  EXPECT_EQ(saved.input_yaml, "{frames: 8}");
  EXPECT_THAT(resolved(saved.options), HasSubstr("dropout: 0.25"));
  EXPECT_FALSE(saved.net->is_training());
  net->eval();
  const auto clips = at::randn({1, 3, 4, 32, 32});
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(saved.net->forward(clips).logits, net->forward(clips).logits));
}

TEST(SavedModel, RefusesAPairThatDoesNotBelongTogether) {
  const TemporaryFolder folder;
  const auto recipe = options(kSmall);
  save_model(folder / "m.safetensors", *recipe.build(2, Random(7)),
             side_json(recipe, {"a", "b", "c"}, ""));
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              HasSubstr("fc.weight [3, 32]"));
  write(folder / "m.json", R"({"model": "question: &a [*a]", "classes": ["a", "b"], "input": ""})");
  EXPECT_THAT(
      error_of([&] { load_model(folder / "m.safetensors"); }),
      HasSubstr("m.json (model):1:15: an alias ('*') within what it stands for has no end"));
  write(folder / "m.json", R"({"model": 7, "classes": ["a", "b"], "input": ""})");
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              HasSubstr("m.json: \"model\" in its JSON is of another type"));
  write(folder / "m.json", R"({"model": "", "classes": [], "input": ""})");
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              HasSubstr("m.json: 0 classes"));
  write(folder / "m.json", "{}");
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              HasSubstr("m.json: its JSON has no \"classes\""));
  EXPECT_THAT(error_of([&] { load_model(folder / "n.safetensors"); }),
              HasSubstr("n.safetensors: no such file"));
}

TEST(SavedModel, RefusesTheDescriptionOfAnotherModelOfTheSameShape) {
  const TemporaryFolder folder;
  const auto recipe = options(kSmall);
  save_model(folder / "m.safetensors", *recipe.build(2, Random(7)),
             side_json(recipe, {"a", "b"}, ""));
  const std::string first = read(folder / "m.json");
  save_model(folder / "m.safetensors", *recipe.build(2, Random(8)),
             side_json(recipe, {"b", "a"}, ""));
  EXPECT_THAT(load_model(folder / "m.safetensors").classes, ElementsAre("b", "a"));
  write(folder / "m.json", first);
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              HasSubstr("m.json: not the description that"));
  std::filesystem::remove(folder / "m.json");
  EXPECT_THAT(load_model(folder / "m.safetensors").classes, ElementsAre("b", "a"));
}

// What stops save_model where a kill could: a limit on the size of files before the weights, a
// folder in the description's place behind them.
TEST(SavedModel, IsTheOldOrTheNewOneWhereverSavingStops) {
  const TemporaryFolder folder;
  const auto recipe = options(kSmall);
  const auto old_net = recipe.build(2, Random(7));
  const auto new_net = recipe.build(3, Random(8));
  const std::string path = folder / "m.safetensors";
  const std::string beside = folder / "m.json";
  const auto weight = [](const Model& net) { return net->named_parameters()["fc.weight"]; };
  const auto save_new = [&] {
    return error_of([&] { save_model(path, *new_net, side_json(recipe, {"c", "d", "e"}, "")); });
  };
  save_model(path, *old_net, side_json(recipe, {"a", "b"}, ""));
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{1000, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THAT(save_new(), HasSubstr("m.safetensors: cannot be written"));
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  const auto before = load_model(path);
  EXPECT_THAT(before.classes, ElementsAre("a", "b"));
  EXPECT_TRUE(at::equal(weight(before.net), weight(old_net)));
  std::filesystem::create_directories(beside + "/held");  // so that nobody removes it in passing
  EXPECT_THAT(save_new(), HasSubstr("m.json: cannot be replaced"));
  std::filesystem::remove_all(beside);
  const auto after = load_model(path);
  EXPECT_THAT(after.classes, ElementsAre("c", "d", "e"));
  EXPECT_TRUE(at::equal(weight(after.net), weight(new_net)));
}

TEST(SavedModel, AndAnInitThatAreNotFiniteAreRefusedByTheTensorsName) {
  const TemporaryFolder folder;
  auto recipe = options(kSmall);
  const auto net = recipe.build(2, Random(7));
  {
    const torch::NoGradGuard no_grad;
    net->named_parameters()["layer2.0.conv1.weight"].flatten()[3] =
        std::numeric_limits<float>::quiet_NaN();
    net->named_buffers()["bn1.running_var"][0] = std::numeric_limits<float>::infinity();
  }
  save_model(folder / "m.safetensors", *net, side_json(recipe, {"a", "b"}, ""));
  EXPECT_THAT(
      error_of([&] { load_model(folder / "m.safetensors"); }),
      ::testing::AllOf(HasSubstr("m.safetensors: tensor layer2.0.conv1.weight holds 1 values of "),
                       HasSubstr("train it again")));
  recipe.init = folder / "m.safetensors";
  EXPECT_THAT(error_of([&] { recipe.build(2, Random(7)); }),
              HasSubstr("tensor layer2.0.conv1.weight"));
  // As another program would write it: the checksum is that of the sound one.
  const auto sound = options(kSmall).build(2, Random(7));
  save_safetensors(folder / "m.safetensors", state(*net),
                   {{"weights_checksum", checksum_of(state(*sound), {})}});
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              HasSubstr("tensor layer2.0.conv1.weight"));
}

TEST(SavedModel, StaysASafetensorsFileForOthersAndNeedsNothingInIt) {
  const TemporaryFolder folder;
  const auto recipe = options(kSmall);
  const auto net = recipe.build(2, Random(7));
  save_model(folder / "m.safetensors", *net, side_json(recipe, {"a", "b"}, ""));
  EXPECT_THAT(read(folder / "m.safetensors").substr(8, 60),
              HasSubstr(R"("__metadata__":{"distal":"{\n)"));
  EXPECT_THAT(read(folder / "m.safetensors"), HasSubstr(R"("format":"pt")"));
  save_safetensors(folder / "m.safetensors", state(*net));
  EXPECT_THAT(load_model(folder / "m.safetensors").classes, ElementsAre("a", "b"));
  std::filesystem::remove(folder / "m.json");
  EXPECT_THAT(error_of([&] { load_model(folder / "m.safetensors"); }),
              HasSubstr("m.json: missing"));
}

TEST(ModelOptions, StartsFromAFileAndTellsWhatItTook) {
  const TemporaryFolder folder;
  const auto first = options(kSmall).build(5, Random(1));
  save_safetensors(folder / "w.safetensors", state(*first));
  auto recipe = options(
      fmt::format("{{name: resnet3d, depth: 10, width: 4, init: {}}}", folder / "w.safetensors"));
  const auto second = recipe.build(3, Random(2));
  EXPECT_TRUE(at::equal(second->named_parameters()["layer2.0.conv1.weight"],
                        first->named_parameters()["layer2.0.conv1.weight"]));
  EXPECT_THAT(recipe.account, HasSubstr("2 of the net not in the file: fc.weight [3, 32]"));
  save_safetensors(folder / "w.safetensors", {{"other", at::zeros({1})}});
  EXPECT_THAT(error_of([&] { recipe.build(3, Random(2)); }), HasSubstr("fills 0 % of resnet3d"));
}

class Init : public ::testing::Test {
 protected:
  // The message of building kSmall from the tensors of another one that `name` gives a name;
  // tensors without one are left out.
  std::string build_from(
      const std::function<std::string(const std::string&, const at::Tensor&)>& name,
      const std::string& more = "") {
    const auto source = options(kSmall).build(5, Random(1));
    Tensors tensors;
    for (const auto& [ours, tensor] : state(*source)) {
      if (const auto theirs = name(ours, tensor); !theirs.empty())
        tensors.emplace_back(theirs, tensor);
    }
    save_safetensors(folder_ / "w.safetensors", tensors);
    recipe_ = options(fmt::format("{{name: resnet3d, depth: 10, width: 4, init: {}{}}}",
                                  folder_ / "w.safetensors", more));
    return error_of([&] {
      const auto net = recipe_.build(3, Random(2));
      loaded_ = at::equal(net->named_parameters()["layer4.0.conv1.weight"],
                          source->named_parameters()["layer4.0.conv1.weight"]);
    });
  }
  TemporaryFolder folder_;
  ModelOptions recipe_;
  bool loaded_ = false;
};

TEST_F(Init,
       IsRefusedBelowHalfOfTheNet) {  // 12 convolutions and their norms, of which layer4 has 3
  const auto refusal = build_from([](const std::string& name, const at::Tensor&) {
    return name.starts_with("layer4.") ? name : "";
  });
  EXPECT_THAT(refusal, HasSubstr("w.safetensors fills 25 % of resnet3d"));
  EXPECT_THAT(
      refusal,
      HasSubstr("15 tensors loaded; 47 of the net not in the file: conv1.weight [4, 3, 7, 7, 7]"));
  EXPECT_THAT(refusal, HasSubstr("init_keys"));
  EXPECT_EQ(build_from([](const std::string& name, const at::Tensor&) {
              return name.starts_with("layer4.") || name.starts_with("layer3.") ||
                             name.starts_with("layer2.")
                         ? name
                         : "";
            }),
            "");
  EXPECT_TRUE(loaded_);
}

TEST_F(Init, MayLackNormsButNotCallThemOtherwise) {
  const auto folded = [](const std::string& name, const at::Tensor& tensor) {
    return tensor.dim() > 1 ? name : "";
  };
  EXPECT_EQ(build_from(folded), "");
  EXPECT_TRUE(loaded_);
  const auto renamed = [](const std::string& name, const at::Tensor& tensor) {
    return tensor.dim() > 1 ? name : "norms." + name;
  };
  EXPECT_THAT(build_from(renamed), HasSubstr("fills 20 % of resnet3d"));
}

TEST_F(Init, KeysTurnTheNamesOfAFileIntoOurs) {
  const auto theirs = [](const std::string& name, const at::Tensor&) {
    return "module.encoder." + name;
  };
  EXPECT_THAT(build_from(theirs), HasSubstr("fills 0 % of resnet3d"));
  EXPECT_EQ(build_from(theirs, R"(, init_keys: ['encoder\.:'])"), "");
  EXPECT_TRUE(loaded_);
  EXPECT_EQ(build_from(theirs, R"(, init_keys: ['^module\.(?:encoder\.)(.*)$:net_$1', '^net_:'])"),
            "")
      << "in their order";
  EXPECT_TRUE(loaded_);
  EXPECT_THAT(
      build_from(theirs, R"(, init_keys: ['^net_:', '^module\.(?:encoder\.)(.*)$:net_$1'])"),
      HasSubstr("fills 0 %"));
  EXPECT_EQ(options(resolved(recipe_)).init_keys, recipe_.init_keys);
}

TEST_F(Init, KeysThatAreNoRulesAreRefusedWithTheRecipe) {
  const auto refusal = [](const std::string& keys) {
    return error_of([&] { options("{name: resnet3d, init_keys: " + keys + "}"); });
  };
  EXPECT_THAT(refusal("[encoder]"),
              HasSubstr("recipe.yaml:1:1: init_keys: 'encoder' is no 'pattern:replacement'"));
  EXPECT_THAT(refusal("[':fc']"), HasSubstr("is no 'pattern:replacement'"));
  EXPECT_THAT(refusal("['(fc:fc']"), HasSubstr("init_keys: '(fc' is not a regular expression"));
  EXPECT_EQ(refusal("['fc:fc']"), "");
}

TEST(ModelOptions, FreezingTheBackboneLeavesTheHeadAndItsNormsStandStill) {
  const auto net =
      options("{name: resnet3d, depth: 10, width: 4, freeze: [backbone]}").build(3, Random(1));
  for (const auto& row : net->named_parameters())
    EXPECT_EQ(row.value().requires_grad(), row.key().starts_with("fc.")) << row.key();
  const auto before = net->named_buffers()["bn1.running_mean"].clone();
  net->train();
  const auto clips = at::randn({2, 3, 4, 32, 32});
  const auto output = net->forward(clips);
  EXPECT_TRUE(at::equal(net->named_buffers()["bn1.running_mean"], before));
  net->eval();
  EXPECT_TRUE(at::equal(net->forward(clips).logits, output.logits));
}

TEST(ModelOptions, RefusesAFreezeThatMatchesNothingAndUnknownOptions) {
  EXPECT_THAT(
      error_of([] {
        options("{name: resnet3d, depth: 10, width: 4, freeze: [layer9]}").build(3, Random(1));
      }),
      HasSubstr("layer4, fc"));
  EXPECT_THAT(error_of([] { options("{name: resnet3d, depht: 10}"); }), HasSubstr("depth"));
  EXPECT_THAT(error_of([] { options("{name: resnet3d, depth: 11}"); }),
              HasSubstr("10, 18, 34 and 50"));
}

}  // namespace
}  // namespace distal
