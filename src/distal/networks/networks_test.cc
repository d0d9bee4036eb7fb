#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/script.h>

#include "distal/base/document.h"
#include "distal/base/files.h"
#include "distal/base/options.h"
#include "distal/base/protobuf.h"
#include "distal/base/testing.h"
#include "distal/networks/class_names.h"
#include "distal/networks/input_form.h"
#include "distal/networks/network.h"
#include "distal/networks/onnx_file.h"
#include "distal/networks/program_worker.h"
#include "distal/networks/pt2_source.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Shape = std::vector<int64_t>;

// ---- files of ONNX, written here (onnx.proto)

struct NodeText {
  std::string type;
  std::vector<std::string> inputs;
  std::string output;
  std::map<std::string, Shape> lists = {};
  std::map<std::string, int64_t> numbers = {};
};

std::string node_bytes(const NodeText& node) {
  std::string text;
  for (const auto& input : node.inputs) text += bytes_field(1, input);
  text += bytes_field(2, node.output) + bytes_field(4, node.type);
  for (const auto& [name, values] : node.lists) {
    std::string attribute = bytes_field(1, name);
    for (const int64_t value : values) attribute += varint_field(8, value);
    text += bytes_field(5, attribute + varint_field(20, 7));
  }
  for (const auto& [name, value] : node.numbers)
    text += bytes_field(5, bytes_field(1, name) + varint_field(3, value) + varint_field(20, 2));
  return text;
}

// float32 (1) or uint8 (2); -1: N.
std::string port_bytes(const std::string& name, const Shape& shape, int64_t type = 1) {
  std::string sizes;
  for (const int64_t size : shape)
    sizes += bytes_field(1, size < 0 ? bytes_field(2, "N") : varint_field(1, size));
  return bytes_field(1, name) +
         bytes_field(2, bytes_field(1, varint_field(1, type) + bytes_field(2, sizes)));
}

struct GraphText {
  std::vector<NodeText> nodes;
  std::vector<std::string> inputs, outputs;  // port_bytes
  std::map<std::string, std::string> metadata = {};
  std::string more = {};  // of the graph
};

std::string onnx_bytes(const GraphText& graph) {
  std::string text;
  for (const auto& node : graph.nodes) text += bytes_field(1, node_bytes(node));
  text += bytes_field(2, "g") + graph.more;
  for (const auto& input : graph.inputs) text += bytes_field(11, input);
  for (const auto& output : graph.outputs) text += bytes_field(12, output);
  std::string model = varint_field(1, 8) + bytes_field(7, text) +
                      bytes_field(8, bytes_field(1, "") + varint_field(2, 13));
  for (const auto& [key, value] : graph.metadata)
    model += bytes_field(14, bytes_field(1, key) + bytes_field(2, value));
  return model;
}

const NodeText kMeanColour = {
    "ReduceMean", {"pixels"}, "rows", {{"axes", {2, 3}}}, {{"keepdims", 0}}};

GraphText mean_colour(const Shape& shape = {-1, 3, 4, 4}) {
  return {{kMeanColour}, {port_bytes("pixels", shape)}, {port_bytes("rows", {-1, 3})}};
}

NetworkOptions with_file(const std::string& file) {
  NetworkOptions options;
  options.file = file;
  return options;
}

std::string refusal(const NetworkOptions& options) {
  return error_of([&] { open_network(options, "oracle.network"); });
}

at::Tensor some_clips(int64_t clips, int64_t frames, int64_t size) {
  return at::linspace(-1, 1, clips * 3 * frames * size * size).view({clips, 3, frames, size, size});
}

// As PyTorch normalises: [N, 3, T, H, W] in [-1, 1] to what the network sees, in float64.
at::Tensor normalised(const at::Tensor& clips, const NetworkOptions& options) {
  at::Tensor x = (clips.to(at::kDouble) * 127.5 + 127.5) / 255;
  if (options.range == "byte") x = x * 255;
  if (options.range == "signed") x = x * 2 - 1;
  x = (x - at::tensor(options.mean, at::kDouble).view({1, 3, 1, 1, 1})) /
      at::tensor(options.std, at::kDouble).view({1, 3, 1, 1, 1});
  return options.channels == "bgr" ? x.flip(1) : x;
}

