// FadeMixUp: mixup whose lambda moves evenly over the T frames, so that one clip fades into the
// other,
//
//   lambda_t = linspace(lambda - a, lambda + a, T),   lambda ~ Beta(alpha, alpha),   a ~ U(0,
//   min(lambda, 1 - lambda)) of random sign;
//
// the mean of lambda_t is lambda, which is the share of the labels. A clip of one frame has lambda.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_batch.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {

class Fade final : public Augmentation {
 public:
  struct Options {
    double alpha = 1;
    double probability = 1;
    void visit(OptionVisitor& v) const {
      v("alpha", alpha, "of Beta(alpha, alpha): small mixes little, 1 evenly", between(0.01, 100));
      v("probability", probability, "that a clip is mixed", between(0, 1));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Fade(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    const ClipSize size = clip_size(batch);
    return mix_each(
        batch, options_.probability, random,
        [&](const float* clip, const float* partner, float* out, Random draw) {
          const double lambda = draw.beta(options_.alpha, options_.alpha);
          const double most = std::min(lambda, 1 - lambda);
          const double a = draw.uniform(-most, most);
          for (int64_t t = 0; t < size.frames; ++t) {
            const double at =
                size.frames > 1
                    ? 2 * static_cast<double>(t) / static_cast<double>(size.frames - 1) - 1
                    : 0;  // -1 .. 1
            fade_frame(clip, partner, size, t,
                       static_cast<float>(std::clamp(lambda + a * at, 0.0, 1.0)), out);
          }
          return lambda;
        });
  }

 private:
  static void fade_frame(const float* clip, const float* partner, const ClipSize& size, int64_t t,
                         float lambda, float* out) {
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t first = c * size.plane() + t * size.frame();
      for (int64_t i = first; i < first + size.frame(); ++i)
        out[i] = partner[i] + lambda * (clip[i] - partner[i]);
    }
  }
  Options options_;
};

extern const Entry<Augmentation> fade;
const Entry<Augmentation> fade = entry<Augmentation, Fade>(
    "FadeMixUp: two clips blended by a lambda that moves over time, labels by its mean",
    "T. Kim et al., Learning temporally invariant and localizable features via data augmentation "
    "for video recognition, ECCV workshops 2020, "
    "arXiv 2008.05721");

}  // namespace distal::augmentations
