#include "video/probe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>

#include <sys/stat.h>

#include "base/random.h"
#include "video/ffmpeg.h"

namespace distal {
namespace {

using namespace ffmpeg;

struct Shown {
  int64_t pts = 0, duration = 0;
  bool key = false;
};

/// What one pass over the packets saw.
struct Pass {
  std::vector<Shown> shown;     // in file order
  int64_t packets = 0;          // of the video stream
  int64_t keys = 0;             // of them
  int64_t untimed = 0, untimed_keys = 0;  // without a presentation time
  int64_t corrupt = 0, misshapen = 0;
  double first_corrupt_s = 0, end_s = 0;  // end_s: of any stream
  int error = 0;                // what ended the pass, 0 at the end of the file
  Frame first;                  // the first frame that decodes
};

/// Feeds a decoder until it shows one frame: proof that there are pixels, and their format.
class FirstFrame {
 public:
  FirstFrame(const std::string& path, const AVStream& stream) : codec_(open_decoder(path, stream)), frame_(make_frame()) {}
  void feed(const AVPacket* packet) {
    if (filled(frame_)) return;
    avcodec_send_packet(codec_.get(), packet);
    while (!filled(frame_)) {
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    }
  }
  Frame take() {
    feed(nullptr);
    return std::move(frame_);
  }

