#include "video/ffmpeg.h"

#include <time.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <new>

#include "base/interrupted.h"
#include "base/progress.h"

namespace distal::ffmpeg {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

/// Seconds this thread stood ready and got no processor. A kernel that does not count them (no schedstat): all it did not run.
double queued_s() {
  const File file(std::fopen("/proc/thread-self/schedstat", "re"), std::fclose);
  unsigned long long ran_ns = 0, queued_ns = 0;
  if (file && std::fscanf(file.get(), "%llu %llu", &ran_ns, &queued_ns) == 2) return 1e-9 * static_cast<double>(queued_ns);
  timespec ran{}, now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - ran.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec - ran.tv_nsec);
}

int should_stop(void* deadline) { return interrupted() || static_cast<const Deadline*>(deadline)->passed() ? 1 : 0; }

bool begins_like_mp4(const std::string& path) {
  std::array<char, 8> head{};
  const File file(std::fopen(path.c_str(), "rb"), std::fclose);
  return file && std::fread(head.data(), 1, head.size(), file.get()) == head.size() &&
         std::string_view(head.data() + 4, 4) == "ftyp";
}

[[noreturn]] void refuse(const std::string& path, int code) {
  if (code == AVERROR_INVALIDDATA && begins_like_mp4(path)) {
    fail("{}: cut off, the index at its end (moov) is missing; copy or record the file again", path);
  }
  if (code == AVERROR_INVALIDDATA) fail("{}: not a video ({}); remove it from the list", path, words(code));
  fail("{}: cannot be opened: {}", path, words(code));
}

/// Formats that are text or that name other files; a stray text file must not become a video.
void require_media(const std::string& path, const AVFormatContext& format) {
  for (const char* name : {"tty", "concat", "hls", "ffmetadata"}) {
    if (std::string_view(format.iformat->name) == name) fail("{}: not a video (it reads as {} text)", path, name);
  }
}

AVStream* best_video(const std::string& path, AVFormatContext& format) {
  const int index = av_find_best_stream(&format, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  const bool cover = index >= 0 && (format.streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
  if (index < 0 || cover) {
    const int audio = audio_streams(format);
    fail("{}: no video stream ({} audio stream{})", path, audio, audio == 1 ? "" : "s");
  }
  return format.streams[index];
}

}  // namespace

Deadline::Deadline(double budget_s) : budget_s_(budget_s), queued_before_s_(queued_s()), began_(std::chrono::steady_clock::now()) {}

bool Deadline::passed() const {
  if (budget_s_ == std::numeric_limits<double>::infinity()) return false;
  const double wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  if (wall_s <= budget_s_) return false;
  return wall_s > 6 * budget_s_ || wall_s - (queued_s() - queued_before_s_) > budget_s_;
}

void Deadline::require_time(const std::string& path, const char* what) const {
  Progress::check_interrupted();
  if (passed()) fail("{}: {} took longer than {:g} s (deadline)", path, what, budget_s_);
}

std::string words(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
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
  if (code) fail("{}: {}", path, code.message());
  if (!fs::is_regular_file(status)) fail("{}: not a file", path);
  if (fs::file_size(path, code) == 0) fail("{}: empty (0 bytes); copy it again", path);
}

Input open_input(const std::string& path, const Deadline& deadline) {
  av_log_set_level(AV_LOG_QUIET);
  AVFormatContext* raw = avformat_alloc_context();
  if (!raw) throw std::bad_alloc();
  raw->interrupt_callback = {should_stop, const_cast<Deadline*>(&deadline)};
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  const int opened = avformat_open_input(&raw, ("file:" + path).c_str(), nullptr, &options);  // frees `raw` on failure
  av_dict_free(&options);
  Input input{InputFormat(raw), nullptr};
  deadline.require_time(path, "opening");
  if (opened < 0) refuse(path, opened);
  require_media(path, *raw);
  const int found = avformat_find_stream_info(raw, nullptr);
  deadline.require_time(path, "opening");
  if (found < 0) refuse(path, found);
  input.video = best_video(path, *raw);
  return input;
}

int audio_streams(const AVFormatContext& format) {
  int count = 0;
  for (unsigned i = 0; i < format.nb_streams; ++i) count += format.streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
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
  codec->max_pixels = int64_t{kMostSide_px} * kMostSide_px;
  check(avcodec_open2(codec.get(), decoder, nullptr), path);
  return codec;
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
  if (disk_failed(format)) fail("{}: cannot be read: {}; check the disk, then try again", path, words(format.pb->error));
}

Orientation orientation_of(const int32_t* matrix) {
  const double counterclockwise = av_display_rotation_get(matrix);
  if (std::isnan(counterclockwise)) return {};
  const int quarters = static_cast<int>(std::lround(-counterclockwise / 90));
  const bool mirrored = int64_t{matrix[0]} * matrix[4] < int64_t{matrix[1]} * matrix[3];
  return {((quarters % 4) + 4) % 4 * 90, mirrored};
}

}  // namespace distal::ffmpeg
