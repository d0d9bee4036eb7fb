#pragma once
// The only door to FFmpeg: its headers, one owning pointer per C handle, and its error codes as errors with its own words.
// Only the sources of this room include this file. Its log is silent; what it has to say arrives as Error.

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace distal::ffmpeg {

struct Deleter {
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
struct CloseInput {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
};
struct CloseOutput {
  void operator()(AVFormatContext* p) const {
    avio_closep(&p->pb);
    avformat_free_context(p);
  }
};

using InputFormat = std::unique_ptr<AVFormatContext, CloseInput>;
using OutputFormat = std::unique_ptr<AVFormatContext, CloseOutput>;
using Codec = std::unique_ptr<AVCodecContext, Deleter>;
using Packet = std::unique_ptr<AVPacket, Deleter>;
using Frame = std::unique_ptr<AVFrame, Deleter>;
using Scaler = std::unique_ptr<SwsContext, Deleter>;

/// FFmpeg's sentence for an error code.
std::string words(int code);
/// Returns `code`; throws Error "what: FFmpeg's words" where it is negative.
int check(int code, std::string_view what);
Packet make_packet();
Frame make_frame();
/// A frame has pixels after it was received and until it is unreferenced.
inline bool filled(const Frame& frame) { return frame->buf[0] != nullptr; }

/// When to stop; FFmpeg asks while it reads, the decoder between frames. Wall time, unless the machine was so busy that
/// this thread ran for less than a quarter of it: a healthy video is not to blame for that, so it gets up to six times as long.
class Deadline {
 public:
  Deadline() = default;  // never
  explicit Deadline(double budget_s);
  bool passed() const;
  double budget_s() const { return budget_s_; }

 private:
  double budget_s_ = std::numeric_limits<double>::infinity(), thread_began_s_ = 0;
  std::chrono::steady_clock::time_point began_{};
};

/// An open file and its best video stream (owned by `format`).
struct Input {
  InputFormat format;
  AVStream* video = nullptr;
};

/// Throws Error: missing, not a file, empty.
void require_file(const std::string& path);
/// Opens a local file; `deadline` is borrowed and must outlive the result. Throws Error: unreadable, not a video, no video
/// stream (with the number of audio streams).
Input open_input(const std::string& path, const Deadline& deadline);
int audio_streams(const AVFormatContext& format);
/// A decoder of the stream with one thread. Throws Error: no decoder for this codec.
Codec open_decoder(const std::string& path, const AVStream& stream);
/// The next packet of any stream: 0, or AVERROR_EOF at the end, or the error after 32 attempts that all failed.
int read_packet(AVFormatContext& format, AVPacket& packet);
/// Whether 0 .. 255 are black and white (JPEG range), not 16 .. 235.
inline bool is_full_range(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P || frame.format == AV_PIX_FMT_YUVJ422P ||
         frame.format == AV_PIX_FMT_YUVJ444P || frame.format == AV_PIX_FMT_YUVJ440P;
}

/// Presentation times in the stream's time base, of frames in the order they are decoded from one place on: the container's
/// time, else FFmpeg's guess, else (the end of an AVI with B-frames) one step after the frame before.
class Clock {
 public:
  int64_t time_of(const AVFrame& frame) {
    int64_t time = frame.pts != AV_NOPTS_VALUE ? frame.pts : frame.best_effort_timestamp;
    if (time == AV_NOPTS_VALUE) time = began_ ? last_ + step_ : 0;
    if (began_ && time > last_) step_ = time - last_;
    began_ = true;
    return last_ = time;
  }

 private:
  bool began_ = false;
  int64_t last_ = 0, step_ = 1;
};

}  // namespace distal::ffmpeg
