#include "distal/video/live_input.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "distal/base/interrupted.h"
#include "distal/video/playback.h"

namespace distal {
namespace {

constexpr int kPollMs = 100;  // how soon a pipe that is silent notices a signal
constexpr int kPipeBuffer = 1 << 16;

/// FFmpeg's library of devices. It needs a desktop's libraries, so it is no part of what distal is
/// linked with: it is looked for when a camera is opened. Its major version is libavformat's.
const AVInputFormat& camera_format(const std::string& name) {
  static const std::string library = fmt::format("libavdevice.so.{}", LIBAVFORMAT_VERSION_MAJOR);
  static const bool there = [] {
    void* const opened = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* const found = opened ? ::dlsym(opened, "avdevice_register_all") : nullptr;
    if (found) reinterpret_cast<void (*)()>(found)();
    return found != nullptr;
  }();
  const AVInputFormat* format = there ? av_find_input_format("v4l2") : nullptr;
  if (!format)
    fail("{}: cameras are read by FFmpeg's {}, which is not there; install it (Debian: "
         "libavdevice{})",
         name, library, LIBAVFORMAT_VERSION_MAJOR);
  return *format;
}

ffmpeg::SourceDoor rtsp_door(const LiveSource& source, const std::string& transport) {
  ffmpeg::SourceDoor door;
  door.url = source.address;
  door.format = av_find_input_format("rtsp");
  if (!door.format) fail("{}: this FFmpeg reads no RTSP", source.name);
  door.protocols = "tcp,udp,rtp,rtsp,tls,crypto";
  av_dict_set(&door.options, "rtsp_transport", transport.c_str(), 0);
  return door;
}

ffmpeg::SourceDoor camera_door(const LiveSource& source) {
  ffmpeg::SourceDoor door;
  door.url = source.address;
  door.format = &camera_format(source.name);
  door.never_waits = true;  // its read cannot be interrupted
  return door;
}

}  // namespace

bool Patience::over() const {
  if (stopped_ || interrupted()) return true;
  const auto since = std::chrono::steady_clock::duration(since_.load());
  const auto silent = std::chrono::steady_clock::now().time_since_epoch() - since;
  return std::chrono::duration<double>(silent).count() > most_s_;
}

AVIOInterruptCB Patience::callback() {
  return {[](void* self) {
            auto& patience = *static_cast<Patience*>(self);
            return patience.goes_elsewhere() || patience.over() ? 1 : 0;
          },
          this};
}

class PipeBytes {
 public:
  PipeBytes(const LiveSource& source, Patience& patience) : patience_(patience) {
    file_ = source.address == "-"
                ? ::dup(STDIN_FILENO)
                : ::open(source.address.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file_ < 0) fail("{}: cannot be opened ({})", source.name, std::strerror(errno));
    auto* const buffer = static_cast<unsigned char*>(av_malloc(kPipeBuffer));
    bytes_ = avio_alloc_context(buffer, kPipeBuffer, 0, this, read, nullptr, nullptr);
    if (!bytes_) throw std::bad_alloc();
    bytes_->seekable = 0;
  }
  ~PipeBytes() {
    if (bytes_) av_freep(&bytes_->buffer);
    avio_context_free(&bytes_);
    ::close(file_);
  }
  PipeBytes(const PipeBytes&) = delete;
  AVIOContext* bytes() const { return bytes_; }

 private:
  /// A named pipe that nobody has written to yet is not at its end: poll waits for the first
  /// writer.
  static int read(void* self, uint8_t* to, int size) {
    const auto& pipe = *static_cast<PipeBytes*>(self);
    for (;;) {
      if (pipe.patience_.over()) return AVERROR_EXIT;
      pollfd wanted = {pipe.file_, POLLIN, 0};
      const int ready = ::poll(&wanted, 1, kPollMs);
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      if (ready < 0 || (wanted.revents & (POLLERR | POLLNVAL)) != 0) return AVERROR(EIO);
      const ssize_t count = ::read(pipe.file_, to, static_cast<size_t>(size));
      if (count > 0) return static_cast<int>(count);
      if (count == 0) return AVERROR_EOF;
      if (errno != EAGAIN && errno != EINTR) return AVERROR(errno);
    }
  }

  Patience& patience_;
  int file_ = -1;
  AVIOContext* bytes_ = nullptr;
};

LiveInput::LiveInput(const LiveSource& source, const std::string& transport, Patience& patience) {
  ffmpeg::SourceDoor door;
  switch (source.kind) {
    case LiveSource::Kind::pipe:
      pipe_ = std::make_unique<PipeBytes>(source, patience);
      door.bytes = pipe_->bytes();
      break;
    case LiveSource::Kind::rtsp:
      door = rtsp_door(source, transport);
      door.opens = [&patience, url = source.address](const AVFormatContext& format) {
        patience.keep_to(format, url);
      };
      break;
    case LiveSource::Kind::camera: door = camera_door(source); break;
  }
  door.patience = patience.callback();
  try {
    input_ = ffmpeg::open_source(std::move(door), source.name);
  } catch (const Error&) {
    if (!patience.moved()) throw;
    fail("{}: the server sends to another address, and only what was named is opened; name that",
         source.name);
  }
  ffmpeg::keep_video_alone(input_);
}

LiveInput::~LiveInput() { input_.format.reset(); }

}  // namespace distal
