#include "distal/video/ffmpeg.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <vector>

#include "distal/base/interrupted.h"

namespace distal::ffmpeg {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

/// Seconds this thread stood ready and got no processor. A kernel that does not count them (no
/// schedstat): all it did not run.
double queued_s() {
  const File file(std::fopen("/proc/thread-self/schedstat", "re"), std::fclose);
  unsigned long long ran_ns = 0;
  unsigned long long queued_ns = 0;
  if (file && std::fscanf(file.get(), "%llu %llu", &ran_ns, &queued_ns) == 2)
    return 1e-9 * static_cast<double>(queued_ns);
  timespec ran{};
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - ran.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec - ran.tv_nsec);
}

int should_stop(void* deadline) {
  return interrupted() || static_cast<const Deadline*>(deadline)->passed() ? 1 : 0;
}

bool begins_like_mp4(const std::string& path) {
  std::array<char, 8> head{};
  const File file(std::fopen(path.c_str(), "rb"), std::fclose);
  return file && std::fread(head.data(), 1, head.size(), file.get()) == head.size() &&
         std::string_view(head.data() + 4, 4) == "ftyp";
}

[[noreturn]] void refuse(const std::string& path, int code) {
  if (code == AVERROR_INVALIDDATA && begins_like_mp4(path)) {
    fail("{}: cut off, the index at its end (moov) is missing; copy or record the file again",
         path);
  }
  if (code == AVERROR_INVALIDDATA)
    fail("{}: not a video, or damaged from its first bytes on; copy it again, or remove it from "
         "the list",
         path);
  fail("{}: cannot be opened ({}); copy it again, or remove it from the list", path, words(code));
}

/// Formats whose one file holds all of a video. Not here, so not read: what is text, what names
/// other files or addresses (dash, hls, concat, sdp, image2, imf, mlv, ...), and formats of one
/// game each.
constexpr const char* kFormats =
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,kux,asf,asf_o,ogg,rm,mxf,nut,gxf,"
    "lxf,dv,wtv,ty,dhav,swf,nsv,nuv,pva,pmp,"
    "ivf,obu,av1,h264,hevc,h263,h261,m4v,mjpeg,mjpeg_2000,smjpeg,ingenient,dirac,dnxhd,vc1,vc1test,"
    "cavsvideo,avs2,avs3,yuv4mpegpipe,ipu,"
    "gif,apng,flic,cine,ser,filmstrip,xmv,lmlm4,psxstr,smk,bink,roq,film_cpk,fits,"
    "png_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,j2k_pipe,bmp_pipe,tiff_pipe,webp_pipe,gif_pipe,ppm_"
    "pipe,pgm_pipe,pam_pipe,exr_pipe,dpx_pipe,qoi_pipe,"
    "wav,w64,mp3,flac,aac,aiff,au,ac3,eac3";  // sound alone, to be called that

/// FFmpeg's hook for opening files: the video itself, once.
int open_alone(AVFormatContext* format, AVIOContext** file, const char* url, int flags,
               AVDictionary** options) {
  if (format->pb != nullptr || flags != (AVIO_FLAG_READ | format->avio_flags))
    return AVERROR(EPERM);
  return avio_open2(file, url, flags, &format->interrupt_callback, options);
}

