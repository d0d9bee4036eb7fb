#include "distal/video/bitstream.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace distal::ffmpeg {
namespace {

/// Bits of a head, most significant first; zeros past its end.
class Bits {
 public:
  Bits(const uint8_t* data, int64_t size) : data_(data), size_(8 * size) {}
  int64_t take(int count) {
    int64_t value = 0;
    for (; count > 0; --count, ++at_)
      value = value << 1 | (at_ < size_ ? data_[at_ / 8] >> (7 - at_ % 8) & 1 : 0);
    return value;
  }
  /// Exp-Golomb code, H.264 9.1.
  int64_t golomb() {
    int zeros = 0;
    while (zeros < 32 && at_ < size_ && take(1) == 0) ++zeros;
    return (int64_t{1} << zeros) - 1 + take(zeros);
  }
  int64_t signed_golomb() {
    const int64_t code = golomb();
    return code % 2 != 0 ? (code + 1) / 2 : -code / 2;
  }

 private:
  const uint8_t* data_;
  int64_t size_, at_ = 0;
};

/// Without the bytes that keep start codes out of a unit.
std::vector<uint8_t> unescaped(const uint8_t* data, int64_t size) {
  std::vector<uint8_t> out;
  out.reserve(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    if (i + 1 < size && i >= 2 && data[i] == 3 && data[i - 1] == 0 && data[i - 2] == 0) continue;
    out.push_back(data[i]);
  }
  return out;
}

/// The place of the next 00 00 01, or `size`.
int64_t next_start(const uint8_t* data, int64_t size, int64_t at) {
  for (; at + 3 <= size; ++at) {
    if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1) return at;
  }
  return size;
}

/// A scaling list of an H.264 parameter set, 7.3.2.1.1.1.
void skip_scaling(Bits& bits, int count) {
  int64_t last = 8;
  int64_t next = 8;
  for (int i = 0; i < count; ++i) {
    if (next != 0) next = (last + bits.signed_golomb() + 256) % 256;
    if (next != 0) last = next;
  }
}

constexpr int kRecoveryPoint = 6;        // SEI message
constexpr int kDisplayOrientation = 47;  // SEI message

/// Each message of an SEI unit.
template <class Take>
void messages(const std::vector<uint8_t>& unit, size_t head, Take take) {
  size_t at = head;
  const auto number = [&] {
    int value = 0;
    while (at < unit.size() && unit[at] == 0xff) {
      value += 255;
      ++at;
    }
    return at < unit.size() ? value + unit[at++] : -1;
  };
  while (at + 2 < unit.size()) {
    const int type = number();
    const int bytes = number();
    if (type < 0 || bytes < 0 || at + static_cast<size_t>(bytes) > unit.size()) return;
    take(type, unit.data() + at, bytes);
    at += static_cast<size_t>(bytes);
  }
}

Bitstream::Entries entries_of(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_AV1:
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO: return Bitstream::Entries::read;
    case AV_CODEC_ID_FLV1:
    case AV_CODEC_ID_H263:
    case AV_CODEC_ID_H263P:
    case AV_CODEC_ID_MSMPEG4V1:
    case AV_CODEC_ID_MSMPEG4V2:
    case AV_CODEC_ID_MSMPEG4V3:
    case AV_CODEC_ID_WMV1:
    case AV_CODEC_ID_WMV2: return Bitstream::Entries::decoded;  // no B-frames
    case AV_CODEC_ID_PNG: return Bitstream::Entries::all;       // FFmpeg's table does not say so
    default: break;
  }
  const AVCodecDescriptor* about = avcodec_descriptor_get(codec);
  return about && (about->props & AV_CODEC_PROP_INTRA_ONLY) != 0 ? Bitstream::Entries::all
                                                                 : Bitstream::Entries::unknown;
}

}  // namespace

Bitstream::Bitstream(const AVStream& stream)
    : stream_(stream), codec_(stream.codecpar->codec_id), entries_(entries_of(codec_)) {
  if (entries_ == Entries::unknown)
    distrust(fmt::format("which frames of {} stand alone is not known", avcodec_get_name(codec_)));
  const AVCodecParameters& about = *stream.codecpar;
  const bool avc = codec_ == AV_CODEC_ID_H264;
  const bool hevc = codec_ == AV_CODEC_ID_HEVC;
  if (!avc && !hevc) return;
  if (about.extradata_size >= 23 - 16 * avc && about.extradata[0] == 1)
    length_bytes_ = (about.extradata[avc ? 4 : 21] & 3) + 1;
  extra();
}

