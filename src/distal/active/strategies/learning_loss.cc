// Learning loss: a small network predicts the loss of a clip from its embedding, and the largest
// predicted losses are asked about. It is fitted on the labelled clips so that it ranks their
// losses l: for pairs (i, j),
//
//   max(0, -sgn(l_i - l_j) (f(h_i) - f(h_j)) + xi),   xi = 1,   f = linear(relu(linear_128(h))), l
//   = -sum_c y_c log p_c.
//
// Deviations: strategies see scores only, so that f is fitted after the student, on its last
// embedding, where the paper trains f together with the network on four of its maps; embeddings are
// scaled to mean 0 and deviation 1; every step takes all labelled clips in a fresh order, the first
// with the last, and so on. A student that has learned its labels by heart has losses near 0 there,
// and then the order of its losses tells little. Where fewer than two clips have a label, the order
// is random. Cost: O(steps L D 128), O(M D 128).

#include <limits>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {
namespace {

torch::Tensor losses_of(const PoolScores& scores) {
  const auto& targets = scores.labelled_targets;
  if (targets.sizes() != scores.labelled_logits.sizes())
    fail("learning_loss: labelled targets and logits must have one shape; score what is labelled "
         "in one pass");
  const auto logits = scores.labelled_logits.to(torch::kFloat64);
  if (!torch::isfinite(logits).all().item<bool>())
    fail("learning_loss: the logits of the labelled clips are not finite; look for what broke "
         "their scores");
  const auto loss = scores.task->loss(logits, targets.to(torch::kFloat64));
  const auto unknown = torch::full_like(loss, std::numeric_limits<double>::quiet_NaN());
  return torch::where(known_rows(targets), loss, unknown);
}

}  // namespace

class LearningLoss final : public Strategy {
 public:
  struct Options {
    int64_t hidden = 128;
    int64_t steps = 200;
    double margin = 1;
    double learning_rate = 0.01;
    void visit(OptionVisitor& v) const {
      v("hidden", hidden, "width of the predicting network", between(1, 4096));
      v("margin", margin, "by which the larger loss shall be predicted larger", at_least(0));
      v("steps", steps, "of its training", between(1, 100000));
      v("learning_rate", learning_rate, "of its training, with momentum 0.9", at_least(0));
    }
    bool operator==(const Options&) const = default;
  };
  explicit LearningLoss(const Options& options) : options_(options) {}

  std::optional<torch::Tensor> score(const PoolScores& scores, Random random) const override {
    const auto embeddings = checked_embeddings(scores, "learning_loss").to(torch::kFloat32);
    const auto unknown = torch::zeros({embeddings.size(0)}, torch::kFloat64);
    if (embeddings.size(0) == 0 || !scores.labelled_targets.defined() ||
        scores.labelled_targets.numel() == 0)
      return unknown;
    const auto losses = losses_of(scores);
    const auto labelled = checked_labelled_embeddings(scores, "learning_loss")
                              .to(torch::kFloat32)
                              .slice(0, 0, losses.size(0));
    const auto known = torch::isfinite(losses).nonzero().squeeze(1);
    if (known.size(0) < 2) return unknown;
    const auto all = torch::cat({labelled, embeddings});
    const auto mean = all.mean(0);
    const auto deviation = all.std(0, /*unbiased=*/false).clamp_min(1e-6);
    const auto network = fitted(((labelled - mean) / deviation).index_select(0, known),
                                losses.index_select(0, known), random);
    const torch::NoGradGuard no_grad;
    return predicted(network, (embeddings - mean) / deviation).to(torch::kFloat64);
  }
  Needs needs() const override {
    return {.logits = false, .embeddings = true, .labelled_logits = true};
  }

 private:
  using Network = std::vector<torch::Tensor>;  // weight [hidden, D], bias, weight [1, hidden]

  static torch::Tensor predicted(const Network& f, const torch::Tensor& h) {
    return torch::relu(h.mm(f[0].t()) + f[1]).mm(f[2].t()).squeeze(1);
  }

  Network fresh(int64_t features, Random& random) const {
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(random());
    const auto normal = [&](int64_t out, int64_t in) {
      return torch::empty({out, in}).normal_(0, std::sqrt(2 / static_cast<double>(in)), generator);
    };
    return {normal(options_.hidden, features), torch::zeros({options_.hidden}),
            normal(1, options_.hidden)};
  }

  Network fitted(const torch::Tensor& h, const torch::Tensor& losses, Random& random) const {
    const torch::AutoGradMode gradients(true);
    Network network = fresh(h.size(1), random), velocity;
    for (auto& weight : network)
      velocity.push_back(torch::zeros_like(weight.set_requires_grad(true)));
    const int64_t pairs = h.size(0) / 2;
    for (int64_t step = 0; step < options_.steps; ++step) {
      check_interrupted();
      const auto order = shuffled_rows(h.size(0), random);
      const auto first = order.slice(0, 0, pairs);
      const auto second = order.flip(0).slice(0, 0, pairs);
      const auto larger = (losses.index_select(0, first) - losses.index_select(0, second))
                              .sign()
                              .to(torch::kFloat32);
      const auto f = predicted(network, h);
      (options_.margin - larger * (f.index_select(0, first) - f.index_select(0, second)))
          .clamp_min(0)
          .mean()
          .backward();
      const torch::NoGradGuard no_grad;
      for (size_t i = 0; i < network.size(); ++i) {
        velocity[i].mul_(0.9).add_(network[i].grad());
        network[i].sub_(velocity[i], options_.learning_rate);
        network[i].mutable_grad().zero_();
      }
    }
    return network;
  }

  Options options_;
};

extern const Entry<Strategy> learning_loss;
const Entry<Strategy> learning_loss = entry<Strategy, LearningLoss>(
    "the largest loss first, as a small network predicts it from the embedding",
    "D. Yoo, I. Kweon, Learning loss for active learning, CVPR 2019, arXiv 1905.03677, equation 2");

}  // namespace distal::strategies
