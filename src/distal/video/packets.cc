#include "distal/video/packets.h"

#include <limits>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/video/writer.h"

namespace distal {

using namespace ffmpeg;

namespace {

constexpr double kPacketDeadline_s = 60;

/// An MP4 in fragments with one stream, that of another file.
class PacketFile {
 public:
  PacketFile(const std::string& path, const AVStream& from, const std::string& comment)
      : path_(path), part_(path) {
    AVFormatContext* raw = nullptr;
    check(avformat_alloc_output_context2(&raw, nullptr, "mp4", part_.name().c_str()), path);
    format_.reset(raw);
    format_->flags |= AVFMT_FLAG_BITEXACT;
    av_dict_set(&format_->metadata, "comment", comment.c_str(), 0);
    stream_ = avformat_new_stream(raw, nullptr);
    check(avcodec_parameters_copy(stream_->codecpar, from.codecpar), path);
    stream_->codecpar->codec_tag = 0;  // that of MP4
    stream_->time_base = from.time_base;
    check(avio_open(&raw->pb, ("file:" + part_.name()).c_str(), AVIO_FLAG_WRITE), path);
    set_fragments(*raw);
    check(avformat_write_header(raw, nullptr), path);
  }

  void add(AVPacket& packet, AVRational tick) {
    av_packet_rescale_ts(&packet, tick, stream_->time_base);
    packet.stream_index = 0;
    packet.pos = -1;
    check(av_interleaved_write_frame(format_.get(), &packet), path_);
  }

  void publish() {
    check(av_write_trailer(format_.get()), path_);
    check(avio_closep(&format_->pb), path_);
    part_.write("");
    part_.publish(path_);
  }

 private:
  std::string path_;
  UnfinishedFile part_;  // written by FFmpeg, so it goes after format_
  OutputFormat format_;
  AVStream* stream_ = nullptr;
};

class PacketCopy {
 public:
  PacketCopy(const VideoInfo& info, FrameSpan span, const std::string& path,
             const std::string& comment)
      : deadline_(kPacketDeadline_s),
        input_(open_input(info.path, deadline_, info.stream)),
        out_(path, *input_.video, comment),
        missing_(span.end - span.first),
        start_pts_(info.pts.front()),
        first_pts_(pts_of(info, span.first)),
        end_pts_(pts_of(info, span.end)) {}

  bool run() {
    if (av_seek_frame(input_.format.get(), input_.video->index, first_pts_, AVSEEK_FLAG_BACKWARD) <
        0)
      return false;
    const Packet packet = make_packet();
    Took took = Took::skipped;
    while (took != Took::last && read_packet(*input_.format, *packet) >= 0) {
      check_interrupted();
      took = packet->stream_index == input_.video->index ? take(*packet) : Took::skipped;
      av_packet_unref(packet.get());
      if (took == Took::odd) return false;
    }
    if (missing_ != 0) return false;
    out_.publish();
    return true;
  }

 private:
  enum class Took { skipped, written, last, odd };

  static int64_t pts_of(const VideoInfo& info, int64_t frame) {
    return frame < info.frames() ? info.pts[static_cast<size_t>(frame)]
                                 : std::numeric_limits<int64_t>::max();
  }

  // What lies before the part is passed over, and what begins the next one ends it.
  Took take(AVPacket& packet) {
    const bool key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
    if (!begun_ && !(key && packet.pts == first_pts_)) return Took::skipped;
    begun_ = true;
    if (key && packet.pts >= end_pts_) return Took::last;
    const bool fits = packet.pts >= first_pts_ && packet.pts < end_pts_ &&
                      packet.dts != AV_NOPTS_VALUE && packet.dts >= start_pts_ && missing_ > 0;
    if (!fits) return Took::odd;
    packet.pts -= start_pts_;
    packet.dts -= start_pts_;
    out_.add(packet, input_.video->time_base);
    --missing_;
    return Took::written;
  }

  Deadline deadline_;
  Input input_;
  PacketFile out_;
  int64_t missing_;  // packets
  int64_t start_pts_, first_pts_, end_pts_;
  bool begun_ = false;
};

}  // namespace

bool copy_packets(const VideoInfo& info, FrameSpan span, const std::string& path,
                  const std::string& comment) {
  expect(0 <= span.first && span.first < span.end && span.end <= info.frames(),
         "a part has frames of the video");
  return PacketCopy(info, span, path, comment).run();
}

}  // namespace distal