/// Calls take(data, size) for each unit of H.264 and HEVC.
template <class Take>
void Bitstream::units(const uint8_t* data, int64_t size, bool is_packet, Take take) const {
  if (is_packet && length_bytes_ > 0) {
    for (int64_t at = 0; at + length_bytes_ <= size;) {
      int64_t length = 0;
      for (int i = 0; i < length_bytes_; ++i) length = length << 8 | data[at + i];
      at += length_bytes_;
      if (length > 0 && at < size) take(data + at, std::min(length, size - at));
      at += length;
    }
    return;
  }
  for (int64_t at = next_start(data, size, 0); at < size;) {
    const int64_t begin = at + 3;
    at = next_start(data, size, begin);
    int64_t end = at;
    while (end > begin && data[end - 1] == 0) --end;
    if (end > begin) take(data + begin, end - begin);
  }
}

/// Parameter sets of the stream's header.
void Bitstream::extra() {
  const uint8_t* data = stream_.codecpar->extradata;
  const int64_t size = stream_.codecpar->extradata_size;
  if (data == nullptr || size == 0) return;
  const bool avc = codec_ == AV_CODEC_ID_H264;
  const auto take = [&](const uint8_t* unit, int64_t bytes) {
    set_unit(avc ? unit[0] & 31 : unit[0] >> 1 & 63, unit, bytes);
  };
  if (length_bytes_ == 0) return units(data, size, /*is_packet=*/false, take);
  int64_t at = avc ? 5 : 22;  // avcC: sets of two kinds, counted; hvcC: arrays of units
  const auto rows = [&](int64_t count) {
    for (; count > 0 && at + 2 <= size; --count) {
      const int64_t bytes = data[at] << 8 | data[at + 1];
      at += 2;
      if (bytes > 0 && at + bytes <= size) take(data + at, bytes);
      at += bytes;
    }
  };
  if (avc) {
    if (at < size) {
      ++at;
      rows(data[at - 1] & 31);
    }
    if (at < size) {
      ++at;
      rows(data[at - 1]);
    }
    return;
  }
  int64_t arrays = at < size ? data[at++] : 0;
  for (; arrays > 0 && at + 3 <= size; --arrays) {
    at += 3;
    rows(data[at - 2] << 8 | data[at - 1]);
  }
}

