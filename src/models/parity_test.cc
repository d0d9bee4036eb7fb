// Against the original codes: deterministic weights and inputs, whose outputs were computed with the authors' files
// (DISTAL_PARITY_DIR, by default ../shared/reference/parity; its README has the rule of the values).

#include <fstream>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "models/layers.h"
#include "models/weights.h"

namespace distal {
namespace {

using Json = nlohmann::json;

std::filesystem::path shared_folder() { return std::filesystem::path(DISTAL_SOURCE_DIR) / ".." / "shared"; }

std::optional<Json> fixture(const std::string& name) {
  const char* set = std::getenv("DISTAL_PARITY_DIR");
  const auto folder = set ? std::filesystem::path(set) : shared_folder() / "reference" / "parity";
  std::ifstream file(folder / (name + ".json"));
  if (!file) return std::nullopt;
  return Json::parse(file);
}

template <class OfU>
at::Tensor values(const std::string& key, const std::vector<int64_t>& sizes, const OfU& of_u) {
  const auto out = at::empty(sizes, at::kDouble);
  const uint64_t hash = fnv1a(key);
  double* data = out.mutable_data_ptr<double>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    data[i] = of_u(static_cast<double>(mix64(hash + static_cast<uint64_t>(i) + 0x9e3779b97f4a7c15ULL) >> 11) * 0x1.0p-53);
  }
  return out.to(at::kFloat);
}

at::Tensor weight_values(const std::string& key, const std::vector<int64_t>& sizes) {
  const bool weight = key.ends_with(".weight");
  if (weight && sizes.size() >= 2) {
    const int64_t fan_in = c10::multiply_integers(sizes) / sizes[0];
    const double scale = std::sqrt(3.0) * (sizes.size() >= 3 ? 1.2 : 1.0) / std::sqrt(static_cast<double>(fan_in));
    return values(key, sizes, [scale](double u) { return (2 * u - 1) * scale; });
  }
  if (weight || key.ends_with(".running_var")) return values(key, sizes, [](double u) { return 0.8 + 0.4 * u; });
  return values(key, sizes, [](double u) { return 0.1 * (2 * u - 1); });
}

at::Tensor input_values(const std::vector<int64_t>& sizes) {
  return values("input", sizes, [](double u) { return 2 * u - 1; });
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
    EXPECT_NEAR(exact.view(-1)[probe[0].get<int64_t>()].item<double>(), probe[1].get<double>(), 1e-4 * deviation) << name;
  }
}

// Of 1001 classes the fixture lists the first 16, and mean and deviation of all.
void expect_logits(const at::Tensor& logits, const Json& json, double tolerance = 1e-4) {
  const auto wanted = rows(json.at("logits_float64")), ours = logits.to(at::kDouble);
  const double deviation = wanted.std(false).item<double>();
  EXPECT_LE((ours.narrow(1, 0, wanted.size(1)) - wanted).abs().max().item<double>(), tolerance * deviation);
  if (!json.contains("logits_mean_std_float64")) return;
  EXPECT_NEAR(ours.mean().item<double>(), json["logits_mean_std_float64"][0].get<double>(), tolerance * deviation);
  EXPECT_NEAR(ours.std(false).item<double>(), json["logits_mean_std_float64"][1].get<double>(), tolerance * deviation);
}

// Frame nets: the fixture's embedding has a row per frame; the MobileNets' frames are clips of one frame here. The head of
// slow_r50 has a row per window.
void run_case(Net& net, const Json& json, const at::Tensor& clips) {
  const torch::NoGradGuard no_grad;
  Taps taps;
  const auto output = net.forward(clips);
  expect_logits(output.logits, json);
  const auto& wanted = json.at("embedding");
  const auto parts = taps.maps[taps.maps.contains("windows") ? "windows" : "frames"];
  const auto embedding = parts.defined() && wanted.at("shape")[0] != output.embedding.size(0) ? parts : output.embedding;
  expect_statistics("embedding", embedding, wanted);
  const auto first = wanted.at("first8_of_row0_float64").get<std::vector<double>>();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_NEAR(embedding[0][static_cast<int64_t>(i)].item<double>(), first[i], 1e-4 * wanted.at("std").get<double>());
  }
  for (const auto& [name, stage] : json.at("stages").items()) {
    expect_statistics(name, taps.maps[name.starts_with("base_model.") ? name.substr(11) : name], stage);
  }
}

at::Tensor clips_of(const Json& input) {
  const auto values = input_values(input.at("shape").get<std::vector<int64_t>>());
  return input.at("layout").get<std::string>().starts_with("N,T") ? values.transpose(1, 2) : values;
}

