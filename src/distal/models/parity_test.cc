// Against the original codes: deterministic weights and inputs, whose outputs were computed with
// the authors' files (DISTAL_PARITY_DIR, by default ../shared/reference/parity; its README has the
// rule of the values). Every JSON of the folder is run whose model is here, made from its own
// `arguments`; what is not here is skipped by name.

#include <fstream>
#include <functional>
#include <set>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "distal/base/catalogue.h"
#include "distal/base/document.h"
#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/layers.h"
#include "distal/models/model.h"
#include "distal/models/model_options.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

using Json = nlohmann::json;

std::filesystem::path shared_folder() {
  return std::filesystem::path(DISTAL_SOURCE_DIR) / ".." / "shared";
}

std::filesystem::path fixtures_folder() {
  const char* set = std::getenv("DISTAL_PARITY_DIR");
  return set ? std::filesystem::path(set) : shared_folder() / "reference" / "parity";
}

std::optional<Json> fixture(const std::string& name) {
  std::ifstream file(fixtures_folder() / (name + ".json"));
  if (!file) return std::nullopt;
  return Json::parse(file);
}

// Names of the fixtures of which `wanted` is true, sorted; one empty name where there are none, so
// that a test says it was skipped.
std::vector<std::string> fixtures(const std::function<bool(const Json&)>& wanted) {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(fixtures_folder(), missing)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".json" && wanted(*fixture(name))) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names.empty() ? std::vector<std::string>{""} : names;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.empty() ? "none" : info.param;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

template <class OfU>
at::Tensor values(const std::string& key, const std::vector<int64_t>& sizes, const OfU& of_u) {
  const auto out = at::empty(sizes, at::kDouble);
  const uint64_t hash = fnv1a(key);
  double* data = out.mutable_data_ptr<double>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    data[i] = of_u(
        static_cast<double>(mix64(hash + static_cast<uint64_t>(i) + 0x9e3779b97f4a7c15ULL) >> 11) *
        0x1.0p-53);
  }
  return out.to(at::kFloat);
}

at::Tensor weight_values(const std::string& key, const std::vector<int64_t>& sizes) {
  const bool weight = key.ends_with(".weight");
  if (weight && sizes.size() >= 2) {
    const int64_t fan_in = c10::multiply_integers(sizes) / sizes[0];
    const double scale =
        std::sqrt(3.0) * (sizes.size() >= 3 ? 1.2 : 1.0) / std::sqrt(static_cast<double>(fan_in));
    return values(key, sizes, [scale](double u) { return (2 * u - 1) * scale; });
  }
  if (weight || key.ends_with(".running_var"))
    return values(key, sizes, [](double u) { return 0.8 + 0.4 * u; });
  return values(key, sizes, [](double u) { return 0.1 * (2 * u - 1); });
}

at::Tensor input_values(const Json& input) {
  return values(input.value("key", "input"), input.at("shape").get<std::vector<int64_t>>(),
                [](double u) { return 2 * u - 1; });
}

// Every tensor of the fixture by its rule, its sum compared.
Tensors deterministic(const Json& json) {
  Tensors tensors;
  for (const auto& [key, row] : json.at("tensors").items()) {
    tensors.emplace_back(key, weight_values(key, row[0].get<std::vector<int64_t>>()));
    const double sum = tensors.back().second.to(at::kDouble).sum().item<double>();
    EXPECT_NEAR(sum, row[1].get<double>(), 1e-6 * (1 + std::abs(row[1].get<double>()))) << key;
  }
  return tensors;
}

at::Tensor rows(const Json& json) {
  const auto numbers = json.get<std::vector<std::vector<double>>>();
  std::vector<double> flat;
  for (const auto& row : numbers) flat.insert(flat.end(), row.begin(), row.end());
  return at::tensor(flat, at::kDouble).view({static_cast<int64_t>(numbers.size()), -1});
}

