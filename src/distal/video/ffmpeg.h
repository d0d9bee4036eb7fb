#pragma once
// The only door to FFmpeg: its headers, one owning pointer per C handle, and its error codes as
// errors, in our words. Only the sources of this room include this file. Its log is silent; what it
// has to say arrives as Error.

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/cpu.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "distal/base/error.h"

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

/// What an error code of FFmpeg means, in our words.
std::string words(int code);
/// Returns `code`; throws Error "what: words" where it is negative.
int check(int code, std::string_view what);
Packet make_packet();
Frame make_frame();
/// A frame has pixels after it was received and until it is unreferenced.
inline bool filled(const Frame& frame) { return frame->buf[0] != nullptr; }

/// When to stop; FFmpeg asks while it reads, the decoder between frames. Wall time, less the time
/// this thread stood ready and got no processor: a healthy video is not to blame for a busy
/// machine, while a disk that does not answer counts. Six times the budget in wall time ends it
/// whatever the reason. For the thread that made it.
class Deadline {
 public:
  Deadline() = default;  // never
  explicit Deadline(double budget_s);
  bool passed() const;
  double budget_s() const { return budget_s_; }
  /// Throws Error "path: what took longer than ... s" where it has passed.
  void require_time(const std::string& path, const char* what) const;

 private:
  double budget_s_ = std::numeric_limits<double>::infinity();
  double queued_before_s_ = 0;
  std::chrono::steady_clock::time_point began_{};
};

/// An open file and its best video stream (owned by `format`).
struct Input {
  InputFormat format;
  AVStream* video = nullptr;
};

/// Throws Error: missing, not a file, empty.
void require_file(const std::string& path);
/// Opens a local file; `deadline` is borrowed and must outlive the result. Only formats whose one
/// file holds all are read (a list of those allowed, ffmpeg.cc), through FFmpeg's protocol `file`,
/// and nothing else is opened on their behalf: no playlist, manifest, reference of an MP4 or row of
/// images reaches another file. `stream`: the video's number where it is known; -1 chooses. Throws
/// Error: unreadable, not a video, no video stream (with the number of audio streams), deadline.
Input open_input(const std::string& path, const Deadline& deadline, int stream = -1);
/// How a source that is no file is opened (video/live_input.h). Only its address is, by these
/// protocols, and nothing on its behalf.
struct SourceDoor {
  std::string url;
  const AVInputFormat* format = nullptr;  // null: the formats of files; the bytes come from `bytes`
  AVIOContext* bytes = nullptr;           // borrowed
  std::string protocols;                  // FFmpeg's names; empty: none
  AVDictionary* options = nullptr;        // of the format; freed by open_source
  AVIOInterruptCB patience = {};          // FFmpeg asks it while it waits
  bool never_waits = false;               // reading returns AVERROR(EAGAIN) where nothing came
  // Is told before anything is opened; may be empty.
  std::function<void(const AVFormatContext&)> opens = {};
};
/// Throws Error `name: ...`: it cannot be opened, not a video, no video stream.
Input open_source(SourceDoor door, const std::string& name);
int audio_streams(const AVFormatContext& format);
/// The largest picture that is read: a side in pixels, the long side over the short one, pixels,
/// and bytes as decoded. Beyond it memory for a few frames becomes gigabytes.
constexpr int kMostSide_px = 16384;
constexpr int kMostAspect = 64;
constexpr int64_t kMostPixels = int64_t{8192} * 8192;
constexpr int64_t kMostFrameBytes = int64_t{256} << 20;
/// A decoder of the stream with one thread that refuses larger pictures, also in mid-stream. Throws
/// Error: no decoder for this codec.
Codec open_decoder(const std::string& path, const AVStream& stream);
/// Throws Error with the limit where a picture of these sides, or of those that the decoder met
/// last, goes beyond it. Sides of 0: not known.
void require_size(const std::string& path, int width, int height);
void require_frame_bytes(const std::string& path, const AVCodecContext& codec);
/// The next packet of any stream: 0, or AVERROR_EOF at the end, or the error after 32 attempts that
/// all failed, or the disk's error, which some demuxers take for an end.
int read_packet(AVFormatContext& format, AVPacket& packet);
/// Whether the disk, not the demuxer, failed since the file was opened.
inline bool disk_failed(const AVFormatContext& format) {
  const int code = format.pb != nullptr ? format.pb->error : 0;
  return code < 0 && code != AVERROR_EOF && code != AVERROR_EXIT;
}
/// Throws Error where it did: what is missing then is no damage of the file.
void require_disk(const std::string& path, const AVFormatContext& format);
/// Whether 0 .. 255 are black and white (JPEG range), not 16 .. 235.
inline bool is_full_range(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
         frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P ||
         frame.format == AV_PIX_FMT_YUVJ440P;
}

/// Whether FFmpeg patched nothing in it.
inline bool is_sound(const AVFrame& frame) {
  return frame.decode_error_flags == 0 && (frame.flags & AV_FRAME_FLAG_CORRUPT) == 0;
}

/// How the stored picture becomes upright: turned upside down first where `mirrored`, then turned
/// clockwise.
struct Orientation {
  int rotation = 0;  // degrees: 0, 90, 180, 270
  bool mirrored = false;
};
/// Of a display matrix [9] in FFmpeg's order: a pixel's right neighbour lies at (m[0], m[1]), its
/// lower one at (m[3], m[4]) of the picture as shown. The same eight cases as FFmpeg's own player
/// (fftools/ffmpeg_filter.c, autorotate).
Orientation orientation_of(const int32_t* matrix);
/// As the frame itself says (a message in H.264 or HEVC), else as the container says of its stream;
/// FFmpeg's order of precedence.
Orientation orientation_of(const AVFrame& frame, const AVStream& stream);

}  // namespace distal::ffmpeg
