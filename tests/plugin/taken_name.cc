// Two methods; the second has the name of one of distal's, so neither is added.

#include <distal/active/strategy.h>
#include <distal/base/plugin.h>
#include <distal/base/random.h>

namespace {

class First final : public distal::Strategy {
 public:
  std::optional<torch::Tensor> score(const distal::PoolScores& scores,
                                     distal::Random) const override {
    return torch::zeros({scores.size()}, torch::kFloat64);
  }
};

}  // namespace

DISTAL_PLUGIN(methods) {
  methods.add<distal::Strategy, First>("all_alike", "every clip alike", "nobody");
  methods.add<distal::Strategy, First>("entropy", "a name that is taken", "nobody");
}
