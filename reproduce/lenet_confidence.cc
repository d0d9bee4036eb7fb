#include "lenet_confidence.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include "base/error.h"
#include "images.h"

namespace distal::reproduce {
namespace {

// The first pooled map is 14 x 14, the second convolution's output 10 x 10, pooled 5 x 5. A strip is what two neighbouring output
// columns see, 6 of the 14 input columns; in memory [14 rows, 6 columns, channels, mixes], so that the 5 rows of an output
// row are one matrix.
constexpr int64_t kMap = 14, kRows = 10, kStrips = 5, kColumns = 6, kKernel = 5;
constexpr int64_t kPairs = 32;  // a block of 352 mixes with the usual grid: its strips stay near the core

struct Parameters {
  std::map<std::string, torch::Tensor> by_name;
  explicit Parameters(const Net& net) {
    for (const auto& [name, tensor] : state(net)) by_name.emplace(name, tensor.detach().clone());
  }
  const torch::Tensor& operator[](const std::string& name) const {
    expect(by_name.contains(name), "the net is a lenet5");
    return by_name.at(name);
  }
};

}  // namespace

LenetConfidence::LenetConfidence(Net& net, const torch::Tensor& pixels) {
  const torch::NoGradGuard no_grad;
  const Parameters of(net);
  images_ = pixels.size(0), first_ = of["C1.weight"].size(0), second_ = of["C3.weight"].size(0);
  const auto values = clips_of(pixels).select(1, 0);  // [N, 1, 32, 32]
  const auto maps = torch::conv2d(values, of["C1.weight"], of["C1.bias"]);
  maps_ = maps.view({images_, first_, kMap, 2, kMap, 2}).permute({2, 4, 1, 3, 5, 0}).contiguous();
  auto strip = torch::zeros({2, second_, kKernel, kColumns, first_});
  for (int64_t column = 0; column < 2; ++column) strip[column].narrow(2, column, kKernel).copy_(of["C3.weight"].permute({0, 2, 3, 1}));
  strip_weight_ = strip.view({2 * second_, -1});
  second_bias_ = of["C3.bias"];
  third_weight_ = of["C5.weight"].permute({0, 3, 2, 1}).flatten(1).contiguous();  // columns, rows, channels, as second_maps gives
  third_bias_ = of["C5.bias"].unsqueeze(1);
  hidden_weight_ = of["F6.weight"], hidden_bias_ = of["F6.bias"].unsqueeze(1);
  weight_ = of["fc.weight"], bias_ = of["fc.bias"].unsqueeze(1);

  const auto i = torch::arange(std::min<int64_t>(images_, 8)), j = i.flip(0), lambdas = torch::tensor({0.3f, 0.7f});
  const auto student = [&net](const torch::Tensor& mixes) { return net.forward(mixes).logits.softmax(1); };
  const auto expected = confidence_of(clips_of(pixels.slice(0, 0, 8)), student)(i, j, lambdas);
  expect((expected - (*this)(i, j, lambdas)).abs().max().item<double>() < 1e-4, "the fast confidence is that of the net");
}

torch::Tensor LenetConfidence::operator()(const torch::Tensor& i, const torch::Tensor& j, const torch::Tensor& lambdas) const {
  const int64_t pairs = i.size(0), count = lambdas.size(0);
  auto confidences = torch::empty({pairs, count});
  const int64_t *rows_i = i.const_data_ptr<int64_t>(), *rows_j = j.const_data_ptr<int64_t>();
  at::parallel_for(0, (pairs + kPairs - 1) / kPairs, 1, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode no_grad;
    for (int64_t first = begin * kPairs; first < std::min(end * kPairs, pairs); first += kPairs) {
      const int64_t size = std::min(kPairs, pairs - first);
      confidences.narrow(0, first, size).copy_(block(rows_i + first, rows_j + first, size, lambdas));
    }
  });
  return confidences;
}

torch::Tensor LenetConfidence::block(const int64_t* i, const int64_t* j, int64_t pairs, const torch::Tensor& lambdas) const {
  const int64_t count = lambdas.size(0);
  auto strips = torch::empty({kStrips, kMap, kColumns * first_, count * pairs});
  mix_first_maps(i, j, pairs, lambdas, strips.mutable_data_ptr<float>());
  return classes(second_maps(strips)).view({count, pairs}).t();
}

