// BYOL: no negatives. A predictor p on the query is to meet the key of an encoder that follows the
// network slowly,
//
//   L = 2 - 2 p(q).k / (|p(q)| |k|)    (eq. 2).
//
// As published for video (PySlowFast): momentum 0.996 annealed to 1, a predictor with a hidden
// layer of 4096, rate 0.6. Deviations: one direction (the query's) instead of both, which halves
// the cost; layer norm for batch norm in the heads, since a branch may have a single clip of a
// batch.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/pretext/contrast.h"
#include "distal/pretext/heads.h"

namespace distal::contrasts {
namespace {

class Predictor final : public ContrastBranch {
 public:
  Predictor(const BranchSizes& sizes, Random random)
      : predictor_(register_module(
            "predictor", std::make_shared<Mlp>(sizes.dim, sizes.hidden, sizes.dim, random))) {}

  torch::Tensor loss(const ContrastBatch& batch) override {
    const torch::Tensor found = unit_rows(predictor_->forward(batch.queries));
    const torch::Tensor keys = unit_rows(batch.keys).detach();
    return 2 - 2 * (found * keys.index_select(0, batch.positive)).sum(1);
  }

 private:
  std::shared_ptr<Mlp> predictor_;
};

}  // namespace

class Byol final : public Contrast {
 public:
  struct Options {
    double momentum = 0.99;
    void visit(OptionVisitor& v) const {
      v("momentum", momentum, "initial momentum of the key encoder; rises to 1", between(0, 1));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Byol(const Options& options) : options_(options) {}
  std::shared_ptr<ContrastBranch> branch(const BranchSizes& sizes, Random random) const override {
    return std::make_shared<Predictor>(sizes, random);
  }
  bool momentum_encoder() const override { return true; }
  double momentum(int64_t step, int64_t steps) const override {
    return annealed(options_.momentum, step, steps);
  }

 private:
  Options options_;
};

extern const Entry<Contrast> byol;
const Entry<Contrast> byol = entry<Contrast, Byol>(
    "predicts a clip's key from another view of it, without negatives",
    "Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, arXiv 2006.07733");

}  // namespace distal::contrasts
