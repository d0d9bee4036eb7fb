#pragma once
// Augmentations of whole batches, a family with one file each in augmentations/. A recipe chooses
// one as `augment: {family: {name: mixup, alpha: 0.4}}`. Crop, flip and colour (data/augment.h)
// come first, clip by clip. The augmentation then gets the whole batch, so it may mix clips. It
// mixes labels and teacher's probabilities by the share of the voxels. Letters: N clips, C
// channels, T frames, H W pixels, K classes. Thread-safe.

#include <cstdint>
#include <string>
#include <vector>

namespace distal {

struct Batch;
class Random;

class Augmentation {
 public:
  virtual ~Augmentation() = default;

  /// Returns the augmented batch: as many clips of the same size, in [-1, 1]. A pure function. It
  /// does not modify `batch`, and shares unchanged tensors with it. Each clip has its own draw. A
  /// draw is the same for all frames of the clip or changes evenly over them. Rows and weights
  /// stay: a mix takes the place of its first clip. Known rows of targets and teacher stay known
  /// and sum to 1. Unknown rows stay unknown. The `second` view is ignored. The clips must be
  /// contiguous float32.
  virtual Batch apply(const Batch& batch, Random random) const = 0;

  /// The transforms, under the present options, that may change the class that a clip shows but not
  /// its label. A study warns about them unless a prediction head tells them (head_classes).
  virtual std::vector<std::string> label_changing() const { return {}; }

  /// The number of classes of the prediction head for transforms (train/task_aware.h). 0: no head.
  /// With a head, Batch::transform is the transform of each clip.
  virtual int64_t head_classes() const { return 0; }
  virtual double head_weight() const { return 0; }  // of the head's cross entropy
};

}  // namespace distal