// ---- the form of the input

at::Tensor written(const InputForm& form, const at::Tensor& clips) {
  Shape shape = form.item();
  shape.insert(shape.begin(), form.items(clips));
  const at::Tensor items = at::empty(shape, form.as_bytes() ? at::kByte : at::kFloat);
  for (int64_t i = 0; i < items.size(0); ++i)
    form.write(clips, i, static_cast<char*>(items.data_ptr()) + i * form.item_bytes());
  return items;
}

TEST(InputForm, WritesEveryLayoutRangeAndOrderAsPyTorchWould) {
  const auto clips = some_clips(2, 4, 5);
  for (const std::string layout : {"nchw", "nhwc", "ncthw", "nthwc", "ntchw"}) {
    for (const std::string range : {"unit", "byte", "signed"}) {
      for (const std::string channels : {"rgb", "bgr"}) {
        NetworkOptions options = with_file("a.onnx");
        options.layout = layout;
        options.range = range;
        options.channels = channels;
        options.mean = {0.1, 0.2, 0.3};
        options.std = {0.5, 0.25, 2};
        options.size_px = 5;
        options.frames = layout.size() == 5 ? 4 : 1;
        const InputForm form(options, {"x", "f32", {}}, "p");
        at::Tensor wanted = normalised(clips, options);  // n c t h w
        if (layout == "nthwc") wanted = wanted.permute({0, 2, 3, 4, 1});
        if (layout == "ntchw") wanted = wanted.permute({0, 2, 1, 3, 4});
        if (layout == "nchw") wanted = wanted.permute({0, 2, 1, 3, 4}).flatten(0, 1);
        if (layout == "nhwc") wanted = wanted.permute({0, 2, 3, 4, 1}).flatten(0, 1);
        const at::Tensor got = written(form, clips);
        ASSERT_EQ(got.sizes(), wanted.sizes()) << layout;
        EXPECT_LT((got.to(at::kDouble) - wanted).abs().max().item<double>(),
                  range == "byte" ? 5e-4 : 2e-6)
            << layout << range << channels;
      }
    }
  }
}

TEST(InputForm, GivesBytesBackAsTheyWere) {
  const at::Tensor bytes =
      at::arange(256, at::kByte).view({1, 1, 1, 16, 16}).expand({1, 3, 1, 16, 16});
  const at::Tensor clips = (bytes.to(at::kFloat) / 127.5 - 1).contiguous();
  const InputForm form(with_file("a.onnx"), {"x", "u8", {-1, 16, 16, 3}}, "p");
  EXPECT_TRUE(form.channels_last());
  EXPECT_TRUE(at::equal(written(form, clips).permute({0, 3, 1, 2}), bytes.select(2, 0)));
}

TEST(InputForm, TakesSizesFramesAndLayoutFromTheFile) {
  const InputForm frames(with_file("a.onnx"), {"x", "f32", {-1, 3, 32, 32}}, "p");
  EXPECT_EQ(frames.size_px(), 32);
  EXPECT_EQ(frames.frames(), 1);
  EXPECT_EQ(frames.batch(), 0);
  const InputForm clips(with_file("a.onnx"), {"x", "f16", {2, 8, 3, 16, 16}}, "p");
  EXPECT_THAT(clips.item(), ElementsAre(8, 3, 16, 16));
  EXPECT_EQ(clips.frames(), 8);
  EXPECT_EQ(clips.batch(), 2);
  EXPECT_EQ(layout_of({-1, 3, 3, 8, 8}), "") << "two dimensions may be the channels";
}