 private:
  Codec codec_;
  Frame frame_;
};

/// VP8 stores frames that are never shown as packets of their own; bit 4 of the first byte is show_frame (RFC 6386, 9.1).
bool is_shown(const AVPacket& packet, AVCodecID codec) {
  if ((packet.flags & AV_PKT_FLAG_DISCARD) != 0) return false;  // before or after an edit list's span
  return codec != AV_CODEC_ID_VP8 || packet.size == 0 || (packet.data[0] & 0x10) != 0;
}

/// H.264 and HEVC in MP4 or Matroska: a packet is a row of units, each after its length; they must fill it exactly.
bool units_fill(const AVPacket& packet, const AVCodecParameters& codec) {
  const bool avc = codec.codec_id == AV_CODEC_ID_H264, hevc = codec.codec_id == AV_CODEC_ID_HEVC;
  if (!(avc || hevc) || codec.extradata_size < 23 - 16 * avc || codec.extradata[0] != 1) return true;
  const int length_bytes = (codec.extradata[avc ? 4 : 21] & 3) + 1;
  int64_t at = 0;
  while (at + length_bytes <= packet.size) {
    int64_t length = 0;
    for (int i = 0; i < length_bytes; ++i) length = length << 8 | packet.data[at + i];
    at += length_bytes + length;
  }
  return at == packet.size;
}

void note_damage(const AVPacket& packet, const AVStream& stream, Pass& pass) {
  const bool corrupt = (packet.flags & AV_PKT_FLAG_CORRUPT) != 0;
  if (!corrupt && units_fill(packet, *stream.codecpar)) return;
  const int64_t pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
  if (pass.corrupt + pass.misshapen == 0 && pts != AV_NOPTS_VALUE) {
    pass.first_corrupt_s = static_cast<double>(pts) * av_q2d(stream.time_base);
  }
  ++(corrupt ? pass.corrupt : pass.misshapen);
}

void count(const AVPacket& packet, const AVStream& stream, Pass& pass) {
  const bool key = (packet.flags & AV_PKT_FLAG_KEY) != 0, timed = packet.pts != AV_NOPTS_VALUE;
  ++pass.packets;
  pass.keys += key;
  pass.untimed += !timed;
  pass.untimed_keys += key && !timed;
  if (timed && is_shown(packet, stream.codecpar->codec_id)) pass.shown.push_back({packet.pts, packet.duration, key});
}

/// An AVI with B-frames gives a time to none of its key packets; other files lack a few, where they are damaged.
bool is_timed(const Pass& pass) { return 2 * pass.untimed <= pass.packets && 2 * pass.untimed_keys <= pass.keys; }

Pass read_packets(const std::string& path, Input& input, const Deadline& deadline) {
  Pass pass;
  FirstFrame first(path, *input.video);
  const Packet packet = make_packet();
  int code = 0;
  while ((code = read_packet(*input.format, *packet)) >= 0) {
    deadline.require_time(path, "probing");
    const AVStream& stream = *input.format->streams[packet->stream_index];
    if (packet->pts != AV_NOPTS_VALUE) {
      pass.end_s = std::max(pass.end_s, static_cast<double>(packet->pts + packet->duration) * av_q2d(stream.time_base));
    }
    if (packet->stream_index == input.video->index) {
      count(*packet, stream, pass);
      note_damage(*packet, stream, pass);
      first.feed(packet.get());
    }
    av_packet_unref(packet.get());
  }
  deadline.require_time(path, "probing");
  require_disk(path, *input.format);
  pass.error = code == AVERROR_EOF ? 0 : code;
  pass.first = first.take();
  return pass;
}

/// Files whose packets carry no presentation time: the decoder tells, from the file's start.
std::vector<Shown> decode_times(const std::string& path, const Deadline& deadline) {
  Input input = open_input(path, deadline);
  const Codec codec = open_decoder(path, *input.video);
  const Packet packet = make_packet();
  const Frame frame = make_frame();
  Clock clock;
  std::vector<Shown> shown;
  int code = 0;
  while (code != AVERROR_EOF) {
    deadline.require_time(path, "decoding it whole, for its packets carry no times,");
    code = avcodec_receive_frame(codec.get(), frame.get());
    if (code >= 0) shown.push_back({clock.time_of(*frame), frame->pkt_duration, false});
    if (code != AVERROR(EAGAIN)) continue;
    const bool more = read_packet(*input.format, *packet) >= 0;
    if (!more || packet->stream_index == input.video->index) avcodec_send_packet(codec.get(), more ? packet.get() : nullptr);
    av_packet_unref(packet.get());
  }
  require_disk(path, *input.format);
  return shown;
}

/// Presentation order, each time once, from the first frame the decoder shows on.
std::vector<Shown> in_order(std::vector<Shown> shown, int64_t first_pts) {
  std::erase_if(shown, [&](const Shown& s) { return s.pts < first_pts; });
  std::stable_sort(shown.begin(), shown.end(), [](const Shown& a, const Shown& b) { return a.pts < b.pts; });
  shown.erase(std::unique(shown.begin(), shown.end(), [](const Shown& a, const Shown& b) { return a.pts == b.pts; }),
              shown.end());
  return shown;
}

/// Every frame within 2 ticks (containers round) or 2 % of a frame of its place on an even grid.
bool evenly_spaced(const std::vector<int64_t>& pts) {
  if (pts.size() < 3) return true;
  const double step = static_cast<double>(pts.back() - pts.front()) / static_cast<double>(pts.size() - 1);
  for (size_t i = 0; i < pts.size(); ++i) {
    const double off = static_cast<double>(pts[i] - pts.front()) - step * static_cast<double>(i);
    if (std::abs(off) > std::max(2.0, 0.02 * step)) return false;
  }
  return true;
}

/// Ticks the last frame stays: as its packet says, unless that is far from usual (muxers that do not know write one tick);
/// a lone frame without a duration stays one 25th of a second.
double last_ticks(const std::vector<Shown>& shown, const AVStream& stream) {
  const auto said = static_cast<double>(shown.back().duration);
  if (shown.size() > 1) {
    const double usual = static_cast<double>(shown.back().pts - shown.front().pts) / static_cast<double>(shown.size() - 1);
    return said > usual / 4 ? said : usual;
  }
  return said > 0 ? said : 1 / (25 * av_q2d(stream.time_base));
}

void fill_times(const std::vector<Shown>& shown, const AVStream& stream, VideoInfo& info) {
  const double tick_s = av_q2d(stream.time_base);
  for (const Shown& s : shown) {
    info.pts.push_back(s.pts);
    info.key.push_back(s.key);
    info.time_s.push_back(static_cast<double>(s.pts - shown.front().pts) * tick_s);
  }
  info.duration_s = info.time_s.back() + last_ticks(shown, stream) * tick_s;
  info.average_rate = static_cast<double>(shown.size()) / info.duration_s;
  info.constant_rate = evenly_spaced(info.pts);
}

Orientation orientation(const AVStream& stream) {
  size_t bytes = 0;
  const uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
  std::array<int32_t, 9> values;
  if (!matrix || bytes < sizeof(values)) return {};
  std::memcpy(values.data(), matrix, sizeof(values));
  return orientation_of(values.data());
}

/// Sides of 0: the header does not say.
void require_size(const std::string& path, int width, int height) {
  const auto [shorter, longer] = std::minmax(width, height);
  if (longer > kMostSide_px || (shorter > 0 && longer / shorter > kMostAspect)) {
    fail("{}: pictures of {} x {} px; sides up to {} px, one at most {} times the other, are read; convert the video", path, width, height,
         kMostSide_px, kMostAspect);
  }
}

std::string container_name(const AVFormatContext& format) {
  const std::string names = format.iformat->name;
  if (names.find("mp4") != std::string::npos) return "mp4";
  return names.substr(0, names.find(','));
}

void describe(const Input& input, const AVFrame& first, VideoInfo& info) {
  const AVStream& stream = *input.video;
  info.codec = avcodec_get_name(stream.codecpar->codec_id);
  info.container = container_name(*input.format);
  info.audio_streams = audio_streams(*input.format);
  const Orientation upright = orientation(stream);
  info.rotation = upright.rotation;
  info.mirrored = upright.mirrored;
  const bool lying = info.rotation % 180 != 0;
  info.width = lying ? first.height : first.width;
  info.height = lying ? first.width : first.height;
  info.full_range = is_full_range(first);
}

/// Packets that the header promises; 0 where it promises nothing. An edit list may leave samples of an MP4 out.
int64_t promised_packets(const Input& input, const std::string& container) {
  if (container != "mp4") return input.video->nb_frames;
  return std::min<int64_t>(input.video->nb_frames, avformat_index_get_entries_count(input.video));
}

std::vector<std::string> damage_of(const Pass& pass, const Input& input, const VideoInfo& info) {
  std::vector<std::string> damage;
  if (pass.corrupt > 0) damage.push_back(fmt::format("{} corrupt packets, the first at {:.2f} s", pass.corrupt, pass.first_corrupt_s));
  if (pass.misshapen > 0) {
    damage.push_back(fmt::format("{} packets overwritten, the first near {:.2f} s", pass.misshapen, pass.first_corrupt_s));
  }
  if (const int64_t promised = promised_packets(input, info.container); pass.packets < promised) {
    damage.push_back(fmt::format("truncated: {} of {} frames are in the file", pass.packets, promised));
  }
  const double header_s = static_cast<double>(input.format->duration) / AV_TIME_BASE;
  if (info.container == "matroska" && header_s > pass.end_s + 0.5) {
    damage.push_back(fmt::format("truncated: the header says {:.2f} s, packets end at {:.2f} s", header_s, pass.end_s));
  }
  if (info.timed && pass.untimed > 0) damage.push_back(fmt::format("{} packets without a time, their frames are left out", pass.untimed));
  if (pass.error != 0) damage.push_back(fmt::format("reading stopped at {:.2f} s: {}", pass.end_s, words(pass.error)));
  return damage;
}

std::string hash_of(const std::string& path, const Deadline& deadline) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail("{}: cannot be read: {}", path, std::strerror(errno));
  std::vector<char> block(size_t{1} << 20);
  uint64_t hash = 0x9e3779b97f4a7c15ULL, bytes = 0;
  while (const size_t count = std::fread(block.data(), 1, block.size(), file.get())) {
    deadline.require_time(path, "reading");
    std::fill_n(block.begin() + static_cast<int64_t>(count), (8 - count % 8) % 8, 0);  // the last word of the file
    for (size_t at = 0; at < count; at += 8) {
      uint64_t word;
      std::memcpy(&word, block.data() + at, 8);
      hash = std::rotl(hash ^ (word * 0x87c37b91114253d5ULL), 29) * 0x4cf5ad432745937fULL;
    }
    bytes += count;
  }
  if (std::ferror(file.get())) fail("{}: cannot be read to its end", path);
  return fmt::format("{:016x}", mix64(hash ^ bytes));
}

}  // namespace