/// A set that another one replaces later: a decoder that starts behind it would not know it.
void Bitstream::set_unit(int kind, const uint8_t* data, int64_t size) {
  const bool avc = codec_ == AV_CODEC_ID_H264;
  if (!(avc ? kind == 7 || kind == 8 : kind >= 32 && kind <= 34)) return;
  int64_t number = 0;
  const auto plain = unescaped(data, std::min<int64_t>(size, 512));
  const int64_t head = avc ? 1 : 2;
  const int64_t bytes = std::ssize(plain);
  if (bytes <= head) return;
  Bits bits(plain.data() + head, bytes - head);
  if (avc && kind == 7) {
    const int64_t profile = bits.take(8);
    bits.take(16);
    number = bits.golomb();
    if (profile == 100 || profile == 110 || profile == 122 || profile == 244 || profile == 44 ||
        profile == 83 || profile == 86) {
      const int64_t chroma = bits.golomb();
      planes_ = chroma == 3 && bits.take(1) != 0;
      bits.golomb();
      bits.golomb();
      bits.take(1);
      if (bits.take(1) != 0) {
        for (int i = 0; i < (chroma == 3 ? 12 : 8); ++i) {
          if (bits.take(1) != 0) skip_scaling(bits, i < 6 ? 16 : 64);
        }
      }
    }
    number_bits_ = static_cast<int>(std::min<int64_t>(bits.golomb(), 12)) + 4;
    const int64_t order = bits.golomb();
    if (order == 0) bits.golomb();
    if (order == 1) {
      bits.take(1);
      bits.golomb();
      bits.golomb();
      for (int64_t count = std::min<int64_t>(bits.golomb(), 255); count > 0; --count) bits.golomb();
    }
    // references, gaps, width, height
    bits.golomb();
    bits.take(1);
    bits.golomb();
    bits.golomb();
    fields_ = bits.take(1) == 0;  // frame_mbs_only_flag
  } else if (kind == 8 || kind == 34) {
    number = bits.golomb();
  }
  const std::string content(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  const auto [known, fresh] = sets_.emplace(std::pair(kind, number), content);
  if (!fresh && known->second != content) distrust("its parameters change in mid-stream");
}

/// The decoder keeps an orientation until it is taken back, so one that starts later must meet the
/// same.
void Bitstream::turn_at(bool entry, const std::string& turned) {
  if (packets_ == 1)
    turned_ = turned;
  else if (turned != turned_ && (entry || !turned.empty()))
    distrust("its orientation changes in mid-stream, or is said at its start alone");
}

/// field_pic_flag of a slice (H.264, 7.3.3).
bool Bitstream::is_field(const uint8_t* unit, int64_t size) const {
  const auto plain = unescaped(unit, std::min<int64_t>(size, 32));
  Bits bits(plain.data() + 1, std::ssize(plain) - 1);
  bits.golomb();
  bits.golomb();
  bits.golomb();
  if (planes_) bits.take(2);
  bits.take(number_bits_);
  return bits.take(1) != 0;
}

Bitstream::Said Bitstream::look_h264(const AVPacket& packet) {
  Said said;
  std::string turned;
  bool recovers = false;
  bool instant = false;
  bool ends = false;
  bool field = false;
  int64_t slices = 0;
  units(packet.data, packet.size, true, [&](const uint8_t* unit, int64_t size) {
    const int kind = unit[0] & 31;
    if (kind == 7 || kind == 8) set_unit(kind, unit, size);
    ends |= kind == 10 || kind == 11;
    instant |= kind == 5;
    if (kind == 1 || kind == 5) {
      if (slices++ == 0 && fields_) field = is_field(unit, size);
    }
    if (kind != 6) return;
    messages(unescaped(unit, size), 1, [&](int type, const uint8_t* data, int64_t bytes) {
      Bits bits(data, bytes);
      if (type == kRecoveryPoint)
        recovers = bits.golomb() == 0 && bits.take(1) != 0 &&
                   bits.take(1) == 0;  // here, exactly, no broken link
      if (type == kDisplayOrientation)
        turned.assign(reinterpret_cast<const char*>(data), static_cast<size_t>(bytes));
    });
  });
  said.entry = instant || recovers;
  said.clean = instant;
  said.picture = slices > 0;
  if (field || slices == 0) said.frames = -1;
  turn_at(said.entry, turned);
  ended_ |= ends;
  return said;
}

Bitstream::Said Bitstream::look_hevc(const AVPacket& packet) {
  Said said;
  std::string turned;
  bool ends = false;
  int first = -1;
  units(packet.data, packet.size, true, [&](const uint8_t* unit, int64_t size) {
    if (size < 3) return;
    const int kind = unit[0] >> 1 & 63;
    const int layer = (unit[0] & 1) << 5 | unit[1] >> 3;
    if (layer != 0) return;
    if (kind >= 32 && kind <= 34) set_unit(kind, unit, size);
    ends |= kind == 36 || kind == 37;
    if (kind < 32 && first < 0) first = kind;
    if (kind != 39) return;
    messages(unescaped(unit, size), 2, [&](int type, const uint8_t* data, int64_t bytes) {
      if (type == kDisplayOrientation)
        turned.assign(reinterpret_cast<const char*>(data), static_cast<size_t>(bytes));
    });
  });
  said.entry = first >= 16 && first <= 21;
  said.clean = first == 19 || first == 20;
  said.picture = first >= 0;
  if (first < 0 || (first >= 16 && first <= 18))
    said.frames = -1;  // a broken link throws the frames away that lead it
  turn_at(said.entry, turned);
  ended_ |= ends;
  return said;
}

Bitstream::Said Bitstream::look_mpeg12(const AVPacket& packet) {
  Said said;
  const uint8_t* data = packet.data;
  const int64_t size = packet.size;
  int64_t pictures = 0;
  int64_t fields = 0;
  bool ends = false;
  for (int64_t at = next_start(data, size, 0); at < size;) {
    const int64_t begin = at + 3;
    at = next_start(data, size, begin);
    if (begin >= size) break;
    const int kind = data[begin];
    Bits bits(data + begin + 1, at - begin - 1);
    if (kind == 0) {
      bits.take(10);
      if (pictures++ == 0) said.entry = said.clean = bits.take(3) == 1;
    } else if (kind == 0xb5 && bits.take(4) == 8) {
      bits.take(16 + 2);
      fields += bits.take(2) != 3;
    } else if (kind == 0xb3) {
      const std::string head(reinterpret_cast<const char*>(data + begin),
                             static_cast<size_t>(at - begin));
      if (const auto [known, fresh] = sets_.emplace(std::pair(kind, 0), head);
          !fresh && known->second != head)
        distrust("its parameters change in mid-stream");
    }
    ends |= kind == 0xb7;
  }
  if (pictures != 1 + (fields > 0)) said.frames = -1;
  ended_ |= ends;
  return said;
}

Bitstream::Said Bitstream::look_mpeg4(const AVPacket& packet) {
  constexpr int64_t kEmpty =
      8;  // bytes of a picture that may say no more than "as before", which shows no frame
  Said said;
  const uint8_t* data = packet.data;
  const int64_t size = packet.size;
  int64_t pictures = 0;
  int64_t shortest = size;
  for (int64_t at = next_start(data, size, 0); at < size;) {
    const int64_t begin = at + 3;
    at = next_start(data, size, begin);
    if (begin >= size) break;
    const int kind = data[begin];
    if (kind == 0xb6) {
      Bits bits(data + begin + 1, at - begin - 1);
      if (pictures++ == 0) said.entry = said.clean = bits.take(2) == 0;
      shortest = std::min(shortest, at - begin - 1);
    } else if (kind >= 0x20 && kind <= 0x2f) {
      const std::string head(reinterpret_cast<const char*>(data + begin),
                             static_cast<size_t>(at - begin));
      if (const auto [known, fresh] = sets_.emplace(std::pair(kind, 0), head);
          !fresh && known->second != head)
        distrust("its parameters change in mid-stream");
    }
  }
  if (pictures != 1 || shortest <= kEmpty) said.frames = -1;
  return said;
}

Bitstream::Said Bitstream::look_vp9(const AVPacket& packet) const {
  Said said;
  Bits bits(packet.data, packet.size);
  bits.take(2);
  const int64_t low = bits.take(1);
  if (bits.take(1) * 2 + low == 3) bits.take(1);
  if (bits.take(1) != 0) return said;  // shows a frame that is there
  said.entry = said.clean = bits.take(1) == 0;
  const bool shown = bits.take(1) != 0;
  const bool several = (packet.data[packet.size - 1] & 0xe0) == 0xc0;
  if (!shown && !several) said.frames = 0;
  return said;
}

Bitstream::Said Bitstream::look_av1(const AVPacket& packet) const {
  constexpr int kFrameHeader = 3;
  constexpr int kFrame = 6;
  Said said;
  said.frames = 0;
  bool first = true;
  for (int64_t at = 0; at < packet.size;) {
    const int head = packet.data[at++];
    const int kind = head >> 3 & 15;
    if ((head & 4) != 0) ++at;
    int64_t size = packet.size - at;
    if ((head & 2) != 0) {
      size = 0;
      for (int shift = 0; at < packet.size && shift < 56; shift += 7) {
        const int byte = packet.data[at++];
        size |= int64_t{byte & 127} << shift;
        if (byte < 128) break;
      }
    }
    if (at >= packet.size || size < 0) break;
    if (kind == kFrameHeader || kind == kFrame) {
      Bits bits(packet.data + at, std::min(size, packet.size - at));
      const bool again = bits.take(1) != 0;
      const int64_t type = again ? -1 : bits.take(2);
      const bool shown = again || bits.take(1) != 0;
      if (std::exchange(first, false)) said.entry = said.clean = type == 0 && shown;
      said.frames += shown;
    }
    at += size;
  }
  if (said.frames != 1) said.frames = -1;
  return said;
}

/// What a decoder is told beside the pictures, once: a seek throws it away.
void Bitstream::require_same_side_data(const AVPacket& packet) {
  for (int i = 0; i < packet.side_data_elems; ++i) {
    const AVPacketSideDataType type = packet.side_data[i].type;
    if (type == AV_PKT_DATA_PALETTE) distrust("its palette stands beside its pictures");
    if (type == AV_PKT_DATA_NEW_EXTRADATA || type == AV_PKT_DATA_PARAM_CHANGE)
      distrust("its parameters change in mid-stream");
  }
}

Bitstream::Said Bitstream::look(const AVPacket& packet) {
  ++packets_;
  require_same_side_data(packet);
  if (std::exchange(ended_, false)) distrust("it is put together of several sequences");
  switch (codec_) {
    case AV_CODEC_ID_H264: return look_h264(packet);
    case AV_CODEC_ID_HEVC: return look_hevc(packet);
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO: return look_mpeg12(packet);
    case AV_CODEC_ID_MPEG4: return look_mpeg4(packet);
    case AV_CODEC_ID_VP8: {
      const bool key = (packet.data[0] & 1) == 0;
      return {.entry = key, .clean = key, .frames = (packet.data[0] & 0x10) != 0 ? 1 : 0};
    }
    case AV_CODEC_ID_VP9: return look_vp9(packet);
    case AV_CODEC_ID_AV1: return look_av1(packet);
    default: {
      const bool all = entries_ == Entries::all;
      return {.entry = all, .clean = all};
    }
  }
}

}  // namespace distal::ffmpeg