TEST(InputForm, SaysWhatTheFileTakesWhereTheOptionsDiffer) {
  const auto said = [](const NetworkPort& port,
                       const std::function<void(NetworkOptions&)>& change) {
    NetworkOptions options = with_file("a.onnx");
    change(options);
    return error_of([&] { InputForm(options, port, "oracle.network"); });
  };
  const NetworkPort frame{"pixels", "f32", {-1, 3, 224, 224}};
  EXPECT_THAT(said(frame, [](auto& o) { o.size_px = 112; }),
              "oracle.network.size_px: a.onnx takes pixels: f32 [any, 3, 224, 224], so pictures of "
              "224 pixels, and not of 112");
  EXPECT_THAT(said(frame, [](auto& o) { o.layout = "nhwc"; }),
              AllOf(HasSubstr("oracle.network.layout"), HasSubstr("which is not nhwc"),
                    HasSubstr("say nchw")));
  EXPECT_THAT(said(frame, [](auto& o) { o.frames = 16; }),
              AllOf(HasSubstr("oracle.network.frames"), HasSubstr("single frames")));
  EXPECT_THAT(said({"x", "f32", {-1, 3, 16, 224, 224}}, [](auto& o) { o.frames = 8; }),
              HasSubstr("so 16 frames, and not 8"));
  EXPECT_THAT(said({"x", "f32", {-1, 3, 256, 128}}, [](auto&) {}),
              HasSubstr("pictures 256 high and 128 wide"));
  EXPECT_THAT(said({"x", "f32", {-1, -1, -1, -1}}, [](auto&) {}),
              HasSubstr("give oracle.network.layout"));
  EXPECT_THAT(said({"x", "f32", {-1, 3, -1, -1}}, [](auto&) {}),
              HasSubstr("give oracle.network.size_px"));
  EXPECT_THAT(said({"x", "i64", {-1, 77}}, [](auto&) {}), HasSubstr("takes x: i64 [any, 77]"));
  EXPECT_THAT(said({"", "", {}}, [](auto&) {}), HasSubstr("does not say the layout"));
  EXPECT_THAT(said({"x", "u8", {-1, 3, 8, 8}}, [](auto& o) { o.range = "signed"; }),
              HasSubstr("leave out oracle.network.mean, std and range"));
}

TEST(Ports, AreNamedWhereThereAreSeveral) {
  const std::vector<NetworkPort> inputs = {{"ids", "i64", {-1, 77}},
                                           {"pixels", "f32", {-1, 3, 8, 8}}};
  EXPECT_EQ(picture_port(inputs, "", "p").name, "pixels");
  EXPECT_THAT(error_of([&] { picture_port(inputs, "pixel", "p"); }),
              "p.input: the file has no input 'pixel'; it takes ids: i64 [any, 77]; pixels: f32 "
              "[any, 3, 8, 8]");
  const std::vector<NetworkPort> outputs = {{"logits", "f32", {-1, 5}},
                                            {"tokens", "f32", {-1, 50, 8}}};
  EXPECT_THAT(error_of([&] { answer_port(outputs, "", "p"); }),
              AllOf(HasSubstr("logits: f32 [any, 5]; tokens"), HasSubstr("name one in p.output")));
  EXPECT_THAT(error_of([&] { answer_port(outputs, "x", "p"); }), HasSubstr("no output 'x'"));
}

// ---- names of classes

TEST(ClassNames, AreReadInTheFormsThatToolsWrite) {
  const auto cut_rest = ElementsAre("cut", "rest");
  EXPECT_THAT(class_names_of("{0: 'cut', 1: 'rest'}"), cut_rest) << "Ultralytics";
  EXPECT_THAT(class_names_of("['cut', 'rest']"), cut_rest);
  EXPECT_THAT(class_names_of("cut, rest"), cut_rest);
  EXPECT_THAT(class_names_of("cut\nrest\n"), cut_rest);
  EXPECT_THAT(class_names_of("{\"1\": \"rest\", \"0\": \"cut\"}"), cut_rest);
  EXPECT_THAT(class_names_of_json(R"({"id2label": {"0": "cut", "1": "rest"}, "size": 3})"),
              cut_rest);
  EXPECT_THAT(class_names_of_json(R"({"classes": ["cut", "rest"]})"), cut_rest);
  EXPECT_THAT(class_names_of({{"distal", R"({"classes": ["cut", "rest"]})"}, {"names", "[a]"}}),
              cut_rest);
  EXPECT_THAT(class_names_of({{"author", "x"}, {"names", "{0: cut, 1: rest}"}}), cut_rest);
}

