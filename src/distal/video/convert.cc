#include "distal/video/convert.h"

#include <cstring>

namespace distal {
namespace {

constexpr int64_t kAlign = 64;

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

/// Where the stored pixel (0, 0) goes, and how far its right and lower neighbours are, in pixels of
/// the upright picture.
struct Turn {
  int64_t origin, right, down;
};

Turn turned(int rotation, int64_t height, int64_t width) {
  switch (rotation) {
    case 90: return {width - 1, width, -1};
    case 180: return {height * width - 1, -1, -width};
    case 270: return {(height - 1) * width, -width, 1};
    default: return {0, 1, width};
  }
}

/// `rows`: of the stored picture.
Turn turn(int rotation, bool mirrored, int64_t rows, int64_t height, int64_t width) {
  Turn turn = turned(rotation, height, width);
  if (mirrored) {
    turn.origin += (rows - 1) * turn.down;
    turn.down = -turn.down;
  }
  return turn;
}

bool is_planar_420(const AVFrame& frame) {
  return frame.format == AV_PIX_FMT_YUV420P || frame.format == AV_PIX_FMT_YUVJ420P;
}

int method(const AVFrame& frame, int height, int width) {
  return 2 * height < frame.height && 2 * width < frame.width ? SWS_AREA : SWS_BILINEAR;
}

}  // namespace

/// Values keep their range and matrix. The fast path to RGB wants pairs of rows: an odd height gets
/// one more, never shown.
void Converter::scale_planes(const AVFrame& frame, int height, int width) {
  const int even = height + height % 2;
  if (small_->width != width || small_->height != even) {
    av_frame_unref(small_.get());
    small_->format = AV_PIX_FMT_YUV420P;
    small_->width = width;
    small_->height = even;
    ffmpeg::check(av_frame_get_buffer(small_.get(), 0), "a scaled picture");
    std::memset(small_->data[0], 0,
                static_cast<size_t>(small_->linesize[0]) * static_cast<size_t>(even));
  }
  plane_scaler_.reset(sws_getCachedContext(
      plane_scaler_.release(), frame.width, frame.height, AV_PIX_FMT_YUV420P, width, height,
      AV_PIX_FMT_YUV420P, method(frame, height, width), nullptr, nullptr, nullptr));
  if (!plane_scaler_)
    fail("no scaling from {}x{} to {}x{} in this FFmpeg", frame.width, frame.height, width, height);
  ffmpeg::check(sws_scale(plane_scaler_.get(), frame.data, frame.linesize, 0, frame.height,
                          small_->data, small_->linesize),
                "scaling");
}

void Converter::to_rgb(const AVFrame& picture, const AVFrame& declared, int height, int width,
                       uint8_t* rows, int stride) {
  const auto format = static_cast<AVPixelFormat>(picture.format);
  rgb_scaler_.reset(sws_getCachedContext(
      rgb_scaler_.release(), picture.width, picture.height, format, width, height, AV_PIX_FMT_RGB24,
      method(picture, height, width), nullptr, nullptr, nullptr));
  if (!rgb_scaler_)
    fail("no conversion from {} to RGB in this FFmpeg", av_get_pix_fmt_name(format));
  const int* matrix = sws_getCoefficients(matrix_of(declared));
  sws_setColorspaceDetails(rgb_scaler_.get(), matrix, ffmpeg::is_full_range(declared), matrix, 1, 0,
                           1 << 16, 1 << 16);
  uint8_t* const planes[4] = {rows};
  const int strides[4] = {stride};
  ffmpeg::check(sws_scale(rgb_scaler_.get(), picture.data, picture.linesize, 0, picture.height,
                          planes, strides),
                "conversion to RGB");
}

void Converter::convert(const AVFrame& frame, int rotation, int64_t height, int64_t width,
                        uint8_t* rgb, bool mirrored) {
  const bool lies = rotation % 180 != 0;
  const int64_t rows = lies ? width : height;
  const int64_t columns = lies ? height : width;
  const int64_t stride = (3 * columns + kAlign - 1) / kAlign * kAlign + kAlign;
  lying_.resize(static_cast<size_t>(stride * (rows + 1) + 2 * kAlign));
  void* start = lying_.data();
  size_t space = lying_.size();
  auto* base =
      static_cast<uint8_t*>(std::align(kAlign, static_cast<size_t>(stride * rows), start, space));
  const int row_count = static_cast<int>(rows);
  const int column_count = static_cast<int>(columns);
  if (is_planar_420(frame) && (frame.height != rows || frame.width != columns)) {
    scale_planes(frame, row_count, column_count);
    to_rgb(*small_, frame, small_->height, column_count, base, static_cast<int>(stride));
  } else {
    to_rgb(frame, frame, row_count, column_count, base, static_cast<int>(stride));
  }

  const Turn t = turn(rotation, mirrored, rows, height, width);
  for (int64_t row = 0; row < rows; ++row) {
    const uint8_t* from = base + row * stride;
    uint8_t* to = rgb + 3 * (t.origin + row * t.down);
    if (rotation == 0) {
      std::memcpy(to, from, static_cast<size_t>(3 * columns));
      continue;
    }
    for (int64_t column = 0; column < columns; ++column)
      std::memcpy(to + 3 * column * t.right, from + 3 * column, 3);
  }
}

}  // namespace distal