void expect_statistics(const std::string& name, const at::Tensor& map, const Json& json) {
  const auto sizes = json.at("shape").get<std::vector<int64_t>>();
  ASSERT_TRUE(map.defined()) << name << " left no map";
  ASSERT_EQ(map.sizes().vec(), sizes) << name;
  const auto exact = map.to(at::kDouble).contiguous();
  const double deviation = json.at("std").get<double>();
  EXPECT_NEAR(exact.mean().item<double>(), json.at("mean").get<double>(), 1e-5 * deviation) << name;
  EXPECT_NEAR(exact.std(false).item<double>(), deviation, 1e-5 * deviation) << name;
  const auto probes = json.contains("probe") ? json["probe"] : Json::array();
  for (const auto& probe : probes) {
    EXPECT_NEAR(exact.view(-1)[probe[0].get<int64_t>()].item<double>(), probe[1].get<double>(),
                1e-4 * deviation)
        << name;
  }
}

// Of 1001 classes the fixture lists the first 16, and mean and deviation of all.
void expect_logits(const at::Tensor& logits, const Json& json, double tolerance = 1e-4) {
  const auto wanted = rows(json.at("logits_float64"));
  const auto ours = logits.to(at::kDouble);
  const double deviation = wanted.std(false).item<double>();
  EXPECT_LE((ours.narrow(1, 0, wanted.size(1)) - wanted).abs().max().item<double>(),
            tolerance * deviation);
  if (!json.contains("logits_mean_std_float64")) return;
  EXPECT_NEAR(ours.mean().item<double>(), json["logits_mean_std_float64"][0].get<double>(),
              tolerance * deviation);
  EXPECT_NEAR(ours.std(false).item<double>(), json["logits_mean_std_float64"][1].get<double>(),
              tolerance * deviation);
}

// The average pool of a PyTorchVideo head has a size of its own in each case: ours follow the clip.
// Where the two differ the case's pool goes over our last map, and what is ours up to there is
// compared.
std::optional<Output> with_head(Net& net, const Json& json,
                                const std::map<std::string, at::Tensor>& maps) {
  if (!json.contains("head_pool_kernel_size")) return std::nullopt;
  const bool x3d = maps.contains("blocks.5.pool.pre_conv");
  auto map = maps.at(x3d ? "blocks.5.pool.pre_conv" : "blocks.4").contiguous();
  const auto kernel = json["head_pool_kernel_size"].get<std::vector<int64_t>>();
  const auto sizes = map.sizes().slice(2).vec();
  const int64_t side = std::min({int64_t{7}, sizes[1], sizes[2]});
  if (kernel == (x3d ? sizes : std::vector<int64_t>{sizes[0], side, side})) return std::nullopt;
  const auto tensors = state(net);
  const auto of = [&](const std::string& name) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [&](const auto& row) { return row.first == name; })
        ->second.to(map.scalar_type());
  };
  const std::string pool = "blocks.5.pool.";
  if (x3d) {
    map = at::batch_norm(map, of(pool + "pre_norm.weight"), of(pool + "pre_norm.bias"),
                         of(pool + "pre_norm.running_mean"), of(pool + "pre_norm.running_var"),
                         false, 0.1, 1e-5, false)
              .relu();
  }
  auto pooled = at::avg_pool3d(map, kernel, {1, 1, 1});
  if (x3d) pooled = at::conv3d(pooled, of(pool + "post_conv.weight")).relu();
  const auto positions = pooled.flatten(2).transpose(1, 2);  // [N, positions, D]
  return Output{at::linear(positions, of("fc.weight"), of("fc.bias")).mean(1),
                positions.flatten(0, 1)};
}

// The part of all names before the first dot, with it, where they share one: some fixtures put
// every name below another.
std::string shared_prefix(const Tensors& tensors) {
  const std::string prefix = tensors.front().first.substr(0, tensors.front().first.find('.') + 1);
  const bool shared = std::all_of(tensors.begin(), tensors.end(),
                                  [&](const auto& row) { return row.first.starts_with(prefix); });
  return shared ? prefix : "";
}

