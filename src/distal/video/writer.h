#pragma once
// RGB pictures in, a video file out; the container follows the path's extension (.mp4, .mkv, .avi,
// .ts). The same pictures give the same bytes. The file appears under its name when it is complete.
// One VideoWriter belongs to one thread at a time.

#include <optional>
#include <string>
#include <vector>

#include "distal/base/files.h"
#include "distal/video/ffmpeg.h"
#include "distal/video/synthetic.h"

namespace distal {

/// How long frame `number` stays under `variable_rate`, in 16ths of a frame's usual time; the mean
/// of eight is 16.
int64_t jittered_ticks(int64_t number);

/// For copies, whose times are given: the tick they are counted in, s, and a remark in the file's
/// metadata.
struct CopyTiming {
  AVRational tick = {0, 1};  // 0: the options' rate
  std::string comment;
  // H.264's Main profile, colours declared (BT.601, limited range), the index of an MP4 before its
  // frames, on the disk before it has its name.
  bool for_browser = false;
  // An MP4 in fragments, one a group of pictures, at the times that are given (set_fragments); its
  // index stands in them.
  bool fragments = false;
};

/// Makes an MP4 one that a page can append to a MediaSource: in fragments, each packet at its own
/// time, also where the first is not 0. Before the header is written.
void set_fragments(AVFormatContext& format);

/// The file cannot be written: the disk or the folder is to blame, not the pictures.
class WriteError : public Error {
 public:
  using Error::Error;
};

class VideoWriter {
 public:
  /// `options.frames` == 0 makes a file without a video stream. Throws Error: unknown extension or
  /// codec; WriteError: folder missing.
  VideoWriter(const std::string& path, const SyntheticOptions& options,
              const CopyTiming& timing = {});
  ~VideoWriter() = default;  // what was not finished goes

  /// `rgb`: uint8 [height, width, 3], upright.
  void add(const std::vector<uint8_t>& rgb);
  /// The same, shown from `tick` on for so many ticks.
  void add(const std::vector<uint8_t>& rgb, int64_t tick, int64_t ticks);
  void finish();

 private:
  void add_video(const CopyTiming& timing);
  void write_header(const CopyTiming& timing);
  void add_audio();
  void encode(AVCodecContext& codec, AVStream& stream, const AVFrame* frame);
  void write_silence(double until_s);
  int64_t ticks_of_frame() const;

  std::string path_;
  std::optional<UnfinishedFile> part_;  // written by FFmpeg, so it goes after format_
  SyntheticOptions options_;
  int64_t ticks_per_frame_ = 1;
  int64_t next_frame_ = 0;
  int64_t next_tick_ = 0;
  int64_t next_sample_ = 0;
  int stored_width_ = 0;
  int stored_height_ = 0;
  ffmpeg::OutputFormat format_;
  ffmpeg::Codec video_codec_, audio_codec_;
  AVStream* video_ = nullptr;
  AVStream* audio_ = nullptr;
  ffmpeg::Scaler scaler_;
  ffmpeg::Frame picture_, silence_;
  ffmpeg::Packet packet_;
  std::vector<uint8_t> lying_;
  bool durable_ = false;
};

}  // namespace distal
