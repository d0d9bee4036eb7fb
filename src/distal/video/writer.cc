#include "distal/video/writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace distal {

using namespace ffmpeg;

namespace {

constexpr int kSampleRate = 44100;
constexpr int kJitter[] = {16, 10, 23, 13, 19, 8, 25, 14};  // 16ths of a frame; mean 16

/// Turns an upright picture back, so that a player that applies `rotation` shows it upright again.
std::vector<uint8_t> turned_back(const std::vector<uint8_t>& rgb, int64_t height, int64_t width,
                                 int rotation) {
  std::vector<uint8_t> lying(rgb.size());
  const int64_t columns = rotation % 180 == 0 ? width : height;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      int64_t row = y;
      int64_t column = x;
      if (rotation == 90) {
        row = width - 1 - x;
        column = y;
      }
      if (rotation == 180) {
        row = height - 1 - y;
        column = width - 1 - x;
      }
      if (rotation == 270) {
        row = x;
        column = height - 1 - y;
      }
      std::memcpy(&lying[static_cast<size_t>(3 * (row * columns + column))],
                  &rgb[static_cast<size_t>(3 * (y * width + x))], 3);
    }
  }
  return lying;
}

AVPixelFormat pixel_format(const AVCodec& codec, int width, int height) {
  const bool odd = width % 2 != 0 || height % 2 != 0;  // 4:2:0 needs even sides
  if (odd && codec.id == AV_CODEC_ID_H264) return AV_PIX_FMT_YUV444P;
  return codec.pix_fmts ? codec.pix_fmts[0] : AV_PIX_FMT_YUV420P;
}

/// AVERROR(EINVAL) is the muxer's word about times and sizes; all else comes from the disk.
void check_disk(int code, const std::string& path) {
  if (code < 0 && code != AVERROR(EINVAL))
    throw WriteError(fmt::format("{}: {}", path, words(code)));
  check(code, path);
}

template <class Work>
void on_disk(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    throw WriteError(error.what());
  }
}

void set_quality(AVCodecContext& codec, const SyntheticOptions& options) {
  if (options.codec != "libx264") {
    codec.flags |= AV_CODEC_FLAG_QSCALE;
    codec.global_quality = FF_QP2LAMBDA * 3;
    return;
  }
  av_opt_set(codec.priv_data, "preset", "veryfast", 0);
  av_opt_set_double(codec.priv_data, "crf", static_cast<double>(options.crf), 0);
  // With AVX-512 x264 (164) lets what was in memory into its macroblock tree: other bytes each
  // time.
  const bool leaks = (av_get_cpu_flags() & AV_CPU_FLAG_AVX512) != 0;
  av_opt_set(codec.priv_data, "x264-params",
             fmt::format("keyint={0}:min-keyint={0}:scenecut=0:b-adapt=0:open-gop={1}{2}",
                         options.gop, options.open_gop ? 1 : 0, leaks ? ":asm=AVX2" : "")
                 .c_str(),
             0);
}

/// What every browser decodes, with the colours that the scaler makes.
void suit_browsers(AVCodecContext& codec) {
  av_opt_set(codec.priv_data, "profile", "main", 0);
  codec.colorspace = AVCOL_SPC_SMPTE170M;
  codec.color_range = AVCOL_RANGE_MPEG;
}

}  // namespace

int64_t jittered_ticks(int64_t number) {
  return kJitter[static_cast<size_t>(number) % std::size(kJitter)];
}

