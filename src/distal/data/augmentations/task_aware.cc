// The transformations of temporal_naive, and a head on the features that tells which one a clip
// went through:
//
//   L = L_class + weight CE(head(f(clip)), transformation)
//
// with 1 + |of| classes, drawn evenly (train/task_aware.h). TaCo's idea with labels instead of a
// contrastive loss: a transformation that is told does not have to be ignored. Deviation: one head
// for all transformations, where TaCo has one for each.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_frames.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {

class TaskAware final : public Augmentation {
 public:
  struct Options : TransformOptions {
    double weight = 1;
    void visit(OptionVisitor& v) const {
      v("weight", weight, "of the head's cross entropy beside the loss of the classes",
        at_least(0));
      TransformOptions::visit(v);
    }
    bool operator==(const Options&) const = default;
  };
  explicit TaskAware(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    return transform_each(batch, options_, random);
  }
  std::vector<std::string> label_changing() const override { return options_.of; }
  int64_t head_classes() const override { return options_.count(); }
  double head_weight() const override { return options_.weight; }

 private:
  Options options_;
};

extern const Entry<Augmentation> task_aware;
const Entry<Augmentation> task_aware = entry<Augmentation, TaskAware>(
    "reverse, shuffled chunks and large speed, and a head that tells which one it was",
    "Y. Bai et al., Can temporal information help with contrastive self-supervised learning?, "
    "2020, arXiv 2011.13046");

}  // namespace distal::augmentations
