#pragma once
// One decoded picture to upright RGB of the wanted size. Range (limited, full) and matrix (BT.601, 709, 2020) are those the
// frame declares; BT.601 limited where it declares nothing, as FFmpeg does. Bilinear; area where it shrinks below half.
// One Converter belongs to one thread at a time.

#include <cstdint>
#include <vector>

#include "video/ffmpeg.h"

namespace distal {

class Converter {
 public:
  /// Writes uint8 [height, width, 3] to `rgb` after turning the picture `rotation` degrees clockwise (0, 90, 180, 270).
  void convert(const AVFrame& frame, int rotation, int64_t height, int64_t width, uint8_t* rgb);

 private:
  void prepare(const AVFrame& frame, int height, int width);

  ffmpeg::Scaler scaler_;
  std::vector<uint8_t> lying_;  // as stored, before rotation; rows padded, for the scaler writes whole vectors
};

}  // namespace distal