// Loads all tensors; the prefix that names of the fixture have and ours have not.
std::string load_all(Net& net, const Json& json) {
  const Tensors tensors = deterministic(json);
  Account account = load_into(net, tensors);
  std::string prefix;
  if (account.matched.empty() && !(prefix = shared_prefix(tensors)).empty()) {
    Tensors below = tensors;
    for (auto& [name, tensor] : below) name.erase(0, prefix.size());
    account = load_into(net, below);
  }
  EXPECT_TRUE(account.missing.empty() && account.unused.empty()) << account.text();
  EXPECT_EQ(parameter_count(net), json.at("parameters").get<int64_t>());
  EXPECT_EQ(state(net).size(), json.at("tensors").size());
  return prefix;
}

// Frame nets: the fixture's embedding has a row per frame; the MobileNets' frames are clips of one
// frame here. The head of slow_r50 has a row per window.
void run_case(Net& net, const Json& json, const at::Tensor& clips, const std::string& prefix = "") {
  const torch::NoGradGuard no_grad;
  Taps taps;
  auto output = net.forward(clips);
  if (const auto of_case = with_head(net, json, taps.maps)) {
    output = *of_case;
    taps.maps.erase("windows");
  }
  expect_logits(output.logits, json);
  const auto& wanted = json.at("embedding");
  const auto parts = taps.maps[taps.maps.contains("windows") ? "windows" : "frames"];
  const auto embedding = parts.defined() && wanted.at("shape")[0] != output.embedding.size(0)
                             ? parts
                             : output.embedding;
  expect_statistics("embedding", embedding, wanted);
  const auto first = wanted.at("first8_of_row0_float64").get<std::vector<double>>();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_NEAR(embedding[0][static_cast<int64_t>(i)].item<double>(), first[i],
                1e-4 * wanted.at("std").get<double>());
  }
  for (const auto& [name, stage] : json.at("stages").items()) {
    const std::string below = name.starts_with("base_model.")               ? "base_model."
                              : !prefix.empty() && name.starts_with(prefix) ? prefix
                                                                            : "";
    expect_statistics(name, taps.maps[name.substr(below.size())], stage);
  }
}

at::Tensor clips_of(const Json& input) {
  const auto values = input_values(input);
  return input.at("layout").get<std::string>().starts_with("N,T") ? values.transpose(1, 2) : values;
}

// ---- a fixture's model as one of ours ---------------------------------------

// Constructors' arguments that are options here, and those that have one value here; of a scalar
// argument beside them nothing is known.
const std::map<std::string, std::string> kOptions = {
    {"M", "branches"},       {"cardinality", "cardinality"}, {"fuse_layer", "fuse"},
    {"ops_type", "ops"},     {"base_model", "base"},         {"shift_div", "shift_div"},
    {"model_depth", "depth"}};
const std::map<std::string, Json> kFixed = {
    {"n_input_channels", 3},   {"shortcut_type", "B"},      {"conv1_t_size", 7},
    {"conv1_t_stride", 1},     {"no_max_pool", false},      {"modality", "RGB"},
    {"consensus_type", "avg"}, {"shift_place", "blockres"}, {"stem_conv_kernel_size", {1, 7, 7}}};
// How long and large clips are, the same for all sizes here; what is drawn in training alone; the
// rest in words.
const std::set<std::string> kFree = {
    "segments", "num_segments", "input_clip_length", "input_crop_size", "head_pool_kernel_size",
    "dropout",  "dropout_rate", "everything else"};
const std::set<std::string> kClasses = {"n_classes", "num_classes", "num_class", "classes",
                                        "model_num_class"};

struct Making {
  std::string backbone, options, why_not;  // why_not: it is not here
  int64_t classes = 8;
};