VideoWriter::VideoWriter(const std::string& path, const SyntheticOptions& options,
                         const CopyTiming& timing)
    : path_(path), options_(options), packet_(make_packet()), durable_(timing.for_browser) {
  av_log_set_level(AV_LOG_QUIET);
  const AVOutputFormat* container = av_guess_format(nullptr, path.c_str(), nullptr);
  if (!container) fail("{}: unknown extension; use .mp4, .mkv, .avi or .ts", path);
  on_disk([&] { part_.emplace(path); });
  AVFormatContext* raw = nullptr;
  check(avformat_alloc_output_context2(&raw, container, nullptr, part_->name().c_str()), path);
  format_.reset(raw);
  format_->flags |= AVFMT_FLAG_BITEXACT;
  if (!timing.comment.empty())
    av_dict_set(&format_->metadata, "comment", timing.comment.c_str(), 0);
  if (options.frames > 0) add_video(timing);
  if (options.audio) add_audio();
  check_disk(avio_open(&format_->pb, ("file:" + part_->name()).c_str(), AVIO_FLAG_WRITE), path);
  write_header(timing);
}

void set_fragments(AVFormatContext& format) {
  format.avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
  av_opt_set(format.priv_data, "movflags",
             "+frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer", 0);
}

void VideoWriter::write_header(const CopyTiming& timing) {
  if (timing.fragments) {
    set_fragments(*format_);
  } else if (timing.for_browser) {
    // The muxer opens the file a second time, by its URL, to put the index before the frames.
    av_free(format_->url);
    format_->url = av_strdup(("file:" + part_->name()).c_str());
    av_opt_set(format_->priv_data, "movflags", "+faststart", 0);
  }
  check(avformat_write_header(format_.get(), nullptr), path_);
}

void VideoWriter::add_video(const CopyTiming& timing) {
  const AVRational& tick = timing.tick;
  const AVCodec* encoder = avcodec_find_encoder_by_name(options_.codec.c_str());
  if (!encoder) fail("{}: this FFmpeg has no encoder {}", path_, options_.codec);
  const bool lies = options_.rotation % 180 != 0;
  stored_width_ = static_cast<int>(lies ? options_.height : options_.width);
  stored_height_ = static_cast<int>(lies ? options_.width : options_.height);
  const AVRational rate = av_d2q(options_.rate, 4000);
  // AVI stores no times, only a rate; elsewhere a tick is a 16th of a frame.
  ticks_per_frame_ = std::string_view(format_->oformat->name) == "avi" ? 1 : 16;

  video_codec_.reset(avcodec_alloc_context3(encoder));
  AVCodecContext& codec = *video_codec_;
  codec.width = stored_width_;
  codec.height = stored_height_;
  codec.pix_fmt = pixel_format(*encoder, stored_width_, stored_height_);
  codec.time_base =
      tick.num > 0 ? tick : AVRational{rate.den, rate.num * static_cast<int>(ticks_per_frame_)};
  codec.framerate = rate;
  codec.gop_size = static_cast<int>(options_.gop);
  codec.max_b_frames = static_cast<int>(options_.b_frames);
  codec.thread_count = 1;
  codec.flags |= AV_CODEC_FLAG_BITEXACT;
  if ((format_->oformat->flags & AVFMT_GLOBALHEADER) != 0)
    codec.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  set_quality(codec, options_);
  if (timing.for_browser) suit_browsers(codec);
  check(avcodec_open2(&codec, encoder, nullptr), path_ + ": " + options_.codec);

  video_ = avformat_new_stream(format_.get(), nullptr);
  check(avcodec_parameters_from_context(video_->codecpar, &codec), path_);
  video_->time_base = codec.time_base;
  video_->avg_frame_rate = rate;
  if (options_.rotation != 0) {
    auto* matrix = av_stream_new_side_data(video_, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
    av_display_rotation_set(reinterpret_cast<int32_t*>(matrix), options_.rotation);
  }
  next_tick_ = std::llround(options_.first_s / av_q2d(codec.time_base));
  picture_ = make_frame();
  picture_->format = codec.pix_fmt;
  picture_->width = stored_width_;
  picture_->height = stored_height_;
  check(av_frame_get_buffer(picture_.get(), 0), path_);
  scaler_.reset(sws_getContext(stored_width_, stored_height_, AV_PIX_FMT_RGB24, stored_width_,
                               stored_height_, codec.pix_fmt, SWS_BILINEAR, nullptr, nullptr,
                               nullptr));
}

void VideoWriter::add_audio() {
  const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_AAC);
  if (!encoder) fail("{}: this FFmpeg has no AAC encoder", path_);
  audio_codec_.reset(avcodec_alloc_context3(encoder));
  AVCodecContext& codec = *audio_codec_;
  codec.sample_fmt = AV_SAMPLE_FMT_FLTP;
  codec.sample_rate = kSampleRate;
  codec.time_base = {1, kSampleRate};
  codec.bit_rate = 32000;
  codec.flags |= AV_CODEC_FLAG_BITEXACT;
  av_channel_layout_default(&codec.ch_layout, 1);
  if ((format_->oformat->flags & AVFMT_GLOBALHEADER) != 0)
    codec.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  check(avcodec_open2(&codec, encoder, nullptr), path_ + ": aac");

  audio_ = avformat_new_stream(format_.get(), nullptr);
  check(avcodec_parameters_from_context(audio_->codecpar, &codec), path_);
  audio_->time_base = codec.time_base;
  silence_ = make_frame();
  silence_->format = codec.sample_fmt;
  silence_->nb_samples = codec.frame_size;
  check(av_channel_layout_copy(&silence_->ch_layout, &codec.ch_layout), path_);
  check(av_frame_get_buffer(silence_.get(), 0), path_);
  std::memset(silence_->data[0], 0, static_cast<size_t>(silence_->linesize[0]));
}

