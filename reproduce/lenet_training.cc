#include "lenet_training.h"

#include <array>

#include <torch/csrc/autograd/custom_function.h>

#include "distal/base/error.h"
#include "images.h"

namespace distal::reproduce {
namespace {

constexpr int64_t kKernel = 5;
constexpr int64_t kMap = 28;
constexpr int64_t kPooled = 14;
constexpr int64_t kPlaces = kPooled * kPooled;
constexpr int16_t kNone = -1;
constexpr int64_t kLanes = 8;  // a row of 5 weights, padded to what a register holds

using MapRow = std::array<float, kMap>;

MapRow map_row(const float* image, int64_t y, const float* weight, float bias) {
  MapRow sum;
  sum.fill(bias);
  for (int64_t down = 0; down < kKernel; ++down) {
    for (int64_t right = 0; right < kKernel; ++right) {
      const float factor = weight[down * kKernel + right];
      const float* from = image + (y + down) * kSide + right;
      for (int64_t x = 0; x < kMap; ++x) sum[x] += factor * from[x];
    }
  }
  return sum;
}

// Two rows of a map to one of relu(max over 2 x 2), and where in the image the winner's 5 x 5
// window begins; kNone: none above 0.
void pool(const MapRow& top, const MapRow& bottom, int64_t y, float* out, int16_t* winner) {
  for (int64_t x = 0; x < kPooled; ++x) {
    const bool right_top = top[2 * x + 1] > top[2 * x];
    const bool right_bottom = bottom[2 * x + 1] > bottom[2 * x];
    const float upper = right_top ? top[2 * x + 1] : top[2 * x];
    const float lower = right_bottom ? bottom[2 * x + 1] : bottom[2 * x];
    const bool low = lower > upper;
    const float largest = low ? lower : upper;
    const int64_t column = 2 * x + (low ? right_bottom : right_top);
    out[x] = largest > 0 ? largest : 0;
    winner[x] = largest > 0 ? static_cast<int16_t>((y + low) * kSide + column) : kNone;
  }
}

// images [N, 32, 32] (no gradient), weight [C, 1, 5, 5], bias [C] to relu(max pool(convolution))
// [N, C, 14, 14].
struct FirstLayer : torch::autograd::Function<FirstLayer> {
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& images, const torch::Tensor& weight,
                               const torch::Tensor& bias) {
    const int64_t count = images.size(0);
    const int64_t channels = weight.size(0);
    auto maps = torch::empty({count, channels, kPooled, kPooled});
    auto winners = torch::empty(maps.sizes(), torch::kInt16);
    const float* pixels = images.const_data_ptr<float>();
    const float* w = weight.const_data_ptr<float>();
    const float* b = bias.const_data_ptr<float>();
    float* out = maps.mutable_data_ptr<float>();
    int16_t* winner = winners.mutable_data_ptr<int16_t>();
    for (int64_t map = 0; map < count * channels; ++map) {
      const float* image = pixels + map / channels * kSide * kSide;
      const int64_t channel = map % channels;
      for (int64_t y = 0; y < kMap; y += 2, out += kPooled, winner += kPooled) {
        const auto row = [&](int64_t at) {
          return map_row(image, at, w + channel * kKernel * kKernel, b[channel]);
        };
        pool(row(y), row(y + 1), y, out, winner);
      }
    }
    context->save_for_backward({images, winners});
    return maps;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto gradient = gradients[0].contiguous();
    const int64_t count = gradient.size(0);
    const int64_t channels = gradient.size(1);
    const auto pixels = torch::constant_pad_nd(
        saved[0].flatten(), {0, kLanes});  // the last row of the last window is read in full lanes
    auto weight = torch::zeros({channels, kKernel, kLanes});
    auto bias = torch::zeros({channels});
    const float* from = gradient.const_data_ptr<float>();
    const float* source = pixels.const_data_ptr<float>();
    const int16_t* winner = saved[1].const_data_ptr<int16_t>();
    float* to = weight.mutable_data_ptr<float>();
    float* to_bias = bias.mutable_data_ptr<float>();
    for (int64_t map = 0; map < count * channels; ++map, from += kPlaces, winner += kPlaces) {
      const int64_t channel = map % channels;
      add(source + map / channels * kSide * kSide, from, winner, to + channel * kKernel * kLanes,
          to_bias + channel);
    }
    return {torch::Tensor(), weight.slice(2, 0, kKernel).unsqueeze(1).contiguous(), bias};
  }

  static void add(const float* image, const float* gradient, const int16_t* winner, float* weight,
                  float* bias) {
    std::array<float, kKernel * kLanes> sum{};
    for (int64_t place = 0; place < kPlaces; ++place) {
      if (winner[place] == kNone) continue;
      const float factor = gradient[place];
      *bias += factor;
      for (int64_t down = 0; down < kKernel; ++down) {
        for (int64_t lane = 0; lane < kLanes; ++lane)
          sum[down * kLanes + lane] += factor * image[winner[place] + down * kSide + lane];
      }
    }
    for (size_t at = 0; at < sum.size(); ++at) weight[at] += sum[at];
  }
};

torch::Tensor second_pool(const torch::Tensor& maps) {
  return torch::max_pool2d(maps, {2, 2}, {2, 2}).relu_();
}

}  // namespace

LenetTraining::LenetTraining(Model net) : net_(register_module("net", std::move(net))) {
  const auto parameters = net_->named_parameters();
  first_ = parameters["C1.weight"];
  first_bias_ = parameters["C1.bias"];
  second_ = parameters["C3.weight"];
  second_bias_ = parameters["C3.bias"];
  third_ = parameters["C5.weight"];
  third_bias_ = parameters["C5.bias"];
  hidden_ = parameters["F6.weight"];
  hidden_bias_ = parameters["F6.bias"];
  check();
}

Output LenetTraining::forward(const torch::Tensor& clips) {
  const auto images = clips.select(2, 0).select(1, 0).contiguous();
  const auto first = FirstLayer::apply(images, first_, first_bias_);
  const auto second = second_pool(torch::conv2d(first, second_, second_bias_)).flatten(1);
  const auto third = torch::addmm(third_bias_, second, third_.flatten(1).t()).relu_();
  const auto hidden = torch::addmm(hidden_bias_, third, hidden_.t()).relu_();
  return {head(hidden), hidden};
}

void LenetTraining::check() {
  const auto clips = clips_of(torch::arange(4 * kSide * kSide).fmod(251).view({4, kSide, kSide}));
  const auto seen = [&](Net& net) {
    const auto logits = net.forward(clips).logits;
    logits.square().mean().backward();
    std::vector<torch::Tensor> all = {logits.detach().flatten()};
    for (const auto& parameter : net_->parameters())
      all.push_back(parameter.grad().flatten().clone());
    net_->zero_grad();
    return torch::cat(all);
  };
  const auto expected = seen(*net_);
  expect(torch::allclose(seen(*this), expected, 1e-4, 1e-4),
         "the quick LeNet-5 computes what the net does");
}

}  // namespace distal::reproduce
