#include "distal/video/playback.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "distal/video/bitstream.h"

namespace distal::ffmpeg {
namespace {

/// The times that FFmpeg's command line gives to packets, in microseconds.
class PacketTimes {
 public:
  PacketTimes(const AVFormatContext& format, const AVStream& stream, const AVCodecContext& codec)
      : stream_(stream),
        codec_(codec),
        joins_((format.iformat->flags & AVFMT_TS_DISCONT) != 0),
        start_(static_cast<double>(format.start_time == AV_NOPTS_VALUE ? 0 : format.start_time)) {}

  enum class Join { none, back, ahead };

  /// In formats whose recordings may be put together, times that run back or jump ahead go on where
  /// those before them end.
  Join join(AVPacket& packet) {
    if (!joins_) return Join::none;
    shift(packet, shift_);
    if (packet.dts == AV_NOPTS_VALUE || !next_) return Join::none;
    const auto dts = static_cast<double>(microseconds(packet.dts));
    if (dts + kSecond / 10 >= std::max(shown_, dts_) && std::abs(dts - *next_) <= kJump_s * kSecond)
      return Join::none;
    const int64_t back =
        av_rescale_q(static_cast<int64_t>(*next_ - dts), AV_TIME_BASE_Q, stream_.time_base);
    shift(packet, back);
    shift_ += back;
    return dts < *next_ ? Join::back : Join::ahead;
  }
  /// A frame came out: the next packet is held against the ends of that frame and of its own
  /// packet.
  void shown(int64_t time, int64_t duration) {
    if (time != AV_NOPTS_VALUE)
      shown_ = static_cast<double>(microseconds(time)) +
               (duration > 0 ? static_cast<double>(microseconds(duration)) : step_);
    if (next_) dts_ = *next_;
  }

  /// Of the next packet, in the stream's time base.
  int64_t of(const AVPacket& packet) {
    if (!next_)
      next_ = start_ - (stream_.avg_frame_rate.num > 0
                            ? codec_.has_b_frames * kSecond / av_q2d(stream_.avg_frame_rate)
                            : 0);
    if (packet.dts != AV_NOPTS_VALUE) next_ = static_cast<double>(microseconds(packet.dts));
    return last(packet.duration);
  }
  /// Of what comes after the last packet.
  int64_t after() { return last(0); }

 private:
  static constexpr double kSecond = AV_TIME_BASE;

  int64_t microseconds(int64_t ticks) const {
    return av_rescale_q(ticks, stream_.time_base, AV_TIME_BASE_Q);
  }
  static void shift(AVPacket& packet, int64_t ticks) {
    if (packet.dts != AV_NOPTS_VALUE) packet.dts += ticks;
    if (packet.pts != AV_NOPTS_VALUE) packet.pts += ticks;
  }

  int64_t last(int64_t duration) {
    if (!next_) return AV_NOPTS_VALUE;
    const double now = dts_ = *next_;
    double step = 0;
    if (duration > 0)
      step = static_cast<double>(microseconds(duration));
    else if (codec_.framerate.num > 0 && codec_.framerate.den > 0)
      step = kSecond / av_q2d(codec_.framerate) * part_of_frame();
    *next_ += step_ = step;
    return av_rescale_q(static_cast<int64_t>(now), AV_TIME_BASE_Q, stream_.time_base);
  }

  /// Of a frame's time, for pictures that are a field or repeat one.
  double part_of_frame() const {
    const AVCodecParserContext* parser = av_stream_get_parser(&stream_);
    return parser ? (parser->repeat_pict + 1.0) / codec_.ticks_per_frame : 1;
  }

  const AVStream& stream_;
  const AVCodecContext& codec_;
  bool joins_;
  double start_;       // of the file, where packets without times begin
  int64_t shift_ = 0;  // ticks
  double shown_ = 0;   // the end of the last frame
  double dts_ = 0;     // where the last packet stands
  double step_ = 0;    // of the last packet
  std::optional<double> next_;
};

class Player {
 public:
  Player(const std::string& path, const Deadline& deadline)
      : path_(path),
        deadline_(deadline),
        input_(open_input(path, deadline)),
        codec_(open_decoder(path, *input_.video)),
        bitstream_(*input_.video),
        times_(*input_.format, *input_.video, *codec_) {
    keep_video_alone(input_);
  }

  Playback run() {
    while (read_packet(*input_.format, *packet_) >= 0) {
      deadline_.require_time(path_, "decoding it whole, which its index makes necessary,");
      if (packet_->stream_index == input_.video->index && !is_empty(*packet_)) send(packet_.get());
      av_packet_unref(packet_.get());
    }
    require_disk(path_, *input_.format);
    send(nullptr);
    return std::move(played_);
  }