TEST(ClassNames, AreNoneWhereNumbersAreMissing) {
  EXPECT_THAT(class_names_of("{0: 'cut', 2: 'rest'}"), IsEmpty());
  EXPECT_THAT(class_names_of("{0: 'cut', 0: 'rest'}"), IsEmpty());
  EXPECT_THAT(class_names_of("{cut: 0}"), IsEmpty());
  EXPECT_THAT(class_names_of("[[1]]"), IsEmpty());
  EXPECT_THAT(class_names_of_json("no JSON"), IsEmpty());
  EXPECT_THAT(class_names_of_json(R"({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})"), IsEmpty());
  EXPECT_THAT(class_names_of_json(R"({"classes": [1, 2]})"), IsEmpty());
}

TEST(ClassNames, OfFilesBesideAreFoundByNameOrAsConfig) {
  const TemporaryFolder folder;
  EXPECT_THAT(class_names_beside(folder / "a.onnx"), IsEmpty());
  folder.write("config.json", R"({"id2label": {"0": "x"}})");
  EXPECT_THAT(class_names_beside(folder / "a.onnx"), ElementsAre("x"));
  folder.write("a.json", R"({"classes": ["y"]})");
  EXPECT_THAT(class_names_beside(folder / "a.onnx"), ElementsAre("y"));
  folder.write("a.onnx.json", R"({"classes": ["z"]})");
  EXPECT_THAT(class_names_beside(folder / "a.onnx"), ElementsAre("z"));
}

// ---- ONNX

TEST(OnnxFile, SaysItsMetadataAndWhereItsWeightsLie) {
  GraphText graph = mean_colour();
  graph.metadata = {{"names", "{0: 'a'}"}};
  const auto location = [](const std::string& name) {
    return bytes_field(5, bytes_field(13, bytes_field(1, "location") + bytes_field(2, name)));
  };
  graph.more = location("w.bin") + location("v.bin") + location("w.bin");
  const OnnxFile file = read_onnx(onnx_bytes(graph), "a.onnx");
  EXPECT_EQ(file.metadata.at("names"), "{0: 'a'}");
  EXPECT_THAT(file.external, ElementsAre("v.bin", "w.bin"));
  for (const std::string bad : {"../w.bin", "/etc/passwd", "a/../../b"}) {
    graph.more = location(bad);
    EXPECT_THAT(error_of([&] { read_onnx(onnx_bytes(graph), "a.onnx"); }),
                HasSubstr("outside of its folder"));
  }
  const std::string whole = onnx_bytes(mean_colour());
  EXPECT_THAT(error_of([&] { read_onnx(whole.substr(0, whole.size() / 2), "a.onnx"); }),
              HasSubstr("cut off"));
}

TEST(OnnxNetwork, ComputesFramesAndPoolsThem) {
  const TemporaryFolder folder;
  const NetworkOptions options = with_file(folder.write("a.onnx", onnx_bytes(mean_colour())));
  const auto network = open_network(options, "oracle.network");
  EXPECT_EQ(network->width(), 3);
  EXPECT_EQ(network->size_px(), 4);
  EXPECT_EQ(network->frames(), 1);
  const auto clips = some_clips(70, 3, 4);  // several requests, the last one not full
  const auto wanted = normalised(clips, options).mean({2, 3, 4});
  EXPECT_LT((network->run(clips).to(at::kDouble) - wanted).abs().max().item<double>(), 1e-5);
  NetworkOptions most = options;
  most.pooling = "max";
  EXPECT_LT((open_network(most, "p")->run(clips).to(at::kDouble) -
             normalised(clips, options).mean({3, 4}).amax(2))
                .abs()
                .max()
                .item<double>(),
            1e-5);
  EXPECT_EQ(network->run(clips.narrow(0, 0, 0)).size(0), 0);
  EXPECT_THAT(error_of([&] { network->run(some_clips(1, 3, 5)); }),
              HasSubstr("takes clips [N, 3, T, 4, 4] and gets [1, 3, 3, 5, 5]"));
}

