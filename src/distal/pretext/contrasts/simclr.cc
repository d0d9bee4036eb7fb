// SimCLR: both views pass through the network, and every other clip of the batch is a negative. The
// normalised temperature-scaled cross entropy of a pair of views (q, k), both ways (NT-Xent, eq.
// 1):
//
//   L = 1/2 [ -log e(q, k) / sum_{x != q} e(q, x)  -  log e(k, q) / sum_{x != k} e(k, x) ],    e(a,
//   b) = exp(a.b / T), lengths 1,
//
// x over the queries and keys of the branch. As published for video (PySlowFast): T 0.1, LARS at
// rate 1.2, weight decay 1e-6, batches of hundreds. Deviations: views of the same clip met twice in
// a batch are no negatives; where a branch has only some of the batch's queries, the keys of all of
// it serve as negatives.

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/pretext/contrast.h"

namespace distal::contrasts {
namespace {

class Pairs final : public ContrastBranch {
 public:
  explicit Pairs(double temperature) : temperature_(temperature) {}

  torch::Tensor loss(const ContrastBatch& batch) override {
    const torch::Tensor queries = unit_rows(batch.queries);
    const torch::Tensor keys = unit_rows(batch.keys);
    const torch::Tensor own = keys.index_select(0, batch.positive);
    const torch::Tensor clip = batch.clips.index_select(0, batch.positive).unsqueeze(1);
    const torch::Tensor same_key = clip.eq(batch.clips);
    const torch::Tensor same_query = clip.eq(clip.t());
    return (one_way(queries, own, queries, same_query, keys, same_key) +
            one_way(own, queries, queries, same_query, keys, same_key)) /
           2;
  }

 private:
  // Row i: from[i] is to find to[i]; what is not of its own clip among queries and keys is a
  // negative.
  torch::Tensor one_way(const torch::Tensor& from, const torch::Tensor& to,
                        const torch::Tensor& queries, const torch::Tensor& same_query,
                        const torch::Tensor& keys, const torch::Tensor& same_key) const {
    constexpr double kNothing = -std::numeric_limits<double>::infinity();
    const torch::Tensor found = (from * to).sum(1, /*keepdim=*/true);
    const torch::Tensor all =
        torch::cat({found, from.matmul(queries.t()).masked_fill(same_query, kNothing),
                    from.matmul(keys.t()).masked_fill(same_key, kNothing)},
                   1);
    return -(all / temperature_).log_softmax(1).select(1, 0);
  }

  double temperature_;
};

}  // namespace

class Simclr final : public Contrast {
 public:
  struct Options {
    double temperature = 0.1;
    void visit(OptionVisitor& v) const {
      v("temperature", temperature, "divides the similarities", between(0.01, 10));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Simclr(const Options& options) : options_(options) {}
  std::shared_ptr<ContrastBranch> branch(const BranchSizes&, Random) const override {
    return std::make_shared<Pairs>(options_.temperature);
  }

 private:
  Options options_;
};

extern const Entry<Contrast> simclr;
const Entry<Contrast> simclr =
    entry<Contrast, Simclr>("tells the two views of a clip from the other clips of the batch",
                            "Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive "
                            "Learning of Visual Representations, ICML 2020, arXiv 2002.05709");

}  // namespace distal::contrasts
