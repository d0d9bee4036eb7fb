#pragma once
// Frames without a copy: pointers into a mapped cache file or into a tensor, and an owner that
// keeps the memory alive.

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/types.h>

namespace distal {

struct FrameView {
  std::vector<const uint8_t*> frames;  // T pointers to uint8 [H, W, 3], RGB; read only
  int64_t height = 0;
  int64_t width = 0;
  std::shared_ptr<const void> keep;  // the pointers are valid while this lives

  int64_t size() const { return static_cast<int64_t>(frames.size()); }
  int64_t frame_bytes() const { return height * width * 3; }
  /// uint8 [T, H, W, 3], read only. Copies the frames unless they are contiguous.
  torch::Tensor tensor() const;
  /// A view of a tensor uint8 [T, H, W, 3]. Copies the tensor unless each frame is contiguous.
  static FrameView of(const torch::Tensor& frames);
};

}  // namespace distal