Making making_of(const Json& json, const std::string& variant) {
  Making making;
  const std::string model = json.at("model");
  for (const auto& row : catalogue<Backbone>()) {
    if (model.starts_with(row.name) && row.name.size() > making.backbone.size())
      making.backbone = row.name;
  }
  if (making.backbone.empty()) return {"", "", fmt::format("model {} is not here", model)};
  const auto add = [&](const std::string& option, const std::string& value) {
    making.options += fmt::format("{}{}: {}", making.options.empty() ? "" : ", ", option, value);
  };
  for (const auto& [name, value] : json.at("arguments").items()) {
    const bool depth_in_name = name == "model_depth" && making.backbone != "resnet3d";
    const bool ignored = (name == "shift_div" && making.backbone == "tsn") ||
                         (name == "shortcut_type" && making.backbone.starts_with("btsnet"));
    if (kFree.contains(name) || ignored) continue;
    if (kClasses.contains(name)) {
      making.classes = value.get<int64_t>();
    } else if (name == "is_shift" ? value == (making.backbone == "tsm")
                                  : kFixed.contains(name) && kFixed.at(name) == value) {
      continue;
    } else if (depth_in_name && making.backbone.ends_with(value.dump())) {
      continue;
    } else if (name == "widen_factor" && making.backbone == "resnet3d") {
      add("width", fmt::format("{}", std::lround(64 * value.get<double>())));
    } else if (kOptions.contains(name) && !depth_in_name) {
      std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      if (name == "fuse_layer")
        std::transform(text.begin(), text.end(), text.begin(),
                       [](unsigned char c) { return std::tolower(c); });
      add(kOptions.at(name), text);
    } else {
      making.why_not = fmt::format("{} with {} = {} is not here", model, name, value.dump());
    }
  }
  if (variant.starts_with("alias"))
    add("alias_bug", "true");
  else if (!variant.empty() && !variant.starts_with("intended"))
    making.why_not = fmt::format("{}: the variant '{}' is not here", model, variant);
  try {
    if (making.why_not.empty())
      make<Backbone>(making.backbone, making.options)->build(making.classes, Random(0));
  } catch (const Error& error) {
    making.why_not = fmt::format("{} with {} is not here: {}", model, making.options, error.what());
  }
  return making;
}

void say_skipped(const std::string& fixture, const std::set<std::string>& what) {
  for (const std::string& why : what) fmt::print("[  SKIPPED ] {}.json: {}\n", fixture, why);
}

class Parity : public ::testing::TestWithParam<std::string> {};

TEST_P(Parity, ComputesWhatTheOriginalCodeComputes) {
  if (GetParam().empty()) GTEST_SKIP() << "the folder of parity fixtures is not there";
  const Json json = *fixture(GetParam());
  std::map<std::string, std::pair<Model, std::string>>
      nets;  // by variant, with the prefix of the fixture's names
  std::set<std::string> skipped;
  for (const auto& one : json.at("cases")) {
    SCOPED_TRACE(one.value("case", ""));
    const std::string variant = one.value("variant", "");
    const Making making = making_of(json, variant);
    if (!making.why_not.empty()) {
      skipped.insert(making.why_not);
      continue;
    }
    if (!nets.contains(variant)) {
      const Model net =
          make<Backbone>(making.backbone, making.options)->build(making.classes, Random(0));
      const std::string prefix = load_all(*net, json);
      net->eval();
      nets[variant] = {net, prefix};
    }
    run_case(*nets[variant].first, one, clips_of(one.at("input")), nets[variant].second);
  }
  say_skipped(GetParam(), skipped);
  if (nets.empty())
    GTEST_SKIP() << GetParam() << ".json: " << (skipped.empty() ? "no cases" : *skipped.begin());
}

INSTANTIATE_TEST_SUITE_P(Models, Parity, ::testing::ValuesIn(fixtures([](const Json& json) {
                           return json.contains("tensors") && json.contains("cases");
                         })),
                         test_name);

// R and G rise along x and y, B is a chess board.
at::Tensor picture(int64_t size) {
  const auto image = at::empty({3, size, size});
  auto pixels = image.accessor<float, 3>();
  for (int64_t y = 0; y < size; ++y) {
    for (int64_t x = 0; x < size; ++x) {
      pixels[0][y][x] = static_cast<float>(255 * x / (size - 1));
      pixels[1][y][x] = static_cast<float>(255 * y / (size - 1));
      pixels[2][y][x] = (x / (size / 8) + y / (size / 8)) % 2 == 1 ? 255 : 0;
    }
  }
  return (image / 127.5 - 1).unsqueeze(0);
}

