#pragma once
// Which frames a file shows, and whether they can be reached by seeks: what probe.h says decides.
// For probe.cc alone.

#include <string>
#include <vector>

#include "distal/video/bitstream.h"
#include "distal/video/playback.h"

namespace distal::ffmpeg {

/// A packet of the video stream.
struct SeenPacket {
  int64_t pts = 0;
  int64_t dts = 0;
  int64_t duration = 0;
  int64_t place = -1;    // byte in the file; -1: unknown
  bool flagged = false;  // by the container, as a key
  bool shown = true;     // false: an edit list leaves it out
  Bitstream::Said said;
};

struct IndexedFrame {
  int64_t pts = 0;  // as the decoder reports it, or the frame's number
  double tick = 0;  // when it is shown, in the stream's time base
  int64_t duration = 0;
  bool key = false;
};

struct Index {
  std::vector<IndexedFrame> frames;  // in the order they are shown
  std::string doubt;                 // why there are no seeks; empty: there are
};

class Indexing {
 public:
  /// In the file's order, those that hold something.
  void add(const SeenPacket& packet);
  /// Why frames cannot be reached by seeks; empty: they can.
  std::string doubt(const AVStream& stream, const AVInputFormat& format,
                    const Bitstream& bitstream) const;
  /// Whether only a decoder can tell which frames come; damage aside.
  bool wants_decoder(const Bitstream& bitstream) const;
  /// In the order of their times, from the first frame that the decoder shows on. `head`: the first
  /// frames that it shows; where they are not those of the index, it has a doubt.
  Index from_packets(const std::vector<PlayedFrame>& head) const;
  /// The frames that came; by their numbers where `doubt` or their order says so.
  Index from_frames(const Playback& playback, std::string doubt, const Bitstream& bitstream) const;
  const std::vector<SeenPacket>& packets() const { return packets_; }

 private:
  bool one_span() const;

  std::vector<SeenPacket> packets_;
};

}  // namespace distal::ffmpeg
