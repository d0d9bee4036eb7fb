#pragma once
// Clips of distal as the input of a network: the shape it wants, and pixels in its order and range.

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/networks/network.h"

namespace distal {

/// A port in words: `pixel_values: f32 [any, 3, 224, 224]`.
std::string port_text(const NetworkPort& port);
/// `any` for -1: `[any, 3, 224, 224]`.
std::string shape_text(const std::vector<int64_t>& shape);

/// The port that takes pictures: that of `name`; empty: the only one, or the only one that can be
/// pictures. A port without type and shape where the file does not say any. Throws Error
/// `place.input: ...` with what there is.
NetworkPort picture_port(const std::vector<NetworkPort>& inputs, const std::string& name,
                         const std::string& place);

/// The port of that name; empty: the only one. `place.output` begins messages. Without a name where
/// the file says no outputs.
NetworkPort answer_port(const std::vector<NetworkPort>& outputs, const std::string& name,
                        const std::string& place);

/// The layout that a shape says: nchw, nhwc, ncthw, nthwc or ntchw; empty: none, or several.
std::string layout_of(const std::vector<int64_t>& shape);

class InputForm {
 public:
  /// Throws Error: layout, size, frames, type or normalisation contradict the port, or neither says
  /// them. The messages say what the file takes.
  InputForm(const NetworkOptions& options, const NetworkPort& port, const std::string& place);

  int64_t size_px() const { return size_px_; }
  int64_t frames() const { return frames_; }  // of an item
  bool as_bytes() const { return as_bytes_; }
  bool channels_last() const { return interleaved_; }
  /// Of one item, without the batch.
  const std::vector<int64_t>& item() const { return item_; }
  int64_t item_bytes() const;
  /// Rows of a call that the file fixes; 0: any.
  int64_t batch() const { return batch_; }

  /// Throws Error: clips are not float32 [N, 3, T, size_px, size_px] with a T that it takes.
  void require(const torch::Tensor& clips, const std::string& place) const;
  /// Items of N clips of T frames: N, or N * T where an item is a single frame.
  int64_t items(const torch::Tensor& clips) const;
  /// Writes item i of contiguous clips: float32, or uint8 rounded to nearest.
  void write(const torch::Tensor& clips, int64_t i, void* to) const;

 private:
  std::string layout_;
  int64_t size_px_ = 0;
  int64_t frames_ = 1;
  int64_t batch_ = 0;
  bool as_bytes_ = false;
  bool interleaved_ = false;
  bool frames_first_ = false;  // ntchw
  std::vector<int64_t> item_;
  // value = pixel in [-1, 1] * scale + shift, of R, G, B; their position in the input
  float scale_[3] = {};
  float shift_[3] = {};
  int position_[3] = {0, 1, 2};
};

}  // namespace distal