TEST(OnnxNetwork, TakesBytesInterleaved) {
  const TemporaryFolder folder;
  const GraphText graph = {
      {{"Cast", {"pixels"}, "floats", {}, {{"to", 1}}},
       {"ReduceMean", {"floats"}, "rows", {{"axes", {1, 2}}}, {{"keepdims", 0}}}},
      {port_bytes("pixels", {-1, 4, 4, 3}, 2)},
      {port_bytes("rows", {-1, 3})}};
  const auto network = open_network(with_file(folder.write("a.onnx", onnx_bytes(graph))), "p");
  const auto bytes = at::arange(96, at::kByte).view({2, 3, 1, 4, 4});
  const auto got = network->run(bytes.to(at::kFloat) / 127.5 - 1);
  EXPECT_TRUE(at::allclose(got, bytes.to(at::kFloat).mean({2, 3, 4})));
}

TEST(OnnxNetwork, IsAskedOneByOneWhereCompanyCounts) {
  const TemporaryFolder folder;
  GraphText graph = mean_colour();
  graph.nodes[0].output = "means";
  graph.nodes.push_back({"ReduceMean", {"means"}, "centre", {{"axes", {0}}}, {{"keepdims", 1}}});
  graph.nodes.push_back({"Mul", {"means", "centre"}, "rows"});  // not what the others' rows are
  std::vector<std::string> said;
  const auto network = open_network(with_file(folder.write("a.onnx", onnx_bytes(graph))), "p",
                                    [&](const std::string& line) { said.push_back(line); });
  EXPECT_THAT(said,
              ElementsAre(HasSubstr("answers otherwise about an input in company; it is asked "
                                    "one by one")));
  const auto clips = some_clips(5, 1, 4);
  const auto alone = normalised(clips, with_file("")).mean({2, 3, 4}).square();
  EXPECT_LT((network->run(clips).to(at::kDouble) - alone).abs().max().item<double>(), 1e-4);
}

TEST(OnnxNetwork, TakesTheOutputThatPicturesAloneDecide) {
  const TemporaryFolder folder;
  GraphText graph = mean_colour();
  graph.nodes.push_back({"Add", {"rows", "text"}, "both"});
  graph.inputs.push_back(port_bytes("text", {-1, 3}));
  graph.outputs.push_back(port_bytes("both", {-1, 3}));
  NetworkOptions options = with_file(folder.write("a.onnx", onnx_bytes(graph)));
  EXPECT_THAT(refusal(options), HasSubstr("name one in oracle.network.output"));
  options.output = "both";
  EXPECT_THAT(refusal(options), HasSubstr("output both of"));
  EXPECT_THAT(refusal(options), HasSubstr("needs the input text too"));
  options.output = "rows";
  EXPECT_EQ(open_network(options, "p")->width(), 3);
}

TEST(OnnxNetwork, NamesItsClassesWhereTheirNumberFits) {
  const TemporaryFolder folder;
  GraphText graph = mean_colour();
  graph.metadata = {{"names", "{0: 'a', 1: 'b', 2: 'c'}"}};
  NetworkOptions options = with_file(folder.write("a.onnx", onnx_bytes(graph)));
  EXPECT_THAT(open_network(options, "p")->classes(), ElementsAre("a", "b", "c"));
  graph.metadata = {{"names", "{0: 'a', 1: 'b'}"}};
  options.file = folder.write("b.onnx", onnx_bytes(graph));
  std::vector<std::string> said;
  EXPECT_THAT(
      open_network(options, "p", [&](const std::string& line) { said.push_back(line); })->classes(),
      IsEmpty());
  EXPECT_THAT(said, ElementsAre(HasSubstr("names 2 classes and gives 3 numbers")));
}

