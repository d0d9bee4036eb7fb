#pragma once
// What a packet's own bytes say of it, whatever the container's flags say: whether a decoder can
// start there, how many frames it shows, and what would make a decoder that starts later differ
// from one that began at the file's start. Heads only, no picture is decoded. Sources: H.264 (ITU-T
// H.264, 7.3), HEVC (H.265, 7.3), MPEG-1/2 (ISO 13818-2, 6.2), MPEG-4 part 2 (ISO 14496-2, 6.2),
// VP8 (RFC 6386, 9.1), VP9 (bitstream specification, 6.2), AV1 (bitstream specification, 5).

#include <map>
#include <string>

#include "distal/video/ffmpeg.h"

namespace distal::ffmpeg {

class Bitstream {
 public:
  /// `stream` is borrowed.
  explicit Bitstream(const AVStream& stream);

  struct Said {
    bool entry = false;   // frames shown from here on need nothing that lies before
    bool clean = false;   // and none that follows in the file is shown before it or thrown away
    int64_t frames = 1;   // that it shows; -1: only the decoder knows
    bool picture = true;  // it holds one, or a part of one: H.264 and HEVC know units that do not
  };
  /// Of the next packet; packets come in the file's order.
  Said look(const AVPacket& packet);

  /// How entries are known: every packet is one; from the bytes; from the decoder alone, whose I
  /// frames they are; not at all.
  enum class Entries { all, read, decoded, unknown };
  Entries entries() const { return entries_; }
  /// Why a decoder that starts at an entry may show other pictures than one that began at the
  /// file's start; empty: it does not.
  const std::string& doubt() const { return doubt_; }

 private:
  template <class Take>
  void units(const uint8_t* data, int64_t size, bool is_packet, Take take) const;
  bool is_field(const uint8_t* unit, int64_t size) const;
  Said look_h264(const AVPacket& packet);
  Said look_hevc(const AVPacket& packet);
  Said look_mpeg12(const AVPacket& packet);
  Said look_mpeg4(const AVPacket& packet);
  Said look_vp9(const AVPacket& packet) const;
  Said look_av1(const AVPacket& packet) const;
  void extra();
  void set_unit(int kind, const uint8_t* data, int64_t size);
  void turn_at(bool entry, const std::string& turned);
  void require_same_side_data(const AVPacket& packet);
  void distrust(const std::string& why) {
    if (doubt_.empty()) doubt_ = why;
  }

  const AVStream& stream_;
  AVCodecID codec_;
  Entries entries_;
  int length_bytes_ = 0;  // of a unit in H.264 and HEVC of MP4 and Matroska; 0: start codes
  bool fields_ = false;   // H.264: pictures may be fields
  bool planes_ = false;   // H.264: colour planes are coded apart
  int number_bits_ = 4;   // H.264: of a frame's number
  int64_t packets_ = 0;
  bool ended_ = false;  // the sequence, in mid-stream
  std::map<std::pair<int, int64_t>, std::string>
      sets_;            // parameter sets and sequence heads by kind and number
  std::string turned_;  // orientation at the entries
  std::string doubt_;
};

}  // namespace distal::ffmpeg