 private:
  void send(AVPacket* packet) {
    if (packet) {
      picture_ = bitstream_.look(*packet).picture;
      const auto join = times_.join(*packet);
      played_.joined |= join == PacketTimes::Join::back;
      played_.jumped |= join == PacketTimes::Join::ahead;
      packet->dts = times_.of(*packet);
      codec_->reordered_opaque = is_spoilt(*packet, input_);
    }
    int code;
    while ((code = avcodec_send_packet(codec_.get(), packet)) == AVERROR(EAGAIN)) receive();
    if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
    if (code < 0) refused();
    receive(!packet);
  }

  void receive(bool draining = false) {
    for (;;) {
      deadline_.require_time(path_, "decoding it whole, which its index makes necessary,");
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
      if (code < 0)
        refused();
      else
        take(draining);
    }
  }

  void refused() {
    require_frame_bytes(path_, *codec_);
    played_.faults += picture_;
  }

  void take(bool draining) {
    const AVFrame& frame = *frame_;
    PlayedFrame played{frame.pts, frame.best_effort_timestamp, frame.pkt_duration,
                       frame.pict_type == AV_PICTURE_TYPE_I,
                       is_sound(frame) && frame.reordered_opaque != 1};
    if (draining && played.time == AV_NOPTS_VALUE) played.time = times_.after();
    times_.shown(played.time, frame.pkt_duration);
    played_.faults += !played.sound;
    if (played_.frames.empty()) played_.first.reset(av_frame_clone(frame_.get()));
    played_.frames.push_back(played);
  }

  const std::string& path_;
  const Deadline& deadline_;
  Input input_;
  Codec codec_;
  Bitstream bitstream_;
  bool picture_ = true;  // the last packet holds one
  PacketTimes times_;
  Packet packet_ = make_packet();
  Frame frame_ = make_frame();
  Playback played_;
};

}  // namespace

bool counts_packets(const AVInputFormat& format) {
  return std::string_view(format.name) == "mpegts";
}

bool is_spoilt(const AVPacket& packet, const Input& input) {
  if ((packet.flags & AV_PKT_FLAG_CORRUPT) == 0) return false;
  if (!counts_packets(*input.format->iformat)) return true;
  const AVCodecDescriptor* about = avcodec_descriptor_get(input.video->codecpar->codec_id);
  return about != nullptr && (about->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
}

void keep_video_alone(Input& input) {
  for (unsigned i = 0; i < input.format->nb_streams; ++i) {
    AVStream* stream = input.format->streams[i];
    stream->discard = stream == input.video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
}

Playback play(const std::string& path, const Deadline& deadline) {
  return Player(path, deadline).run();
}

std::vector<double> ascending_ticks(const std::vector<PlayedFrame>& frames) {
  constexpr size_t kTurn = 16;  // frames within which one that is out of turn is overtaken
  std::vector<double> ticks;
  double shift = 0;
  double step = 1;
  double most = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    const auto shifted = [&](size_t at) { return static_cast<double>(frames[at].time) + shift; };
    if (frames[i].time == AV_NOPTS_VALUE) {
      ticks.push_back(i == 0 ? 0 : most + step);
    } else {
      if (i > 0 && shifted(i) < most) {
        bool overtaken = false;
        for (size_t at = i + 1; at < std::min(frames.size(), i + kTurn); ++at)
          overtaken |= frames[at].time != AV_NOPTS_VALUE && shifted(at) > most;
        if (!overtaken) shift += most + step - shifted(i);
      }
      ticks.push_back(shifted(i));
    }
    if (i == 0) {
      most = ticks[0];
      step = frames[0].duration > 0 ? static_cast<double>(frames[0].duration) : step;
    }
    if (ticks[i] > most)
      step = frames[i].duration > 0 ? static_cast<double>(frames[i].duration) : ticks[i] - most;
    most = std::max(most, ticks[i]);
  }
  for (size_t i = 1; i < ticks.size(); ++i) {
    if (ticks[i] > ticks[i - 1]) continue;
    size_t next = i;
    while (next < ticks.size() && ticks[next] <= ticks[i - 1]) ++next;
    const double begin = ticks[i - 1];
    const double usual = i > 1 ? (begin - ticks[0]) / static_cast<double>(i - 1) : step;
    const double share = next < ticks.size()
                             ? (ticks[next] - begin) / static_cast<double>(next - i + 1)
                             : std::min(step, usual);
    for (size_t at = i; at < next; ++at)
      ticks[at] = begin + share * static_cast<double>(at - i + 1);
  }
  return ticks;
}

}  // namespace distal::ffmpeg