TEST(OnnxNetwork, IsRefusedWithACureWhereItIsDamaged) {
  const TemporaryFolder folder;
  const std::string whole = onnx_bytes(mean_colour());
  EXPECT_THAT(refusal(with_file(folder.write("cut.onnx", whole.substr(0, 40)))),
              HasSubstr("cut off"));
  EXPECT_THAT(refusal(with_file(folder / "none.onnx")), HasSubstr("none.onnx"));
  EXPECT_THAT(refusal(with_file(folder.write("a.xml", "<html>"))), HasSubstr("no <net> in it"));
  EXPECT_THAT(refusal(with_file(folder.write("b.xml", "<net name='a'>"))),
              HasSubstr("its weights"));
  GraphText unknown = mean_colour();
  unknown.nodes[0].type = "NoSuchOperation";
  EXPECT_THAT(refusal(with_file(folder.write("op.onnx", onnx_bytes(unknown)))),
              HasSubstr("OpenVINO cannot"));
}

TEST(Network, IsOneOfTheKnownEndingsAndWellDescribed) {
  EXPECT_THAT(refusal(with_file("a.pb")),
              AllOf(HasSubstr("oracle.network.file: 'a.pb' has the ending of no network"),
                    HasSubstr(".onnx"), HasSubstr(".pt2"), HasSubstr(".xml")));
  EXPECT_THAT(refusal(with_file("")), HasSubstr("no file"));
  NetworkOptions options = with_file("a.onnx");
  options.mean = {0.5};
  EXPECT_THAT(refusal(options), HasSubstr("oracle.network.mean: 1 numbers where three"));
  options.mean = options.std = {1, 1, 0};
  EXPECT_THAT(refusal(options), HasSubstr("numbers above 0"));
}

TEST(Network, IsKnownByItsContentAndDescription) {
  const TemporaryFolder folder;
  const NetworkOptions a = with_file(folder.write("a.onnx", onnx_bytes(mean_colour())));
  const NetworkOptions copy = with_file(folder.write("b.onnx", onnx_bytes(mean_colour())));
  const NetworkOptions other =
      with_file(folder.write("c.onnx", onnx_bytes(mean_colour({-1, 3, 8, 8}))));
  EXPECT_EQ(network_id(a), network_id(copy)) << "the name of the file does not count";
  EXPECT_NE(network_id(a), network_id(other));
  NetworkOptions changed = a;
  changed.pooling = "max";
  EXPECT_NE(network_id(a), network_id(changed));
  changed = a;
  changed.timeout_s = 3;
  EXPECT_EQ(network_id(a), network_id(changed));
  EXPECT_EQ(open_network(a, "p")->id(), network_id(a));
}

TEST(Network, HasASectionThatFitsAndIsAccepted) {
  const TemporaryFolder folder;
  const std::string file = folder.write("it's.onnx", onnx_bytes(mean_colour()));
  std::vector<std::string> guesses;
  const std::string section = network_section(file, describe_network(file), &guesses);
  EXPECT_THAT(section, AllOf(HasSubstr("layout: nchw, size_px: 4"), HasSubstr("mean: [0.485")));
  EXPECT_EQ(guesses.size(), 1u);
  struct Recipe {
    NetworkOptions network;
    void visit(OptionVisitor& v) const { v("network", network, "a network"); }
  } recipe;
  read_options(recipe, section, "r.yaml");
  EXPECT_EQ(open_network(recipe.network, "network")->width(), 3);
}

