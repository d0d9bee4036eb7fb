#include "lenet_confidence.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include "distal/base/error.h"
#include "images.h"

namespace distal::reproduce {
namespace {

// The first pooled map is 14 x 14, the second convolution's output 10 x 10, pooled 5 x 5. Mixes lie
// innermost, those of a pair side by side: kAtOnce pairs are as many vectors as lambdas.
constexpr int64_t kMap = 14;
constexpr int64_t kPooled = 5;
constexpr int64_t kKernel = 5;
constexpr int64_t kCorners = 4;
constexpr int64_t kAtOnce = 8;  // with the usual grid 88 mixes, whose first maps take 207 kB
constexpr int64_t kPairs = 32;  // pairs whose last layers are one matrix product each
// 12 sums in registers
constexpr int64_t kChannels = 4;
constexpr int64_t kVectors = 3;

typedef float Lanes __attribute__((vector_size(32), aligned(4), may_alias));
constexpr int64_t kLanes = 8;

#if defined(__x86_64__)
#define DISTAL_CLONES __attribute__((target_clones("fma", "default")))
#else
#define DISTAL_CLONES
#endif
#define DISTAL_INLINE __attribute__((always_inline)) inline

// For each place of the map and each pair: relu(max over the 4 corners of second + lambda * (first
// - second)). first, second: kAtOnce images [places, 4]; lambdas padded to whole vectors; maps
// [places, stride], where a pair's last vector may reach into the next's.
DISTAL_CLONES void mix_maps(const float* const* first, const float* const* second,
                            const float* lambdas, int64_t count, int64_t places, float* maps,
                            int64_t stride) {
  for (int64_t place = 0; place < places; ++place) {
    for (int64_t pair = 0; pair < kAtOnce; ++pair) {
      const float* i = first[pair] + place * kCorners;
      const float* j = second[pair] + place * kCorners;
      float* out = maps + place * stride + pair * count;
      for (int64_t t = 0; t < count; t += kLanes) {
        const Lanes lambda = *reinterpret_cast<const Lanes*>(lambdas + t);
        Lanes most = {};
        for (int64_t corner = 0; corner < kCorners; ++corner) {
          const Lanes value = j[corner] + lambda * (i[corner] - j[corner]);
          most = value < most ? most : value;  // in this order not a number stays
        }
        *reinterpret_cast<Lanes*>(out + t) = most;
      }
    }
  }
}

struct Convolution {
  const float *weight, *bias;  // [groups of 4 channels, 5 rows, 5 columns * first, 4] [channels]
  int64_t first, channels;
};

// One place of the pooled second map: the 4 places it chooses from, of `vectors` vectors of mixes
// and one group of channels.
template <int64_t vectors>
DISTAL_INLINE void pooled_place(const Convolution& of, int64_t group, const float* map,
                                int64_t stride, float* out, int64_t out_stride) {
  Lanes most[kChannels][vectors];
#pragma GCC unroll 4
  for (int64_t c = 0; c < kChannels; ++c) {
#pragma GCC unroll 4
    for (int64_t v = 0; v < vectors; ++v)
      most[c][v] = Lanes{} - std::numeric_limits<float>::infinity();
  }
  for (int64_t corner = 0; corner < kCorners; ++corner) {
    Lanes sum[kChannels][vectors] = {};
    const float* weight = of.weight + group * kKernel * kKernel * of.first * kChannels;
    for (int64_t y = 0; y < kKernel; ++y) {
      const float* in = map + ((y + corner / 2) * kMap + corner % 2) * of.first * stride;
      for (int64_t x = 0; x < kKernel * of.first; ++x, in += stride, weight += kChannels) {
        Lanes value[vectors];
#pragma GCC unroll 4
        for (int64_t v = 0; v < vectors; ++v)
          value[v] = *reinterpret_cast<const Lanes*>(in + v * kLanes);
#pragma GCC unroll 4
        for (int64_t c = 0; c < kChannels; ++c) {
#pragma GCC unroll 4
          for (int64_t v = 0; v < vectors; ++v) sum[c][v] += weight[c] * value[v];
        }
      }
    }
#pragma GCC unroll 4
    for (int64_t c = 0; c < kChannels; ++c) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < vectors; ++v)
        most[c][v] = sum[c][v] < most[c][v] ? most[c][v] : sum[c][v];
    }
  }
#pragma GCC unroll 4
  for (int64_t c = 0; c < kChannels; ++c) {
#pragma GCC unroll 4
    for (int64_t v = 0; v < vectors; ++v) {
      if (group * kChannels + c < of.channels) {
        const Lanes value = most[c][v] + of.bias[group * kChannels + c];
        *reinterpret_cast<Lanes*>(out + c * out_stride + v * kLanes) = value < 0 ? Lanes{} : value;
      }
    }
  }
}