// The real weights that a fixture names: a MobileNet as one of ours, its classifier by its 1001
// classes.
struct RealWeights {
  std::string path, options, classifier;
};
RealWeights real_weights(const std::string& fixture) {
  RealWeights real{(shared_folder() / "weights" / (fixture + "_imagenet.safetensors")).string(), "",
                   ""};
  const std::string base = fixture.substr(0, fixture.find('_', fixture.find('_') + 1));
  const std::string width = fixture.substr(base.size() + 1, fixture.rfind('_') - base.size() - 1);
  real.options = fmt::format("base: {}, width: {}", base, width);
  if (!std::filesystem::exists(real.path)) return real;
  for (const auto& [name, tensor] : load_safetensors(real.path)) {
    if (tensor.size(0) == 1001 && name.ends_with(".weight"))
      real.classifier = name.substr(0, name.size() - 7);
  }
  return real;
}

class RealMobileNet : public ::testing::TestWithParam<std::string> {};

TEST_P(RealMobileNet, ComputesWhatTheTfliteGraphComputes) {
  if (GetParam().empty()) GTEST_SKIP() << "the folder of parity fixtures is not there";
  const Json json = *fixture(GetParam());
  const RealWeights real = real_weights(GetParam());
  if (real.classifier.empty())
    GTEST_SKIP() << GetParam() << ".json: its ImageNet weights are not there";
  const std::string last = real.classifier;
  const std::map<std::string, std::string> head = {{last + ".weight", "fc.weight"},
                                                   {last + ".bias", "fc.bias"}};
  const auto build = [&](const char* norm) {
    auto net = make<Backbone>("tsn", fmt::format("{}, norm: {}", real.options, norm))
                   ->build(1001, Random(0));
    const auto account = load_into(*net, load_safetensors(real.path), head);
    EXPECT_TRUE(account.unused.empty()) << account.text();
    EXPECT_EQ(account.missing.empty(), norm == std::string("folded")) << account.text();
    net->eval();
    return net;
  };
  const auto net = build("folded");
  EXPECT_EQ(parameter_count(*net), json.at("parameters").get<int64_t>());
  for (const auto& one : json.at("cases")) {
    SCOPED_TRACE(one.at("case").get<std::string>());
    const auto& input = one.at("input");
    const auto clips =
        (input.contains("image") ? picture(input.at("shape")[2]) : input_values(input))
            .unsqueeze(2);
    run_case(*net, one, clips);
    // Fresh norms divide by sqrt(1 + 1e-5): the same net but for a small scale error per layer.
    const torch::NoGradGuard no_grad;
    if (input.contains("image")) expect_logits(build("batch")->forward(clips).logits, one, 1e-2);
  }
}

TEST_P(RealMobileNet, StartsAStudentByInit) {
  if (GetParam().empty()) GTEST_SKIP() << "the folder of parity fixtures is not there";
  const RealWeights real = real_weights(GetParam());
  if (real.classifier.empty())
    GTEST_SKIP() << GetParam() << ".json: its ImageNet weights are not there";
  ModelOptions options;
  read_options(options, fmt::format("{{name: tsm, {}, init: {}}}", real.options, real.path),
               "recipe.yaml");
  options.build(8, Random(0));
  EXPECT_THAT(options.account, ::testing::HasSubstr("2 of the net not in the file: fc.weight"));
  EXPECT_THAT(options.account, ::testing::HasSubstr(fmt::format(
                                   "2 of the file not used: {}.weight [1001, ", real.classifier)));
}

INSTANTIATE_TEST_SUITE_P(Models, RealMobileNet, ::testing::ValuesIn(fixtures([](const Json& json) {
                           return json.value("model", "").starts_with("mobilenet_");
                         })),
                         test_name);

