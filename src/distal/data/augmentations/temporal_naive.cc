// Reverse, shuffle and large changes of speed as augmentation, the label kept: each clip is left as
// it is or goes through one of `of`, drawn evenly. Where the order of the frames is the class, that
// trains contradictory labels; here to be compared with.

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/data/augment_frames.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {

class TemporalNaive final : public Augmentation {
 public:
  using Options = TransformOptions;
  explicit TemporalNaive(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    Batch changed = transform_each(batch, options_, random);
    changed.transform = torch::Tensor();  // nobody is told
    return changed;
  }
  std::vector<std::string> label_changing() const override { return options_.of; }

 private:
  Options options_;
};

extern const Entry<Augmentation> temporal_naive;
const Entry<Augmentation> temporal_naive = entry<Augmentation, TemporalNaive>(
    "reverse, shuffled chunks and large speed, label kept: harmful where order is the class",
    "Y. Bai et al., Can temporal information help with contrastive self-supervised learning?, "
    "2020, arXiv 2011.13046 (augmentation alone); "
    "W. Price, D. Damen, Retro-Actions, 2019, arXiv 1909.09422 (which classes reversal changes)");

}  // namespace distal::augmentations