// maps [14, 14, first, stride] to [5 rows, 5 columns, channels, out_stride]: convolution, bias, max
// pool, ReLU of vectors * kLanes mixes.
DISTAL_CLONES void second_maps(const Convolution& of, const float* maps, int64_t stride,
                               int64_t vectors, float* out, int64_t out_stride) {
  for (int64_t v = 0; v < vectors; v += kVectors) {
    for (int64_t place = 0; place < kPooled * kPooled; ++place) {
      const float* map = maps +
                         (place / kPooled * 2 * kMap + place % kPooled * 2) * of.first * stride +
                         v * kLanes;
      for (int64_t group = 0; group * kChannels < of.channels; ++group) {
        float* to = out + (place * of.channels + group * kChannels) * out_stride + v * kLanes;
        switch (std::min(kVectors, vectors - v)) {
          case 1: pooled_place<1>(of, group, map, stride, to, out_stride); break;
          case 2: pooled_place<2>(of, group, map, stride, to, out_stride); break;
          default: pooled_place<3>(of, group, map, stride, to, out_stride);
        }
      }
    }
  }
}

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
  images_ = pixels.size(0);
  first_ = of["C1.weight"].size(0);
  second_ = of["C3.weight"].size(0);
  const auto values = clips_of(pixels).select(1, 0);  // [N, 1, 32, 32]
  const auto maps = torch::conv2d(values, of["C1.weight"], of["C1.bias"]);
  maps_ = maps.view({images_, first_, kMap, 2, kMap, 2}).permute({0, 2, 4, 1, 3, 5}).contiguous();
  const int64_t groups = (second_ + kChannels - 1) / kChannels;
  auto padded = torch::zeros({groups * kChannels, kKernel, kKernel, first_});
  padded.narrow(0, 0, second_).copy_(of["C3.weight"].permute({0, 2, 3, 1}));
  second_weight_ = padded.view({groups, kChannels, kKernel, kKernel, first_})
                       .permute({0, 2, 3, 4, 1})
                       .contiguous();
  second_bias_ = of["C3.bias"].contiguous();
  third_weight_ =
      of["C5.weight"].permute({0, 2, 3, 1}).flatten(1).contiguous();  // rows, columns, channels
  third_bias_ = of["C5.bias"].unsqueeze(1);
  hidden_weight_ = of["F6.weight"];
  hidden_bias_ = of["F6.bias"].unsqueeze(1);
  weight_ = of["fc.weight"];
  bias_ = of["fc.bias"].unsqueeze(1);

  const auto i = torch::arange(std::min<int64_t>(images_, 8));
  const auto j = i.flip(0);
  const auto lambdas = torch::tensor({0.3f, 0.7f});
  const auto student = [&net](const torch::Tensor& mixes) {
    return net.forward(mixes).logits.softmax(1);
  };
  const auto expected = confidence_of(clips_of(pixels.slice(0, 0, 8)), student)(i, j, lambdas);
  expect((expected - (*this)(i, j, lambdas)).abs().max().item<double>() < 1e-4,
         "the fast confidence is that of the net");
}

torch::Tensor LenetConfidence::operator()(const torch::Tensor& i, const torch::Tensor& j,
                                          const torch::Tensor& lambdas) const {
  const int64_t pairs = i.size(0);
  const int64_t count = lambdas.size(0);
  auto confidences = torch::empty({pairs, count});
  const int64_t* rows_i = i.const_data_ptr<int64_t>();
  const int64_t* rows_j = j.const_data_ptr<int64_t>();
  at::parallel_for(0, (pairs + kPairs - 1) / kPairs, 1, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode no_grad;
    for (int64_t first = begin * kPairs; first < std::min(end * kPairs, pairs); first += kPairs) {
      const int64_t size = std::min(kPairs, pairs - first);
      confidences.narrow(0, first, size)
          .copy_(block(rows_i + first, rows_j + first, size, lambdas));
    }
  });
  return confidences;
}

torch::Tensor LenetConfidence::block(const int64_t* i, const int64_t* j, int64_t pairs,
                                     const torch::Tensor& lambdas) const {
  const int64_t count = lambdas.size(0);
  const int64_t places = kMap * kMap * first_;
  const int64_t mixes = kAtOnce * count;
  const int64_t stride = mixes + kLanes;
  const auto grid = torch::constant_pad_nd(lambdas, {0, kLanes});
  const auto maps = torch::empty({places, stride});
  const int64_t parts = (pairs + kAtOnce - 1) / kAtOnce;
  const auto seconds = torch::empty({kPooled * kPooled * second_, parts * mixes});
  const Convolution second{second_weight_.const_data_ptr<float>(),
                           second_bias_.const_data_ptr<float>(), first_, second_};
  for (int64_t part = 0; part < parts; ++part) {
    const float *first_of[kAtOnce], *second_of[kAtOnce];
    for (int64_t p = 0; p < kAtOnce; ++p) {
      const int64_t pair =
          std::min(part * kAtOnce + p, pairs - 1);  // the last one fills the part up
      first_of[p] = maps_[i[pair]].const_data_ptr<float>();

      second_of[p] = maps_[j[pair]].const_data_ptr<float>();
    }
    mix_maps(first_of, second_of, grid.const_data_ptr<float>(), count, places,
             maps.mutable_data_ptr<float>(), stride);
    second_maps(second, maps.const_data_ptr<float>(), stride, count,
                seconds.mutable_data_ptr<float>() + part * mixes, parts * mixes);
  }
  return classes(seconds).view({-1, count}).slice(0, 0, pairs);
}

torch::Tensor LenetConfidence::classes(const torch::Tensor& second_maps) const {
  const auto third = torch::addmm(third_bias_, third_weight_, second_maps).relu_();
  const auto hidden = torch::addmm(hidden_bias_, hidden_weight_, third).relu_();
  return torch::addmm(bias_, weight_, hidden).softmax(0).amax(0);
}

}  // namespace distal::reproduce