struct Published {
  const char *fixture, *backbone, *options;
  std::string variant = "";  // of the cases; empty: all
};

std::string name_of(const ::testing::TestParamInfo<Published>& info) {
  return fmt::format("{}{}{}", info.param.fixture, info.param.variant.empty() ? "" : "_", info.param.variant);
}

class Parity : public ::testing::TestWithParam<Published> {};

TEST_P(Parity, ComputesWhatTheOriginalCodeComputes) {
  const auto json = fixture(GetParam().fixture);
  if (!json) GTEST_SKIP() << "the folder of parity fixtures is not there";
  auto net = make<Backbone>(GetParam().backbone, GetParam().options)->build(8, Random(0));
  const auto account = load_into(*net, deterministic(*json));
  EXPECT_TRUE(account.missing.empty() && account.unused.empty()) << account.text();
  EXPECT_EQ(parameter_count(*net), json->at("parameters").get<int64_t>());
  EXPECT_EQ(state(*net).size(), json->at("tensors").size());
  net->eval();
  for (const auto& one : json->at("cases")) {
    if (!one.value("variant", "").starts_with(GetParam().variant)) continue;
    SCOPED_TRACE(one.at("case").get<std::string>());
    run_case(*net, one, clips_of(one.at("input")));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Parity,
                         ::testing::Values(Published{"resnet3d_10", "resnet3d", "depth: 10"}, Published{"resnet3d_18", "resnet3d", "depth: 18"},
                                           Published{"resnet3d_50", "resnet3d", "depth: 50"}, Published{"tsn_resnet18", "tsn", "base: resnet18"},
                                           Published{"tsm_resnet18", "tsm", "base: resnet18"}, Published{"eco_lite", "eco_lite", ""},
                                           Published{"eco_full", "eco_full", ""}, Published{"x3d_xs", "x3d_xs", ""}, Published{"x3d_s", "x3d_s", ""},
                                           Published{"r3d_18", "r3d_18", ""}, Published{"mc3_18", "mc3_18", ""},
                                           Published{"r2plus1d_18", "r2plus1d_18", ""}, Published{"slow_r50", "slow_r50", ""},
                                           Published{"btsnet_26", "btsnet_26", "", "intended"},
                                           Published{"btsnet_26", "btsnet_26", "alias_bug: true", "alias"},
                                           Published{"btsnet_26_M3_card16_C_O2", "btsnet_26", "branches: 3, cardinality: 16, fuse: c", "intended"},
                                           Published{"btsnet_26_M3_card16_C_O2", "btsnet_26", "branches: 3, cardinality: 16, fuse: c, alias_bug: true", "alias"},
                                           Published{"btsnet_50", "btsnet_50", "", "intended"},
                                           Published{"btsnet_50", "btsnet_50", "alias_bug: true", "alias"}),
                         name_of);

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

struct RealWeights {
  const char *fixture, *base, *classifier;
};
class RealMobileNet : public ::testing::TestWithParam<RealWeights> {};

TEST_P(RealMobileNet, ComputesWhatTheTfliteGraphComputes) {
  const auto json = fixture(GetParam().fixture);
  const auto path = shared_folder() / "weights" / (std::string(GetParam().fixture) + "_imagenet.safetensors");
  if (!json || !std::filesystem::exists(path)) GTEST_SKIP() << "the fixtures or the ImageNet weights are not there";
  const std::string last = GetParam().classifier;
  const std::map<std::string, std::string> head = {{last + ".weight", "fc.weight"}, {last + ".bias", "fc.bias"}};
  const auto build = [&](const char* norm) {
    auto net = make<Backbone>("tsn", fmt::format("base: {}, norm: {}", GetParam().base, norm))->build(1001, Random(0));
    const auto account = load_into(*net, load_safetensors(path.string()), head);
    EXPECT_TRUE(account.unused.empty()) << account.text();
    EXPECT_EQ(account.missing.empty(), norm == std::string("folded")) << account.text();
    net->eval();
    return net;
  };
  const auto net = build("folded");
  EXPECT_EQ(parameter_count(*net), json->at("parameters").get<int64_t>());
  for (const auto& one : json->at("cases")) {
    SCOPED_TRACE(one.at("case").get<std::string>());
    const auto& input = one.at("input");
    const auto sizes = input.at("shape").get<std::vector<int64_t>>();
    const auto clips = (input.contains("image") ? picture(sizes[2]) : input_values(sizes)).unsqueeze(2);
    run_case(*net, one, clips);
    // Fresh norms divide by sqrt(1 + 1e-5): the same net but for a small scale error per layer.
    const torch::NoGradGuard no_grad;
    if (input.contains("image")) expect_logits(build("batch")->forward(clips).logits, one, 1e-2);
  }
}

TEST_P(RealMobileNet, StartsAStudentByInit) {
  const auto path = shared_folder() / "weights" / (std::string(GetParam().fixture) + "_imagenet.safetensors");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the ImageNet weights are not there";
  ModelOptions options;
  read_options(options, fmt::format("{{name: tsm, base: {}, init: {}}}", GetParam().base, path.string()), "recipe.yaml");
  options.build(8, Random(0));
  EXPECT_THAT(options.account, ::testing::HasSubstr("2 of the net not in the file: fc.weight"));
  EXPECT_THAT(options.account, ::testing::HasSubstr(fmt::format("2 of the file not used: {}.weight [1001, ", GetParam().classifier)));
}

INSTANTIATE_TEST_SUITE_P(Models, RealMobileNet,
                         ::testing::Values(RealWeights{"mobilenet_v1_0.5_160", "mobilenet_v1", "op28"},
                                           RealWeights{"mobilenet_v2_1.0_224", "mobilenet_v2", "op63"}),
                         [](const auto& info) { return std::string(info.param.base); });

TEST(TemporalShift, MovesValuesAndGradientsAsTheOriginal) {
  const auto json = fixture("temporal_shift");
  if (!json) GTEST_SKIP() << "the folder of parity fixtures is not there";
  for (const auto& one : json->at("cases")) {
    const auto sizes = one.at("input_shape_NT_C_H_W").get<std::vector<int64_t>>();
    const auto tensor = [&](const char* name) { return at::tensor(one.at(name).get<std::vector<double>>(), at::kDouble).view(sizes); };
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const auto x = tensor("input").contiguous(format).requires_grad_();
      const auto y = temporal_shift(x, one.at("n_segment").get<int64_t>(), one.at("fold_div").get<int64_t>());
      EXPECT_TRUE(at::equal(y, tensor("output")));
      y.backward((at::arange(sizes[0], at::kDouble) + 1).view({-1, 1, 1, 1}).expand(sizes));
      EXPECT_TRUE(at::equal(x.grad(), tensor("gradient_of_input")));
    }
  }
}

