// Momentum contrast: a queue of keys of earlier batches, made by an encoder that follows the
// network slowly,
//
//   L = -log [ exp(q.k / T) / (exp(q.k / T) + sum_{r in queue} exp(q.r / T)) ],    q, k, r of
//   length 1    (InfoNCE, eq. 1).
//
// As published for video (PySlowFast, MoCo_SlowR50_8x8): T 0.1, queue 65536, momentum 0.994
// annealed to 1, d 128, hidden 2048; RSPNet: T 0.07, queue 16384, momentum 0.999. The defaults here
// are for pools of hundreds and steps of hundreds. Deviations: the queue is no longer than the
// pool, starts empty instead of random, and keys of the query's own clip in it are left out (a
// small pool comes round again while they are there). One device, so no shuffled batch norm.

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/pretext/contrast.h"

namespace distal::contrasts {
namespace {

class Queue final : public ContrastBranch {
 public:
  Queue(double temperature, int64_t size, int64_t dim)
      : temperature_(temperature),
        keys_(register_buffer("keys", torch::zeros({size, dim}))),
        clips_(
            register_buffer("clips", torch::full({size}, -1, torch::kInt64))),  // -1: a free place
        next_(register_buffer("next", torch::zeros({1}, torch::kInt64))) {}

  torch::Tensor loss(const ContrastBatch& batch) override {
    const torch::Tensor queries = unit_rows(batch.queries);
    const torch::Tensor keys = unit_rows(batch.keys).detach();
    const torch::Tensor own =
        (queries * keys.index_select(0, batch.positive)).sum(1, /*keepdim=*/true);
    const torch::Tensor clip = batch.clips.index_select(0, batch.positive).unsqueeze(1);
    const torch::Tensor left_out = clips_.eq(clip).logical_or(clips_.lt(0));
    // A copy: the queue moves on before the gradient is taken.
    const torch::Tensor others =
        queries.matmul(keys_.clone().t())
            .masked_fill(left_out, -std::numeric_limits<double>::infinity());
    remember(keys, batch.clips);
    return -(torch::cat({own, others}, 1) / temperature_).log_softmax(1).select(1, 0);
  }

 private:
  void remember(const torch::Tensor& keys, const torch::Tensor& clips) {
    const torch::NoGradGuard no_grad;
    const int64_t size = keys_.size(0);
    const int64_t count = std::min(keys.size(0), size);
    const torch::Tensor places = (torch::arange(count, next_.options()) + next_).remainder(size);
    keys_.index_copy_(0, places,
                      keys.narrow(0, keys.size(0) - count, count).to(keys_.scalar_type()));
    clips_.index_copy_(0, places, clips.narrow(0, clips.size(0) - count, count));
    next_.add_(count).remainder_(size);
  }

  double temperature_;
  torch::Tensor keys_, clips_, next_;  // float32 [Q, d], int64 [Q], int64 [1]
};

}  // namespace

class Moco final : public Contrast {
 public:
  struct Options {
    double temperature = 0.1;
    double momentum = 0.99;
    int64_t queue = 1024;
    void visit(OptionVisitor& v) const {
      v("temperature", temperature, "divides the similarities", between(0.01, 10));
      v("momentum", momentum, "initial momentum of the key encoder; rises to 1", between(0, 1));
      v("queue", queue,
        "number of keys in the queue of each branch, at most one per clip of the pool",
        between(1, 1048576));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Moco(const Options& options) : options_(options) {}
  std::shared_ptr<ContrastBranch> branch(const BranchSizes& sizes, Random) const override {
    return std::make_shared<Queue>(options_.temperature, std::min(options_.queue, sizes.clips),
                                   sizes.dim);
  }
  bool momentum_encoder() const override { return true; }
  double momentum(int64_t step, int64_t steps) const override {
    return annealed(options_.momentum, step, steps);
  }

 private:
  Options options_;
};

extern const Entry<Contrast> moco;
const Entry<Contrast> moco =
    entry<Contrast, Moco>("tells a clip's own key from a queue of other clips' keys",
                          "He et al., Momentum Contrast, CVPR 2020, arXiv 1911.05722; for video: "
                          "Feichtenhofer et al., CVPR 2021, arXiv 2104.14558");

}  // namespace distal::contrasts
