#include "distal/video/picture_video.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/video/convert.h"

namespace distal {

using namespace ffmpeg;

namespace {

constexpr size_t kMostNamed = 8;
constexpr int kFinestRate = 1'000'000;  // denominators of rates: 29.97 becomes 2997/100

AVCodecID picture_codec(const std::string& bytes) {
  struct Magic {
    std::string_view begin;
    AVCodecID codec;
  };
  static const std::array<Magic, 6> kinds = {{{"\xFF\xD8\xFF", AV_CODEC_ID_MJPEG},
                                              {"\x89PNG\r\n\x1A\n", AV_CODEC_ID_PNG},
                                              {"BM", AV_CODEC_ID_BMP},
                                              {std::string_view("II*\0", 4), AV_CODEC_ID_TIFF},
                                              {std::string_view("MM\0*", 4), AV_CODEC_ID_TIFF},
                                              {"RIFF", AV_CODEC_ID_WEBP}}};
  for (const auto& kind : kinds) {
    if (bytes.starts_with(kind.begin)) return kind.codec;
  }
  return AV_CODEC_ID_NONE;
}

/// Decoders show a part of a picture whose end is missing, and few say so.
bool is_cut_off(AVCodecID codec, const std::string& bytes) {
  if (codec == AV_CODEC_ID_PNG) return bytes.find("IEND", 8) == std::string::npos;
  // After the end of a JPEG cameras write data of their own.
  return codec == AV_CODEC_ID_MJPEG && bytes.rfind("\xFF\xD9") == std::string::npos;
}

Packet packet_of(const std::string& bytes) {
  Packet packet = make_packet();
  if (av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0) throw std::bad_alloc();
  std::memcpy(packet->data, bytes.data(), bytes.size());
  packet->flags |= AV_PKT_FLAG_KEY;
  return packet;
}

/// Decodes a picture. Null, and why it cannot be used.
Frame decoded(AVCodecID codec, const std::string& bytes, std::string& why) {
  why = codec == AV_CODEC_ID_NONE ? "no picture that is read" : "damaged";
  if (codec == AV_CODEC_ID_NONE) return nullptr;
  if (is_cut_off(codec, bytes)) {
    why = "cut off";
    return nullptr;
  }
  const std::unique_ptr<AVCodecParameters, void (*)(AVCodecParameters*)> about(
      avcodec_parameters_alloc(), [](AVCodecParameters* p) { avcodec_parameters_free(&p); });
  about->codec_type = AVMEDIA_TYPE_VIDEO;
  about->codec_id = codec;
  AVStream stream{};
  stream.codecpar = about.get();
  stream.time_base = {1, 1};
  const Codec decoder = open_decoder("a picture", stream);
  Frame frame = make_frame();
  const Packet packet = packet_of(bytes);
  if (avcodec_send_packet(decoder.get(), packet.get()) < 0) return nullptr;
  avcodec_send_packet(decoder.get(), nullptr);
  if (avcodec_receive_frame(decoder.get(), frame.get()) < 0 || !is_sound(*frame)) return nullptr;
  return frame;
}

/// The file: one stream, a packet a picture.
class PictureWriter {
 public:
  PictureWriter(const std::string& out, AVRational rate) : out_(out), rate_(rate) {}

  void add(const AVFrame& frame, AVCodecID codec, const std::string& bytes, bool as_they_are,
           int64_t number) {
    if (!format_) begin(frame, as_they_are ? codec : AV_CODEC_ID_PNG);
    Packet packet = as_they_are ? packet_of(bytes) : png_of(frame);
    packet->pts = packet->dts = av_rescale_q(number, av_inv_q(rate_), stream_->time_base);
    packet->duration = av_rescale_q(1, av_inv_q(rate_), stream_->time_base);
    check(av_write_frame(format_.get(), packet.get()), out_);
  }
  void finish() { check(av_write_trailer(format_.get()), out_); }

 private:
  void begin(const AVFrame& frame, AVCodecID codec) {
    AVFormatContext* raw = nullptr;
    check(avformat_alloc_output_context2(&raw, nullptr, "mov", nullptr), out_);
    format_.reset(raw);
    stream_ = avformat_new_stream(raw, nullptr);
    if (!stream_) throw std::bad_alloc();
    stream_->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    stream_->codecpar->codec_id = codec;
    stream_->codecpar->width = frame.width;
    stream_->codecpar->height = frame.height;
    stream_->codecpar->format = frame.format;
    stream_->time_base = av_inv_q(rate_);
    stream_->avg_frame_rate = rate_;
    check(avio_open(&format_->pb, ("file:" + out_).c_str(), AVIO_FLAG_WRITE), out_);
    check(avformat_write_header(format_.get(), nullptr), out_);
  }