TEST(Network, HasTheNormalisationThatAFileBesideItSays) {
  const TemporaryFolder folder;
  const std::string file = folder.write("a.onnx", onnx_bytes(mean_colour()));
  const auto section = [&](const std::string& config, size_t guesses) {
    folder.write("preprocessor_config.json", config);
    std::vector<std::string> said;
    const std::string text = network_section(file, describe_network(file), &said);
    EXPECT_EQ(said.size(), guesses) << config;
    return text;
  };
  EXPECT_THAT(section(R"({"image_mean": [0.5, 0.25, 0.75], "image_std": [0.5, 0.5, 0.25]})", 0),
              HasSubstr("range: unit, mean: [0.5, 0.25, 0.75], std: [0.5, 0.5, 0.25]"));
  EXPECT_THAT(section(R"({"do_normalize": false, "do_rescale": false})", 0),
              HasSubstr("range: byte, mean: [0, 0, 0], std: [1, 1, 1]"));
  EXPECT_THAT(section(R"({"rescale_factor": 0.5})", 1), HasSubstr("mean: [0.485"));
  EXPECT_THAT(section("no JSON", 1), HasSubstr("mean: [0.485"));
}

// ---- programs

std::string scripted_network(const TemporaryFolder& folder, const std::string& name,
                             const std::string& body, const torch::jit::ExtraFilesMap& extra = {}) {
  torch::jit::Module module("network");
  module.define("def forward(self, x):\n    " + body + "\n");
  module.save(folder / name, extra);
  return folder / name;
}

NetworkOptions frames_of_a_program(const std::string& file) {
  NetworkOptions options = with_file(file);
  options.layout = "nchw";
  options.size_px = 4;
  return options;
}

TEST(TorchscriptNetwork, ComputesInAProcessOfItsOwn) {
  const TemporaryFolder folder;
  const auto options = frames_of_a_program(
      scripted_network(folder, "a.pt", "return x.mean([2, 3])", {{"classes", "red, green, blue"}}));
  std::vector<std::string> said;
  const auto network =
      open_network(options, "p", [&](const std::string& line) { said.push_back(line); });
  EXPECT_THAT(said, ElementsAre(HasSubstr("is TorchScript: a program, which is executed")));
  EXPECT_THAT(network->classes(), ElementsAre("red", "green", "blue"));
  const auto clips = some_clips(9, 2, 4);
  EXPECT_LT((network->run(clips).to(at::kDouble) - normalised(clips, options).mean({2, 3, 4}))
                .abs()
                .max()
                .item<double>(),
            1e-6);
}

TEST(TorchscriptNetwork, GivesTheChosenOfSeveralOutputsPooledOverTokens) {
  const TemporaryFolder folder;
  auto options = frames_of_a_program(scripted_network(
      folder, "a.pt", "return (x.mean([2, 3]), x.flatten(2).transpose(1, 2) * 2.0)"));
  options.output = "1";
  const auto clips = some_clips(2, 1, 4);
  const auto tokens = normalised(clips, options).flatten(2) * 2;  // [N, 3, 16]
  const auto far = [&](const at::Tensor& wanted) {
    return (open_network(options, "p")->run(clips).to(at::kDouble) - wanted)
        .abs()
        .max()
        .item<double>();
  };
  EXPECT_LT(far(tokens.mean(2)), 1e-5);
  options.pooling = "max";
  EXPECT_LT(far(tokens.amax(2)), 1e-5);
  options.pooling = "first";
  EXPECT_LT(far(tokens.select(2, 0)), 1e-5);
  options.output = "2";
  EXPECT_THAT(refusal(options), HasSubstr("it returns 2 values, none at position 2"));
  options = frames_of_a_program(
      scripted_network(folder, "b.pt", "return {'rows': x.mean([2, 3]), 'maps': x}"));
  EXPECT_THAT(refusal(options), AllOf(HasSubstr("rows, maps"), HasSubstr("name the one to take")));
  options.output = "rows";
  EXPECT_EQ(open_network(options, "p")->width(), 3);
  options.output = "maps";
  EXPECT_EQ(open_network(options, "p")->width(), 3) << "positions are pooled";
  options.pooling = "first";
  EXPECT_THAT(refusal(options), HasSubstr("no first token"));
}