/// The same hook for sources that are no files: nothing is opened on their behalf.
int open_nothing(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

/// The name by which FFmpeg knows the format of a file; "text" where it knows none.
std::string format_of(const std::string& path) {
  AVIOContext* file = nullptr;
  const std::string url = "file:" + path;
  if (avio_open(&file, url.c_str(), AVIO_FLAG_READ) < 0) return "text";
  const AVInputFormat* format = nullptr;
  av_probe_input_buffer2(file, &format, url.c_str(), nullptr, 0, 0);
  avio_closep(&file);
  return format ? format->name : "text";
}

int64_t bytes_of_frame(int width, int height, int format) {
  const int bytes =
      format < 0 ? -1
                 : av_image_get_buffer_size(static_cast<AVPixelFormat>(format), width, height, 1);
  return bytes > 0 ? bytes : int64_t{width} * height;
}

bool is_too_large(int width, int height, int format) {
  return int64_t{width} * height > kMostPixels ||
         bytes_of_frame(width, height, format) > kMostFrameBytes;
}

int buffer_within_limits(AVCodecContext* codec, AVFrame* frame, int flags) {
  if (codec->codec_type == AVMEDIA_TYPE_VIDEO &&
      is_too_large(frame->width, frame->height, frame->format))
    return AVERROR(EINVAL);
  return avcodec_default_get_buffer2(codec, frame, flags);
}

/// Finds the streams. What FFmpeg decodes on the way obeys the limit on pictures too, where the
/// file's header names its streams; in transport streams and the like it decodes the first picture
/// of each whatever its size.
int find_streams(AVFormatContext& format) {
  std::vector<AVDictionary*> options(format.nb_streams + 1, nullptr);
  for (auto& each : options) av_dict_set_int(&each, "max_pixels", kMostPixels, 0);
  const int found = avformat_find_stream_info(&format, options.data());
  for (auto& each : options) av_dict_free(&each);
  return found;
}

bool is_picture_codec(AVCodecID codec) {
  return codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_PNG || codec == AV_CODEC_ID_BMP;
}

/// Opens a file and finds its streams. Throws Error: as open_input.
InputFormat open_format(const std::string& path, const Deadline& deadline) {
  av_log_set_level(AV_LOG_QUIET);
  AVFormatContext* raw = avformat_alloc_context();
  if (!raw) throw std::bad_alloc();
  raw->interrupt_callback = {should_stop, const_cast<Deadline*>(&deadline)};
  raw->io_open = open_alone;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "format_whitelist", kFormats, 0);
  const int opened = avformat_open_input(&raw, ("file:" + path).c_str(), nullptr,
                                         &options);  // frees `raw` on failure
  av_dict_free(&options);
  InputFormat format(raw);
  deadline.require_time(path, "opening");
  if (opened == AVERROR(EINVAL)) {
    const std::string name = format_of(path);
    if (av_match_list(name.c_str(), kFormats, ',') <= 0)
      fail("{}: not a video (it reads as {}, which is not one of the files that hold all of a "
           "video); remove it from the list, or convert it to MP4",
           path, name);
  }
  if (opened < 0) refuse(path, opened);
  const int found = find_streams(*format);
  deadline.require_time(path, "opening");
  if (found < 0) refuse(path, found);
  return format;
}

/// A Matroska does not say how many frames a stream has, so the packets of stream `index` are read
/// until there are two.
bool has_one_packet(const std::string& path, int index, const Deadline& deadline) {
  const InputFormat format = open_format(path, deadline);
  const Packet packet = make_packet();
  int64_t packets = 0;
  while (packets < 2 && av_read_frame(format.get(), packet.get()) >= 0) {
    packets += packet->stream_index == index;
    av_packet_unref(packet.get());
  }
  deadline.require_time(path, "opening");
  return packets < 2;
}

