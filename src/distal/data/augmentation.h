#pragma once
// Augmentation families: one file each in augmentations/, chosen as `augment: {family: {name:
// mixup, alpha: 0.4}}`. What `augment` says itself (crop, flip, colour: data/augment.h) comes
// first, clip by clip. A family then works on the whole batch, so that it may mix clips, and their
// truth and the teacher's word with them by the exact share of the voxels. Letters: N clips, C
// channels, T frames, H W pixels, K classes. Thread-safe.

#include <string>
#include <vector>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal {

struct Batch;

class Augmentation {
 public:
  virtual ~Augmentation() = default;

  /// The batch, augmented: a pure function of its arguments, as many clips of the same size, in
  /// [-1, 1]. What came in stays as it is; what a family does not change is shared with it. Each
  /// clip has a draw of its own, which holds for all of its frames or moves evenly over them. Rows
  /// and weights stay: a mix stands in the place of its first clip. Of targets and teacher, what is
  /// known stays known and sums to 1, what is unknown stays unknown. A `second` view is not looked
  /// at. Clips must lie one after another, float32.
  virtual Batch apply(const Batch& batch, Random random) const = 0;

  /// Those of its transforms, as its options are, that may change what class a clip shows while the
  /// label stays. None may be mixed with a classifier that is not told (`head_classes`).
  virtual std::vector<std::string> label_changing() const { return {}; }

  /// The classes of the prediction head that comes with it (train/task_aware.h); 0: none. With a
  /// head, Batch::transform says which transform each clip went through.
  virtual int64_t head_classes() const { return 0; }
  virtual double head_weight() const { return 0; }  // of the head's cross entropy
};

}  // namespace distal