  Packet png_of(const AVFrame& frame) {
    if (!png_) {
      png_.reset(avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_PNG)));
      if (!png_) fail("{}: this FFmpeg writes no PNG", out_);
      png_->width = frame.width;
      png_->height = frame.height;
      png_->pix_fmt = AV_PIX_FMT_RGB24;
      png_->time_base = {1, 1};
      check(avcodec_open2(png_.get(), nullptr, nullptr), out_);
    }
    std::vector<uint8_t> rgb(size_t{3} * static_cast<size_t>(frame.width * frame.height));
    converter_.convert(frame, 0, frame.height, frame.width, rgb.data());
    const Frame picture = make_frame();
    picture->format = AV_PIX_FMT_RGB24;
    picture->width = frame.width;
    picture->height = frame.height;
    check(av_frame_get_buffer(picture.get(), 0), out_);
    for (int row = 0; row < frame.height; ++row)
      std::memcpy(picture->data[0] + int64_t{row} * picture->linesize[0],
                  rgb.data() + int64_t{3} * row * frame.width, size_t{3} * frame.width);
    check(avcodec_send_frame(png_.get(), picture.get()), out_);
    Packet packet = make_packet();
    check(avcodec_receive_packet(png_.get(), packet.get()), out_);
    return packet;
  }

  std::string out_;
  AVRational rate_;
  OutputFormat format_;
  AVStream* stream_ = nullptr;
  Codec png_;
  Converter converter_;
};

/// Whether all pictures are JPEG, or all PNG, by the first bytes of each.
bool all_alike(const std::vector<std::string>& pictures) {
  AVCodecID first = AV_CODEC_ID_NONE;
  for (const auto& path : pictures) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    std::string head(8, '\0');
    if (!file || std::fread(head.data(), 1, head.size(), file.get()) != head.size()) continue;
    const AVCodecID codec = picture_codec(head);
    if (codec == AV_CODEC_ID_NONE) continue;  // is left out
    if (first == AV_CODEC_ID_NONE) first = codec;
    if (codec != first) return false;
  }
  return first == AV_CODEC_ID_MJPEG || first == AV_CODEC_ID_PNG;
}

}  // namespace

bool has_picture_ending(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 7> kEndings = {".jpg", ".jpeg", ".png", ".bmp",
                                                        ".tif", ".tiff", ".webp"};
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

std::string PictureVideo::damage() const {
  if (missing == 0) return "";
  std::string text = fmt::format("{} of {} pictures left out: ", missing, frames + missing);
  for (size_t i = 0; i < left_out.size(); ++i) {
    if (i > 0) text += "; ";
    text += left_out[i];
  }
  if (missing > std::ssize(left_out)) text += "; ...";
  return text;
}

PictureVideo write_picture_video(const std::vector<std::string>& pictures, double rate,
                                 const std::string& out, const std::string& name) {
  av_log_set_level(AV_LOG_QUIET);
  const bool as_they_are = all_alike(pictures);
  PictureWriter writer(out, av_d2q(rate, kFinestRate));
  PictureVideo video;
  int width = 0;
  int height = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    check_interrupted();
    const std::string bytes = read_file(pictures[i]);
    const AVCodecID codec = picture_codec(bytes);
    std::string why;
    const Frame frame = decoded(codec, bytes, why);
    if (frame && video.frames == 0) {
      require_size(pictures[i], frame->width, frame->height);
      width = frame->width;
      height = frame->height;
    }
    if (frame && (frame->width != width || frame->height != height))
      why = fmt::format("{} x {} px, the first is {} x {} px", frame->width, frame->height, width,
                        height);
    else if (frame)
      why = "";
    if (why.empty()) {
      // The first one stands for those before it too, so that times stay right.
      const int64_t at = video.frames == 0 ? 0 : static_cast<int64_t>(i);
      writer.add(*frame, codec, bytes, as_they_are, at);
      ++video.frames;
      continue;
    }
    ++video.missing;
    const std::string file = std::filesystem::path(pictures[i]).filename().string();
    if (video.left_out.size() < kMostNamed)
      video.left_out.push_back(fmt::format("{}: {}", file, why));
  }
  if (video.frames == 0)
    fail("{}: none of its {} pictures can be used ({}); copy them again", name, pictures.size(),
         video.left_out.front());
  writer.finish();
  return video;
}

}  // namespace distal