/// A cover, as a container says, or a stream of one picture beside another video, which Matroska
/// marks as the default.
bool is_cover(const std::string& path, const AVFormatContext& format, const AVStream& stream,
              const Deadline& deadline) {
  if ((stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) return true;
  const auto others = [&](const AVStream* other) {
    return other != &stream && other->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
  };
  if (!is_picture_codec(stream.codecpar->codec_id) ||
      std::none_of(format.streams, format.streams + format.nb_streams, others))
    return false;
  return stream.nb_frames > 0 ? stream.nb_frames == 1
                              : has_one_packet(path, stream.index, deadline);
}

/// FFmpeg's choice where that is no cover, else the first video that is none, else the first
/// picture that is not attached to something.
AVStream* best_video(const std::string& path, AVFormatContext& format, const Deadline& deadline) {
  const int index = av_find_best_stream(&format, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (index >= 0 && !is_cover(path, format, *format.streams[index], deadline))
    return format.streams[index];
  AVStream* picture = nullptr;
  for (unsigned i = 0; index >= 0 && i < format.nb_streams; ++i) {
    AVStream* const stream = format.streams[i];
    if (stream->codecpar->codec_type != AVMEDIA_TYPE_VIDEO ||
        (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
      continue;
    if (!picture) picture = stream;
    if (i != static_cast<unsigned>(index) && !is_cover(path, format, *stream, deadline))
      return stream;
  }
  if (picture) return picture;
  const int audio = audio_streams(format);
  fail("{}: no video stream ({} audio stream{}); remove it from the list", path, audio,
       audio == 1 ? "" : "s");
}

}  // namespace

Deadline::Deadline(double budget_s)
    : budget_s_(budget_s), queued_before_s_(queued_s()), began_(std::chrono::steady_clock::now()) {}

bool Deadline::passed() const {
  if (budget_s_ == std::numeric_limits<double>::infinity()) return false;
  const double wall_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  if (wall_s <= budget_s_) return false;
  return wall_s > 6 * budget_s_ || wall_s - (queued_s() - queued_before_s_) > budget_s_;
}

void Deadline::require_time(const std::string& path, const char* what) const {
  check_interrupted();
  if (passed()) fail("{}: {} took longer than {:g} s (deadline)", path, what, budget_s_);
}

std::string words(int code) {
  switch (code) {
    case AVERROR_INVALIDDATA: return "it is damaged, or of another format";
    case AVERROR_EOF: return "it ends too early";
    case AVERROR_EXIT: return "it was stopped";
    case AVERROR_DECODER_NOT_FOUND: return "this FFmpeg has no decoder for it";
    case AVERROR_ENCODER_NOT_FOUND: return "this FFmpeg has no encoder for it";
    case AVERROR_STREAM_NOT_FOUND: return "the stream is missing";
    case AVERROR_HTTP_UNAUTHORIZED:
      return "it wants a user and a password: rtsp://USER:PASSWORD@HOST";
    case AVERROR_HTTP_FORBIDDEN: return "the server forbids it";
    case AVERROR_HTTP_NOT_FOUND: return "the server has no such stream";
    case AVERROR_PATCHWELCOME: return "FFmpeg does not read this kind of it";
    default: break;
  }
  const int system =
      AVUNERROR(code);  // FFmpeg's other codes are four letters, far above the system's
  return system > 0 && system < 4096 ? std::strerror(system)
                                     : fmt::format("FFmpeg gave up, code {}", code);
}

int check(int code, std::string_view what) {
  if (code < 0) fail("{}: {}", what, words(code));
  return code;
}

Packet make_packet() {
  Packet packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

Frame make_frame() {
  Frame frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

void require_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code code;
  const auto status = fs::status(path, code);
  if (status.type() == fs::file_type::not_found) fail("{}: no such file; check its path", path);
  if (code)
    fail("{}: cannot be read ({}); check the path and its permissions", path, code.message());
  if (!fs::is_regular_file(status))
    fail("{}: not a file but a folder, device or pipe; name a video file", path);
  if (fs::file_size(path, code) == 0) fail("{}: empty (0 bytes); copy it again", path);
}

Input open_input(const std::string& path, const Deadline& deadline, int stream) {
  Input input{open_format(path, deadline), nullptr};
  const bool known = stream >= 0 && static_cast<unsigned>(stream) < input.format->nb_streams &&
                     input.format->streams[stream]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
  input.video = known ? input.format->streams[stream] : best_video(path, *input.format, deadline);
  return input;
}

Input open_source(SourceDoor door, const std::string& name) {
  av_log_set_level(AV_LOG_QUIET);
  AVFormatContext* raw = avformat_alloc_context();
  if (!raw) throw std::bad_alloc();
  raw->interrupt_callback = door.patience;
  raw->io_open = open_nothing;
  raw->pb = door.bytes;
  if (door.opens) door.opens(*raw);
  if (door.never_waits) raw->flags |= AVFMT_FLAG_NONBLOCK;
  const char* formats = door.format ? door.format->name : kFormats;
  av_dict_set(&door.options, "protocol_whitelist", door.protocols.c_str(), 0);
  av_dict_set(&door.options, "format_whitelist", formats, 0);
  const int opened = avformat_open_input(&raw, door.url.c_str(), door.format, &door.options);
  av_dict_free(&door.options);
  Input input{InputFormat(raw), nullptr};  // null where it failed
  check_interrupted();
  if (opened == AVERROR_INVALIDDATA || opened == AVERROR(EINVAL))
    fail("{}: what comes is not a video that can be read as it comes; an MP4 must have its index "
         "(moov) first, MPEG-TS and Matroska need none",
         name);
  if (opened < 0) fail("{}: cannot be opened ({}); check it, and try again", name, words(opened));
  const int found = find_streams(*input.format);
  check_interrupted();
  if (found < 0) fail("{}: cannot be read ({}); check it, and try again", name, words(found));
  const int index = av_find_best_stream(input.format.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (index < 0) fail("{}: no video stream in what comes; check what is sent", name);
  input.video = input.format->streams[index];
  return input;
}

int audio_streams(const AVFormatContext& format) {
  int count = 0;
  for (unsigned i = 0; i < format.nb_streams; ++i)
    count += format.streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
  return count;
}

Codec open_decoder(const std::string& path, const AVStream& stream) {
  const AVCodec* decoder = avcodec_find_decoder(stream.codecpar->codec_id);
  if (!decoder) {
    fail("{}: this FFmpeg has no decoder for {}; convert the video to H.264", path,
         avcodec_get_name(stream.codecpar->codec_id));
  }
  Codec codec(avcodec_alloc_context3(decoder));
  if (!codec) throw std::bad_alloc();
  check(avcodec_parameters_to_context(codec.get(), stream.codecpar), path);
  codec->pkt_timebase = stream.time_base;
  codec->thread_count = 1;
  codec->get_buffer2 = buffer_within_limits;
  check(avcodec_open2(codec.get(), decoder, nullptr), path);
  return codec;
}

void require_size(const std::string& path, int width, int height) {
  const auto [shorter, longer] = std::minmax(width, height);
  if (longer > kMostSide_px || (shorter > 0 && longer / shorter > kMostAspect)) {
    fail("{}: pictures of {} x {} px; sides up to {} px, one at most {} times the other, are read; "
         "convert the video",
         path, width, height, kMostSide_px, kMostAspect);
  }
  if (int64_t{width} * height > kMostPixels) {
    fail("{}: pictures of {} x {} px; up to {:.0f} megapixels are read; convert the video", path,
         width, height, 1e-6 * static_cast<double>(kMostPixels));
  }
}

void require_frame_bytes(const std::string& path, const AVCodecContext& codec) {
  const int width = std::max(codec.width, codec.coded_width);
  const int height = std::max(codec.height, codec.coded_height);
  require_size(path, width, height);
  if (is_too_large(width, height, codec.pix_fmt)) {
    fail("{}: pictures of {} x {} px in {}, {} MB each; up to {} MB are read; convert the video",
         path, width, height, av_get_pix_fmt_name(codec.pix_fmt),
         bytes_of_frame(width, height, codec.pix_fmt) >> 20, kMostFrameBytes >> 20);
  }
}

int read_packet(AVFormatContext& format, AVPacket& packet) {
  constexpr int kAttempts = 32;  // demuxers step over damage a little further at each call
  int code = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    code = av_read_frame(&format, &packet);
    if (code == AVERROR_EOF && disk_failed(format)) return format.pb->error;
    if (code >= 0 || code == AVERROR_EOF || code == AVERROR_EXIT) return code;
  }
  return code;
}

void require_disk(const std::string& path, const AVFormatContext& format) {
  if (disk_failed(format))
    fail("{}: cannot be read: {}; check the disk, then try again", path, words(format.pb->error));
}

Orientation orientation_of(const int32_t* matrix) {
  const double counterclockwise = av_display_rotation_get(matrix);
  if (std::isnan(counterclockwise)) return {};
  const int quarters = static_cast<int>(std::lround(-counterclockwise / 90));
  const bool mirrored = int64_t{matrix[0]} * matrix[4] < int64_t{matrix[1]} * matrix[3];
  return {((quarters % 4) + 4) % 4 * 90, mirrored};
}

Orientation orientation_of(const AVFrame& frame, const AVStream& stream) {
  std::array<int32_t, 9> values;
  const uint8_t* matrix = nullptr;
  if (const AVFrameSideData* said = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
      said && said->size >= sizeof(values)) {
    matrix = said->data;
  } else {
    size_t bytes = 0;
    matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
    if (bytes < sizeof(values)) return {};
  }
  if (!matrix) return {};
  std::memcpy(values.data(), matrix, sizeof(values));
  return orientation_of(values.data());
}

}  // namespace distal::ffmpeg
