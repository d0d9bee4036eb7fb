#pragma once
// Pretext tasks, a family: one file each in tasks/. A task draws a label for every clip, transforms
// the clip by it and asks which label it was, so that a network learns from clips nobody has
// answered for. It transforms *views*: runs of consecutive frames long enough for what it does,
// from which it takes the T frames the network sees. Letters here: N views, S frames of a view, T
// frames of a clip, m clips of a view, D features. Thread-safe.

#include <vector>

#include <torch/types.h>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"

namespace distal {

class PretextTask {
 public:
  virtual ~PretextTask() = default;
  /// The least S from which it makes clips of `frames` frames. Throws Error: clips too short for
  /// it.
  virtual int64_t view_frames(int64_t frames) const { return frames; }
  /// m: clips it makes of one view; its head sees their features side by side, [N, m D].
  virtual int64_t clips() const { return 1; }
  /// Outputs of its head: classes, or 1 for a number.
  virtual int64_t outputs() const = 0;
  /// float32 [N]: a label for each view, drawn evenly; class indices, or numbers.
  virtual torch::Tensor draw(int64_t views, int64_t frames, Random& random) const;
  /// views float32 [N, 3, S, H, W], S at least view_frames, and their labels [N] to clips float32
  /// [N m, 3, frames, H, W], those of a view one after another. Which T frames of a longer view are
  /// taken is drawn too.
  virtual torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels,
                                  int64_t frames, Random& random) const = 0;
  /// Of each view, [N], from the head's outputs [N, outputs()]: cross entropy, unless a task says
  /// otherwise.
  virtual torch::Tensor loss(const torch::Tensor& outputs, const torch::Tensor& labels) const;
  /// The mean loss of the best answer that looks at nothing: log(outputs()).
  virtual double chance(int64_t frames) const;
};

/// The clip as it is: one label, nothing to tell.
class NoTask final : public PretextTask {
 public:
  int64_t outputs() const override { return 1; }
  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override;
};

/// int64 [N, frames]: for view i frame numbers strides[i] apart, from a start drawn evenly over
/// those that fit into S.
torch::Tensor draw_windows(const torch::Tensor& views, const std::vector<int64_t>& strides,
                           int64_t frames, Random& random);

/// The frames of each view that `numbers` lists, int64 [N, T] or [N, m, T], as clips [N, 3, T, H,
/// W] or [N m, 3, T, H, W].
torch::Tensor pick_frames(const torch::Tensor& views, const torch::Tensor& numbers);

/// Rows of equal length as int64 [rows, length].
torch::Tensor table(const std::vector<std::vector<int64_t>>& rows);

}  // namespace distal
