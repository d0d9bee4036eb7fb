// Two clips blended, one lambda for all frames, and their labels with them:
//
//   x = lambda x_i + (1 - lambda) x_j,   y = lambda y_i + (1 - lambda) y_j,   lambda ~ Beta(alpha,
//   alpha).
//
// Deviation: lambda is drawn for each clip, not for a batch, and j goes round circles of clips
// known in the same way (data/augment_batch.h). alpha 0.2 as for video in mmaction2.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_batch.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {

class Mixup final : public Augmentation {
 public:
  struct Options {
    double alpha = 0.2;
    double probability = 1;
    void visit(OptionVisitor& v) const {
      v("alpha", alpha, "of Beta(alpha, alpha): small mixes little, 1 evenly", between(0.01, 100));
      v("probability", probability, "that a clip is mixed", between(0, 1));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Mixup(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    const int64_t numbers = clip_size(batch).numbers();
    return mix_each(batch, options_.probability, random,
                    [&](const float* clip, const float* partner, float* out, Random draw) {
                      const auto lambda =
                          static_cast<float>(draw.beta(options_.alpha, options_.alpha));
                      for (int64_t i = 0; i < numbers; ++i)
                        out[i] = partner[i] + lambda * (clip[i] - partner[i]);
                      return static_cast<double>(lambda);
                    });
  }

 private:
  Options options_;
};

extern const Entry<Augmentation> mixup;
const Entry<Augmentation> mixup =
    entry<Augmentation, Mixup>("two clips and their labels blended",
                               "H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, mixup: beyond "
                               "empirical risk minimization, ICLR 2018, arXiv 1710.09412");

}  // namespace distal::augmentations