std::optional<FileStamp> FileStamp::of(const std::string& path) {
  struct stat file{};
  if (stat(path.c_str(), &file) != 0) return std::nullopt;
  return FileStamp{file.st_size, file.st_mtim.tv_sec * 1'000'000'000 + file.st_mtim.tv_nsec};
}

int64_t VideoInfo::frame_at(double t_s) const {
  if (!(t_s > 0)) return 0;
  // Times that went through text or arithmetic still mean the frame they came from.
  const auto after = std::upper_bound(time_s.begin(), time_s.end(), t_s + 1e-6);
  return std::max<int64_t>(0, after - time_s.begin() - 1);
}

std::string content_id(const std::string& path) { return hash_of(path, {}); }

VideoInfo probe(const std::string& path) {
  require_file(path);
  const auto stamp = FileStamp::of(path);
  if (!stamp) fail("{}: no such file; check its path", path);
  const double reading_s = 10 + static_cast<double>(stamp->bytes) / 10e6, decoding_s = 60 + static_cast<double>(stamp->bytes) / 1e6;
  const Deadline deadline(reading_s);
  Input input = open_input(path, deadline);
  require_size(path, input.video->codecpar->width, input.video->codecpar->height);
  Pass pass = read_packets(path, input, deadline);
  if (!filled(pass.first)) fail("{}: no readable frame in {} packets; remove it from the list", path, pass.packets);
  require_size(path, pass.first->width, pass.first->height);

  VideoInfo info;
  info.path = path;
  info.bytes = stamp->bytes;
  info.modified_ns = stamp->modified_ns;
  info.id = hash_of(path, Deadline(reading_s));
  info.timed = is_timed(pass);
  info.stopped_by = pass.error;
  describe(input, *pass.first, info);
  if (!info.timed) pass.shown = decode_times(path, Deadline(decoding_s));
  const auto shown = in_order(std::move(pass.shown), info.timed ? pass.first->pts : INT64_MIN);
  if (shown.empty()) fail("{}: no frame has a presentation time; rewrite the file with ffmpeg -i IN -c copy OUT.mkv", path);
  fill_times(shown, *input.video, info);
  info.damage = damage_of(pass, input, info);
  if (FileStamp::of(path) != stamp) fail("{}: changed while it was probed; try again when it is complete", path);
  return info;
}

}  // namespace distal
