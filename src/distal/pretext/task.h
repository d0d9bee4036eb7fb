#pragma once
// Pretext tasks, a family with one file each in tasks/. A task draws a label for every clip and
// transforms the clip accordingly. The network learns to predict the label, so it learns from clips
// without labels. The input of a task is a *view*: a run of consecutive frames. The task takes the
// T frames of the network from it. Letters: N views, S frames of a view, T frames of a clip, m
// clips of a view, D features. Thread-safe.

#include <cstdint>
#include <vector>

#include <torch/types.h>

namespace distal {

class Random;

class PretextTask {
 public:
  virtual ~PretextTask() = default;
  /// The least S for clips of `frames` frames. Throws Error: the task does not support such short
  /// clips.
  virtual int64_t view_frames(int64_t frames) const { return frames; }
  /// m, the number of clips per view. The head gets their concatenated features, [N, m D].
  virtual int64_t clips() const { return 1; }
  /// The number of outputs of the head: the number of classes, or 1 for regression.
  virtual int64_t outputs() const = 0;
  /// Draws a label for each view, float32 [N], uniformly: class indices, or numbers for regression.
  virtual torch::Tensor draw(int64_t views, int64_t frames, Random& random) const;
  /// Transforms views float32 [N, 3, S, H, W] with labels [N] into clips float32 [N m, 3, frames,
  /// H, W]. S is at least view_frames. The clips of a view are consecutive. If a view is longer
  /// than necessary, its frames are chosen at random.
  virtual torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels,
                                  int64_t frames, Random& random) const = 0;
  /// The loss of each view, [N], from the outputs of the head [N, outputs()]. The default is cross
  /// entropy.
  virtual torch::Tensor loss(const torch::Tensor& outputs, const torch::Tensor& labels) const;
  /// The mean loss of the best constant prediction. The default is log(outputs()).
  virtual double chance(int64_t frames) const;
};

/// No transform. It has one label and nothing to learn.
class NoTask final : public PretextTask {
 public:
  int64_t outputs() const override { return 1; }
  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override;
};

/// Draws frame numbers, int64 [N, frames]. Those of view i are strides[i] apart. The start is
/// uniform over all starts that fit into S.
torch::Tensor draw_windows(const torch::Tensor& views, const std::vector<int64_t>& strides,
                           int64_t frames, Random& random);

/// Takes the frames `numbers` of each view, int64 [N, T] or [N, m, T]. Returns clips [N, 3, T, H,
/// W] or [N m, 3, T, H, W].
torch::Tensor pick_frames(const torch::Tensor& views, const torch::Tensor& numbers);

/// Converts rows of equal length to int64 [rows, length].
torch::Tensor table(const std::vector<std::vector<int64_t>>& rows);

}  // namespace distal
