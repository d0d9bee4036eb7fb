// A method outside distal, whole: a strategy in a plugin.

#include <torch/types.h>

#include <distal/active/kernels.h>
#include <distal/base/plugin.h>
#include <distal/base/random.h>

namespace {

// Asks about the clips with the least evidence for any class. Score: -logsumexp(z / temperature),
// larger is asked first.
class LeastEnergy final : public distal::Strategy {
 public:
  struct Options {
    double temperature = 1;
    void visit(distal::OptionVisitor& v) const {
      v("temperature", temperature, "divides the logits", distal::at_least(1e-3));
    }
    bool operator==(const Options&) const = default;
  };
  explicit LeastEnergy(const Options& options) : options_(options) {}

  std::optional<torch::Tensor> score(const distal::PoolScores& scores,
                                     distal::Random) const override {
    // Refuses what is not finite, and names the row.
    distal::checked_probabilities(scores, "least_energy");
    return -(scores.logits.to(torch::kFloat64) / options_.temperature).logsumexp(1);
  }

 private:
  Options options_;
};

}  // namespace

DISTAL_PLUGIN(methods) {
  methods.add<distal::Strategy, LeastEnergy>(
      "least_energy", "the clips with the least evidence for any class",
      "Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020");
}