void VideoWriter::encode(AVCodecContext& codec, AVStream& stream, const AVFrame* frame) {
  check(avcodec_send_frame(&codec, frame), path_);
  while (avcodec_receive_packet(&codec, packet_.get()) >= 0) {
    av_packet_rescale_ts(packet_.get(), codec.time_base, stream.time_base);
    packet_->stream_index = stream.index;
    check_disk(av_interleaved_write_frame(format_.get(), packet_.get()), path_);
  }
}

void VideoWriter::write_silence(double until_s) {
  while (audio_ && static_cast<double>(next_sample_) / kSampleRate < until_s) {
    silence_->pts = next_sample_;
    next_sample_ += silence_->nb_samples;
    encode(*audio_codec_, *audio_, silence_.get());
  }
}

int64_t VideoWriter::ticks_of_frame() const {
  return options_.variable_rate ? jittered_ticks(next_frame_) : ticks_per_frame_;
}

void VideoWriter::add(const std::vector<uint8_t>& rgb) {
  add(rgb, next_tick_, ticks_of_frame());
  ++next_frame_;
}

void VideoWriter::add(const std::vector<uint8_t>& rgb, int64_t tick, int64_t ticks) {
  expect(video_ != nullptr, "pictures go to a file with a video stream");
  expect(static_cast<int64_t>(rgb.size()) == 3 * options_.height * options_.width,
         "a picture has the size of the options");
  lying_ = turned_back(rgb, options_.height, options_.width, options_.rotation);
  lying_.resize(
      lying_.size() +
      AV_INPUT_BUFFER_PADDING_SIZE);  // the scaler reads whole vectors, past the last row too
  check(av_frame_make_writable(picture_.get()), path_);
  const uint8_t* from[4] = {lying_.data()};
  const int stride[4] = {3 * stored_width_};
  sws_scale(scaler_.get(), from, stride, 0, stored_height_, picture_->data, picture_->linesize);
  picture_->pts = tick;
  picture_->pkt_duration = ticks;
  encode(*video_codec_, *video_, picture_.get());
  next_tick_ = tick + ticks;
  write_silence(static_cast<double>(next_tick_) * av_q2d(video_codec_->time_base));
}

void VideoWriter::finish() {
  if (!video_) write_silence(1);
  if (video_) encode(*video_codec_, *video_, nullptr);
  if (audio_) encode(*audio_codec_, *audio_, nullptr);
  check_disk(av_write_trailer(format_.get()), path_);
  check_disk(avio_closep(&format_->pb), path_);
  on_disk([&] {
    if (durable_) part_->write("");
    part_->publish(path_);
  });
}

}  // namespace distal