TEST(TorchscriptNetwork, SaysWhatIsMissingOrTakesTooLong) {
  const TemporaryFolder folder;
  NetworkOptions options = with_file(scripted_network(folder, "a.pt", "return x.view([1, 48])"));
  EXPECT_THAT(refusal(options), HasSubstr("give oracle.network.layout"));
  options.layout = "nchw";
  EXPECT_THAT(refusal(options), HasSubstr("give oracle.network.size_px"));
  options.size_px = 5;
  EXPECT_THAT(refusal(options),
              AllOf(HasSubstr("cannot take clips of shape 1x3x5x5"),
                    HasSubstr("look at size_px, frames and layout of oracle.network")));
  options.size_px = 4;
  EXPECT_EQ(refusal(options), "");
  options = frames_of_a_program(scripted_network(
      folder, "b.pt", "i = 0\n    while bool(x.sum() < 100000):\n        i = i + 1\n    return x"));
  options.timeout_s = 0.3;
  EXPECT_THAT(refusal(options), HasSubstr("more than 0.3 s; raise oracle.network.timeout_s"));
  EXPECT_THAT(refusal(frames_of_a_program(folder.write("c.pt", "text"))),
              HasSubstr("no archive of PyTorch"));
  EXPECT_THAT(refusal(frames_of_a_program(scripted_network(folder, "d.pt2", "return x"))),
              HasSubstr("holds no compiled code"));
}

TEST(Pt2Source, SaysInputsByTheChecksOfTheCode) {
  const std::string_view source = R"(
    inputs_info_[0].name = "arg0_1";
    outputs_info_[0].name = "output0";
    outputs_info_[1].name = "output1";
        ss << "input_handles[0]: unmatched dtype, "
           << "expected: " << arg0_1_expected_dtype << "(at::kByte), "
           << "but got: " << arg0_1_dtype << "\n";
        ss << "input_handles[0]: dim value is too small at 0, "
           << "expected it to be >= 2, " << "but got: "
        ss << "input_handles[0]: dim value is too large at 0, "
           << "expected to be <= 64, " << "but got: "
        ss << "input_handles[0]: unmatched dim value at 1, "
           << "expected: 3, " << "but got: " << arg0_1_size[1]
        ss << "input_handles[0]: unmatched dim value at 2, "
           << "expected: 32, " << "but got: " << arg0_1_size[2]
        ss << "input_handles[0]: unmatched dim value at 3, "
           << "expected: 32, " << "but got: " << arg0_1_size[3]
        ss << "input_handles[0]: unmatched stride value at 0, "
           << "expected: 3072, " << "but got: ")";
  const Pt2Source found = read_pt2_source(source);
  ASSERT_EQ(found.inputs.size(), 1u);
  EXPECT_EQ(port_text(found.inputs[0]), "arg0_1: u8 [any, 3, 32, 32]");
  EXPECT_EQ(found.least_batch, 2);
  ASSERT_EQ(found.outputs.size(), 2u);
  EXPECT_EQ(found.outputs[1].name, "output1");
  EXPECT_THAT(read_pt2_source("").inputs, IsEmpty());
}

TEST(ProgramWorker, IsHeardForAWhileAtATimeWhateverItPrints) {
  std::string heard;
  const int endless = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  for (int time = 0; time < 3; ++time) EXPECT_TRUE(hear_prints(endless, heard));
  EXPECT_EQ(heard.size(), 1000u);
  ::close(endless);
  const int empty = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_FALSE(hear_prints(empty, heard));
  ::close(empty);
  int line[2];
  ASSERT_EQ(::pipe2(line, O_CLOEXEC | O_NONBLOCK), 0);
  EXPECT_TRUE(hear_prints(line[0], heard)) << "nothing yet";
  EXPECT_FALSE(hear_prints(line[1], heard)) << "the end that is written";
  ::close(line[0]);
  ::close(line[1]);
}

}  // namespace
}  // namespace distal
