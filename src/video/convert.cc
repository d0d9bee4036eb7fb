#include "video/convert.h"

#include <cstring>

namespace distal {
namespace {

constexpr int64_t kAlign = 64;

bool is_full_range(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  return frame.color_range == AVCOL_RANGE_JPEG || format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P ||
         format == AV_PIX_FMT_YUVJ444P || format == AV_PIX_FMT_YUVJ440P;
}

int matrix_of(const AVFrame& frame) {
  switch (frame.colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return SWS_CS_ITU601;
  }
}

/// Where the stored pixel (0, 0) goes, and how far its right and lower neighbours are, in pixels of the upright picture.
struct Turn {
  int64_t origin, right, down;
};

Turn turn(int rotation, int64_t height, int64_t width) {
  switch (rotation) {
    case 90: return {width - 1, width, -1};
    case 180: return {height * width - 1, -1, -width};
    case 270: return {(height - 1) * width, -width, 1};
    default: return {0, 1, width};
  }
}

}  // namespace

void Converter::prepare(const AVFrame& frame, int height, int width) {
  const bool shrinks = 2 * height < frame.height && 2 * width < frame.width;
  const auto format = static_cast<AVPixelFormat>(frame.format);
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format, width, height, AV_PIX_FMT_RGB24,
                                     shrinks ? SWS_AREA : SWS_BILINEAR, nullptr, nullptr, nullptr));
  if (!scaler_) fail("no conversion from {} to RGB in this FFmpeg", av_get_pix_fmt_name(format));
  const int* matrix = sws_getCoefficients(matrix_of(frame));
  sws_setColorspaceDetails(scaler_.get(), matrix, is_full_range(frame), matrix, 1, 0, 1 << 16, 1 << 16);
}

void Converter::convert(const AVFrame& frame, int rotation, int64_t height, int64_t width, uint8_t* rgb) {
  const bool lies = rotation % 180 != 0;
  const int64_t rows = lies ? width : height, columns = lies ? height : width;
  prepare(frame, static_cast<int>(rows), static_cast<int>(columns));
  const int64_t stride = (3 * columns + kAlign - 1) / kAlign * kAlign + kAlign;
  lying_.resize(static_cast<size_t>(stride * rows + 2 * kAlign));
  void* start = lying_.data();
  size_t space = lying_.size();
  auto* base = static_cast<uint8_t*>(std::align(kAlign, static_cast<size_t>(stride * rows), start, space));
  uint8_t* planes[4] = {base};
  const int strides[4] = {static_cast<int>(stride)};
  ffmpeg::check(sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, planes, strides), "conversion to RGB");

  const Turn t = turn(rotation, height, width);
  for (int64_t row = 0; row < rows; ++row) {
    const uint8_t* from = base + row * stride;
    uint8_t* to = rgb + 3 * (t.origin + row * t.down);
    if (rotation == 0) {
      std::memcpy(to, from, static_cast<size_t>(3 * columns));
      continue;
    }
    for (int64_t column = 0; column < columns; ++column) std::memcpy(to + 3 * column * t.right, from + 3 * column, 3);
  }
}

}  // namespace distal