class OneStep : public ::testing::TestWithParam<Published> {};

TEST_P(OneStep, ChangesTheNetAsTheOriginalInFloat64) {
  const auto json = fixture(GetParam().fixture);
  if (!json) GTEST_SKIP() << "the folder of parity fixtures is not there";
  auto net = make<Backbone>(GetParam().backbone, GetParam().options)->build(8, Random(0));
  load_into(*net, deterministic(*json));
  net->to(at::kDouble);
  net->train();
  const auto& check = json->at(GetParam().variant == "alias" ? "train_check_alias" : "train_check");
  const auto& wanted = check.at("float64");
  const auto clips = input_values(check.at("input").at("shape").get<std::vector<int64_t>>()).to(at::kDouble);
  const auto logits = net->forward(clips).logits;
  const auto loss = at::cross_entropy_loss(logits, at::tensor(check.at("labels").get<std::vector<int64_t>>()));
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), wanted.at("loss").get<double>(), 1e-12);
  EXPECT_LE((logits - rows(wanted.at("logits"))).abs().max().item<double>(), 1e-11);
  const auto parameters = net->named_parameters();
  for (const auto& [name, norm] : wanted.at("gradient_l2").items()) {
    EXPECT_NEAR(parameters[our_name(name)].grad().norm().item<double>(), norm.get<double>(), 1e-9 * norm.get<double>()) << name;
  }
  const auto first4 = [](const std::string& name, const at::Tensor& tensor, const Json& numbers) {
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(tensor.reshape(-1)[i].item<double>(), numbers[static_cast<size_t>(i)].get<double>(), 1e-9) << name;
    }
  };
  for (const auto& [name, numbers] : wanted.at("gradient_first4").items()) first4(name, parameters[our_name(name)].grad(), numbers);
  for (const auto& [name, numbers] : wanted.at("after_step_first4").items()) first4(name, net->named_buffers()[name], numbers);
}

INSTANTIATE_TEST_SUITE_P(Models, OneStep,
                         ::testing::Values(Published{"resnet3d_10", "resnet3d", "depth: 10"}, Published{"r2plus1d_18", "r2plus1d_18", ""},
                                           Published{"btsnet_26", "btsnet_26", "", "intended"},
                                           Published{"btsnet_26", "btsnet_26", "alias_bug: true", "alias"}),
                         name_of);

}  // namespace
}  // namespace distal