TEST(TemporalShift, MovesValuesAndGradientsAsTheOriginal) {
  const auto json = fixture("temporal_shift");
  if (!json) GTEST_SKIP() << "the folder of parity fixtures is not there";
  for (const auto& one : json->at("cases")) {
    const auto sizes = one.at("input_shape_NT_C_H_W").get<std::vector<int64_t>>();
    const auto tensor = [&](const char* name) {
      return at::tensor(one.at(name).get<std::vector<double>>(), at::kDouble).view(sizes);
    };
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const auto x = tensor("input").contiguous(format).requires_grad_();
      const auto y =
          temporal_shift(x, one.at("n_segment").get<int64_t>(), one.at("fold_div").get<int64_t>());
      EXPECT_TRUE(at::equal(y, tensor("output")));
      y.backward((at::arange(sizes[0], at::kDouble) + 1).view({-1, 1, 1, 1}).expand(sizes));
      EXPECT_TRUE(at::equal(x.grad(), tensor("gradient_of_input")));
    }
  }
}

void expect_step(const Json& json, const Json& check, const Making& making) {
  auto net = make<Backbone>(making.backbone, making.options)->build(making.classes, Random(0));
  load_all(*net, json);
  net->to(at::kDouble);
  net->train();
  const auto& wanted = check.at("float64");
  const auto logits = net->forward(clips_of(check.at("input")).to(at::kDouble)).logits;
  const auto loss =
      at::cross_entropy_loss(logits, at::tensor(check.at("labels").get<std::vector<int64_t>>()));
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), wanted.at("loss").get<double>(), 1e-12);
  EXPECT_LE((logits - rows(wanted.at("logits"))).abs().max().item<double>(), 1e-11);
  const auto parameters = net->named_parameters();
  for (const auto& [name, norm] : wanted.at("gradient_l2").items()) {
    EXPECT_NEAR(parameters[our_name(name)].grad().norm().item<double>(), norm.get<double>(),
                1e-9 * norm.get<double>())
        << name;
  }
  const auto first4 = [](const std::string& name, const at::Tensor& tensor, const Json& numbers) {
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(tensor.reshape(-1)[i].item<double>(),
                  numbers[static_cast<size_t>(i)].get<double>(), 1e-9)
          << name;
    }
  };
  for (const auto& [name, numbers] : wanted.at("gradient_first4").items())
    first4(name, parameters[our_name(name)].grad(), numbers);
  for (const auto& [name, numbers] : wanted.at("after_step_first4").items())
    first4(name, net->named_buffers()[name], numbers);
}

class OneStep : public ::testing::TestWithParam<std::string> {};

TEST_P(OneStep, ChangesTheNetAsTheOriginalInFloat64) {
  if (GetParam().empty()) GTEST_SKIP() << "the folder of parity fixtures is not there";
  const Json json = *fixture(GetParam());
  std::set<std::string> skipped;
  int64_t checked = 0;
  for (const char* name : {"train_check", "train_check_alias"}) {
    if (!json.contains(name)) continue;
    SCOPED_TRACE(name);
    const Making making = making_of(
        json, std::string(name).ends_with("alias") ? "alias" : json.at(name).value("variant", ""));
    if (!making.why_not.empty()) {
      skipped.insert(making.why_not);
    } else {
      expect_step(json, json.at(name), making);
      ++checked;
    }
  }
  say_skipped(GetParam(), skipped);
  if (checked == 0) GTEST_SKIP() << GetParam() << ".json: " << *skipped.begin();
}

INSTANTIATE_TEST_SUITE_P(Models, OneStep, ::testing::ValuesIn(fixtures([](const Json& json) {
                           return json.contains("train_check") ||
                                  json.contains("train_check_alias");
                         })),
                         test_name);

// The tables of losses and strategies are compared beside those, the temporal shift above; of any
// other file it is said that nothing was.
class NotCompared : public ::testing::TestWithParam<std::string> {};

TEST_P(NotCompared, IsSkippedByName) {
  if (GetParam().empty()) GTEST_SKIP() << "every fixture is compared, or there is none";
  GTEST_SKIP() << GetParam() << ".json: neither a network's tensors nor a table that is known here";
}

INSTANTIATE_TEST_SUITE_P(Models, NotCompared, ::testing::ValuesIn(fixtures([](const Json& json) {
                           const std::string model = json.value("model", "");
                           return !(json.contains("tensors") && json.contains("cases")) &&
                                  !model.starts_with("mobilenet_") && model != "temporal_shift" &&
                                  !json.contains("tables");
                         })),
                         test_name);

}  // namespace
}  // namespace distal
