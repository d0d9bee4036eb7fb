#pragma once
// Frames of a source that is read once, as it comes: a pipe, an RTSP server, a camera.
//
// A thread reads, decodes, scales, and keeps a queue of bounded length. A pipe waits where the
// queue is full: no frame is lost. RTSP servers and cameras do not wait: the oldest frame of a full
// queue is dropped and counted. An RTSP server or camera that is lost is opened again, after 0.5 s,
// 1 s, 2 s, ... 30 s. Memory does not grow with time.
//
// Times are seconds since the first frame (video/live_clock.h). After a loss they go on by the
// clock on the wall, so that they say how long nothing was seen. A frame that FFmpeg had to patch
// is replaced by the sound one before it and counted, as Decoder does in files.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include <torch/types.h>

namespace distal {

struct LiveSource {
  enum class Kind { pipe, rtsp, camera };
  Kind kind = Kind::pipe;
  std::string address;  // "-" (stdin) or a named pipe; rtsp://... or rtsps://...; /dev/video0
  std::string name;     // for people: an address without its password
};

struct LiveOptions {
  int64_t short_side_px = 0;  // of the frames (Resize); 0: as they come
  // how long a lost source is waited for; 0: its first loss is its end
  double reconnect_s = std::numeric_limits<double>::infinity();
  double silence_s = 10;          // a server or camera that sends nothing for so long is lost
  std::string transport = "tcp";  // of RTSP: tcp, or udp, which loses packets
  int64_t queue = 64;             // frames
};

/// What comes next of a stream: a frame, or word that what follows does not join on to it.
struct StreamItem {
  double time_s = 0;    // of the frame; of a loss: of the last frame before it
  torch::Tensor frame;  // uint8 [H, W, 3], RGB, upright; undefined: a loss
  std::string lost;     // why, one sentence without a point
};

class LiveReader {
 public:
  struct Info {
    std::string codec;
    int64_t width = 0;  // as stored, px
    int64_t height = 0;
    double rate = 0;  // frames per second, as the source says; 0: it does not
  };

  /// Waits until the source begins. `takes` is asked about the time of each frame, in order, by the
  /// thread that reads: whether the frame is wanted. Throws Error with the name of the source: it
  /// cannot be opened; Interrupted.
  LiveReader(LiveSource source, LiveOptions options, std::function<bool(double time_s)> takes);
  ~LiveReader();

  const Info& info() const;  // when it was opened first
  /// Waits. Nothing: the end. Throws Error: it was lost for longer than reconnect_s, its pictures
  /// are beyond the limits of video/probe.h; Interrupted.
  std::optional<StreamItem> next();

  int64_t dropped() const;  // wanted frames that nobody took in time
  int64_t patched() const;  // frames that came damaged

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
