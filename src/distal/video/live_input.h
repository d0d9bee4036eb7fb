#pragma once
// The doors for sources that are no files. Each opens what the user typed and nothing else: a pipe
// through read() alone, an RTSP address through RTSP and what carries it, a camera through V4L2.
// Only sources of this room include this file.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "distal/video/ffmpeg.h"
#include "distal/video/live.h"

namespace distal {

/// How long a source may be silent. FFmpeg asks while it waits. Thread-safe.
class Patience {
 public:
  explicit Patience(double most_s) : most_s_(most_s) { renew(); }
  void renew() { since_ = std::chrono::steady_clock::now().time_since_epoch().count(); }
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  /// A signal came, stop() was called, or nothing came for too long.
  bool over() const;
  AVIOInterruptCB callback();
  /// An RTSP server may send FFmpeg to another address, which gets the password too. FFmpeg cannot
  /// be told not to go there, but it changes its address before it goes: the callback stops it.
  void keep_to(const AVFormatContext& format, std::string url) {
    format_ = &format;
    url_ = std::move(url);
    moved_ = false;
  }
  bool moved() const { return moved_; }

 private:
  bool goes_elsewhere() {
    moved_ = moved_ || (format_ && format_->url && url_ != format_->url);
    return moved_;
  }

  const AVFormatContext* format_ = nullptr;
  std::string url_;
  bool moved_ = false;
  double most_s_;
  std::atomic<bool> stopped_ = false;
  std::atomic<std::chrono::steady_clock::rep> since_ = 0;
};

/// The bytes of a pipe, for FFmpeg.
class PipeBytes;

/// An open source. One thread.
class LiveInput {
 public:
  /// Waits for the source to begin. `patience` outlives this. Throws Error with the name of the
  /// source: cannot be opened, not a video; Interrupted.
  LiveInput(const LiveSource& source, const std::string& transport, Patience& patience);
  ~LiveInput();
  ffmpeg::Input& input() { return input_; }

 private:
  std::unique_ptr<PipeBytes> pipe_;  // goes after what reads from it
  ffmpeg::Input input_;
};

}  // namespace distal
