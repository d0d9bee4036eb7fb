#include "mixup_memory.h"

#include <sys/resource.h>

#include <ATen/Parallel.h>

#include "distal/active/mixup.h"
#include "distal/base/choice.h"
#include "distal/base/interrupted.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/model.h"
#include "lenet_confidence.h"

namespace distal::reproduce {
namespace {

using Clock = std::chrono::steady_clock;

struct Measured {
  int64_t mixes = 0;
  double seconds = 0;
  double cpu_s = 0;
  double peak_mb = 0;
  double rate() const { return static_cast<double>(mixes) / seconds; }
  double cpu_rate() const { return static_cast<double>(mixes) / cpu_s; }
};

rusage used() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

double cpu_s(const rusage& usage) {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class F>
Measured measure(F&& scored) {
  const auto began = Clock::now();
  const double cpu_began = cpu_s(used());
  Measured measured;
  measured.mixes = scored();
  measured.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  measured.cpu_s = cpu_s(used()) - cpu_began;
  measured.peak_mb = static_cast<double>(used().ru_maxrss) / 1024;
  return measured;
}

int64_t streamed(const Confidence& confidence, int64_t clips, int64_t pairs, int64_t batch) {
  MixupOptions options;
  options.pairs = pairs;
  options.batch = batch;
  const Confidence watched = [&](const auto&... arguments) {
    check_interrupted();
    return confidence(arguments...);
  };
  return MixPool(clips, options).select(watched, 10'000, Random(1)).forwards;
}

// The published way: both arrays, every score, a full sort.
int64_t two_arrays(Net& net, const torch::Tensor& pixels) {
  const torch::NoGradGuard no_grad;
  const MixPool pool(pixels.size(0), {});
  std::vector<int64_t> i, j;
  for (int64_t pair = 0; pair < pool.pairs(); ++pair) {
    i.push_back(pool.pair(pair).first);
    j.push_back(pool.pair(pair).second);
  }
  const auto values = pixels.to(torch::kFloat32).div_(127.5).sub_(1);
  const auto first = values.index_select(0, torch::tensor(i, torch::kInt64));
  const auto second = values.index_select(0, torch::tensor(j, torch::kInt64));
  const auto lambdas = MixupOptions().lambdas();
  std::vector<torch::Tensor> scores;
  for (const double lambda : lambdas) {
    std::vector<torch::Tensor> of_lambda;
    for (int64_t at = 0; at < pool.pairs(); at += 128) {
      check_interrupted();
      const auto mixes =
          lambda * first.slice(0, at, at + 128) + (1 - lambda) * second.slice(0, at, at + 128);
      of_lambda.push_back(
          net.forward(mixes.view({-1, 1, 1, kSide, kSide}).expand({-1, 3, -1, -1, -1}))
              .logits.softmax(1)
              .amax(1));
    }
    scores.push_back(torch::cat(of_lambda));
  }
  std::get<0>(torch::stack(scores, 1).min(1)).argsort();
  return pool.pairs() * std::ssize(lambdas);
}

void print(const char* how, int64_t clips, const Measured& measured) {
  fmt::print("{:<46} N = {:<5} {:>9} mixes {:>7.1f} s {:>7.0f} mixes/s {:>7.0f} per CPU second   "
             "peak {:>6.0f} MB\n",
             how, clips, measured.mixes, measured.seconds, measured.rate(), measured.cpu_rate(),
             measured.peak_mb);
}

}  // namespace

void measure_memory(const Images& images, const MemoryOptions& options) {
  const auto real =
      images.rows(balanced_rows(images.labels, options.real / kClasses, Random(1))).pixels.clone();
  const Model net = make<Backbone>("lenet5", "width: 0.5")->build(kClasses, Random(1));
  net->eval();
  const auto student = [&](const torch::Tensor& mixes) {
    return net->forward(mixes.expand({-1, 3, -1, -1, -1})).logits.softmax(1);
  };
  const int64_t clips = real.size(0);
  const int64_t pairs = std::max<int64_t>(
      1, std::llround(options.fraction * static_cast<double>(MixPool(clips, {}).pairs())));
  const int64_t few = std::min(options.arrays_real, clips);
  const auto fast = measure([&] {
    return streamed(LenetConfidence(*net, real), clips, pairs, 45'056);
  });  // enough for threads to share
  const auto plain = measure([&] {
    return streamed(confidence_of(clips_of(real).narrow(1, 0, 1), student), clips,
                    std::max<int64_t>(1, pairs / 20), MixupOptions().batch);
  });
  const auto arrays = measure([&] { return two_arrays(*net, real.slice(0, 0, few)); });
  fmt::print("scoring mixes with LeNet-5-Half, {} thread(s)\n", at::get_num_threads());
  print("stream, first convolution once an image", clips, fast);
  print("stream through the whole network", clips, plain);
  print("both images of every pair in memory, by 128", few, arrays);
  fmt::print("ratio of rates: {:.1f} with the first convolution once an image, {:.1f} without (per "
             "CPU second {:.1f}, {:.1f}); both arrays at N = {} would take {:.1f} GB\n",
             fast.rate() / arrays.rate(), plain.rate() / arrays.rate(),
             fast.cpu_rate() / arrays.cpu_rate(), plain.cpu_rate() / arrays.cpu_rate(), clips,
             static_cast<double>(MixPool(clips, {}).pairs()) * 2 * kSide * kSide * 4 / 1e9);
  if (clips == 2000)
    fmt::print("bars: peak of the streams {:.0f} MB of 1536 ({}), ratio of 5 ({})\n", plain.peak_mb,
               plain.peak_mb < 1536 ? "met" : "missed",
               fast.rate() >= 5 * arrays.rate() ? "met" : "missed");
}

}  // namespace distal::reproduce