// For every pair and lambda: relu(max of the 4 mixed values), written to each strip that sees it.
void LenetConfidence::mix_first_maps(const int64_t* i, const int64_t* j, int64_t pairs, const torch::Tensor& lambdas, float* strips) const {
  const float *all = maps_.const_data_ptr<float>(), *lambda = lambdas.const_data_ptr<float>();
  const int64_t count = lambdas.size(0), mixes = count * pairs;
  std::vector<float> second(4 * pairs), difference(4 * pairs), pooled(mixes);
  const float *__restrict base = second.data(), *__restrict step = difference.data();
  for (int64_t place = 0; place < kMap * kMap * first_; ++place) {
    const int64_t channel = place % first_, x = place / first_ % kMap, y = place / first_ / kMap;
    for (int64_t corner = 0; corner < 4; ++corner) {
      const float* values = all + (place * 4 + corner) * images_;
      for (int64_t p = 0; p < pairs; ++p) {
        second[corner * pairs + p] = values[j[p]];
        difference[corner * pairs + p] = values[i[p]] - values[j[p]];
      }
    }
    for (int64_t t = 0; t < count; ++t) {
      float* __restrict out = pooled.data() + t * pairs;
      const auto corner = [&](int64_t at) { return base[at] + lambda[t] * step[at]; };
      for (int64_t p = 0; p < pairs; ++p) {
        const float top = std::max(corner(p), corner(pairs + p)), bottom = std::max(corner(2 * pairs + p), corner(3 * pairs + p));
        out[p] = std::max(std::max(top, bottom), 0.0f);
      }
    }
    for (int64_t strip = std::max<int64_t>(0, (x - kColumns + 2) / 2); strip <= std::min(kStrips - 1, x / 2); ++strip)
      std::copy(pooled.begin(), pooled.end(), strips + (((strip * kMap + y) * kColumns + x - 2 * strip) * first_ + channel) * mixes);
  }
}

// strips [5, 14, 6 * first, M] to [5 columns, 5 rows, second, M]: convolution, bias, max pool, ReLU.
torch::Tensor LenetConfidence::second_maps(const torch::Tensor& strips) const {
  const int64_t mixes = strips.size(3), row = kColumns * first_ * mixes;
  const auto windows = strips.as_strided({kStrips, kRows, kKernel * kColumns * first_, mixes}, {kMap * row, row, mixes, 1});
  const auto weight = strip_weight_.unsqueeze(0).expand({kRows, -1, -1});
  auto wide = torch::empty({kStrips, kRows, 2 * second_, mixes});
  for (int64_t strip = 0; strip < kStrips; ++strip) {
    auto out = wide[strip];
    at::bmm_out(out, weight, windows[strip]);
  }
  auto maps = torch::empty({kStrips, kRows / 2, second_, mixes});
  const float *from = wide.const_data_ptr<float>(), *bias = second_bias_.const_data_ptr<float>();
  for (int64_t place = 0; place < kStrips * kRows / 2 * second_; ++place) {
    const int64_t channel = place % second_;
    const float* __restrict corner = from + (place / second_ * 4 * second_ + channel) * mixes;  // two rows of two columns each
    float* __restrict out = maps.mutable_data_ptr<float>() + place * mixes;
    const int64_t next = second_ * mixes;
    for (int64_t m = 0; m < mixes; ++m) {
      const float top = std::max(corner[m], corner[next + m]), bottom = std::max(corner[2 * next + m], corner[3 * next + m]);
      out[m] = std::max(std::max(top, bottom) + bias[channel], 0.0f);
    }
  }
  return maps.flatten(0, 2);
}

torch::Tensor LenetConfidence::classes(const torch::Tensor& second_maps) const {
  const auto third = torch::addmm(third_bias_, third_weight_, second_maps).relu_();
  const auto hidden = torch::addmm(hidden_bias_, hidden_weight_, third).relu_();
  return torch::addmm(bias_, weight_, hidden).softmax(0).amax(0);
}

}  // namespace distal::reproduce
