#include "distal/video/probe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>

#include <sys/stat.h>

#include "distal/base/hash.h"
#include "distal/base/random.h"
#include "distal/video/index.h"

namespace distal {
namespace {

using namespace ffmpeg;

/// What one pass over the packets saw.
struct Pass {
  Indexing index;
  int64_t packets = 0;  // of the video stream, those included that hold nothing
  int64_t indexed = 0;  // of them in the file's own index, before it was read on
  int64_t end_dts = 0;  // of the video stream
  int64_t corrupt = 0;
  int64_t misshapen = 0;
  std::vector<int64_t> corrupt_packets;  // how many came before each
  double first_corrupt_s = 0;
  double end_s = 0;               // of any stream
  int error = 0;                  // what ended the pass, 0 at the end of the file
  Frame first = make_frame();     // the first frame that decodes
  std::vector<PlayedFrame> head;  // the first frames, as a decoder shows them
  bool ends_whole = true;         // the last group of pictures decodes, where nothing else tells
};

/// Feeds a decoder until it showed some frames: proof that there are pixels, their format, and how
/// their times go.
class Head {
 public:
  Head(const std::string& path, const AVStream& stream, Pass& pass)
      : path_(path),
        codec_(open_decoder(path, stream)),
        frame_(make_frame()),
        pass_(pass),
        most_(holds_many_back(stream.codecpar->codec_id) ? 24 : 8) {}
  void feed(const AVPacket* packet) {
    if (pass_.head.size() >= most_) return;
    if (avcodec_send_packet(codec_.get(), packet) < 0) require_frame_bytes(path_, *codec_);
    for (;;) {
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      if (code < 0)
        require_frame_bytes(path_, *codec_);
      else
        take();
    }
  }

 private:
  // H.264 and HEVC up to 16 frames, others one or two.
  static bool holds_many_back(AVCodecID codec) {
    return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC;
  }
  void take() {
    if (!filled(pass_.first)) av_frame_ref(pass_.first.get(), frame_.get());
    pass_.head.push_back({frame_->pts, frame_->best_effort_timestamp, 0,
                          frame_->pict_type == AV_PICTURE_TYPE_I, is_sound(*frame_)});
  }

  const std::string& path_;
  Codec codec_;
  Frame frame_;
  Pass& pass_;
  size_t most_;  // more than the codec holds back
};

/// H.264 and HEVC in MP4 or Matroska: a packet is a row of units, each after its length; they must
/// fill it exactly.
bool units_fill(const AVPacket& packet, const AVCodecParameters& codec) {
  const bool avc = codec.codec_id == AV_CODEC_ID_H264;
  const bool hevc = codec.codec_id == AV_CODEC_ID_HEVC;
  if (!(avc || hevc) || codec.extradata_size < 23 - 16 * avc || codec.extradata[0] != 1)
    return true;
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
  if (corrupt) pass.corrupt_packets.push_back(std::ssize(pass.index.packets()));
  ++(corrupt ? pass.corrupt : pass.misshapen);
}

/// The packets from the last entry on, kept to see whether they decode: a transport stream does not
/// say where it should end.
class LastGroup {
 public:
  explicit LastGroup(const Input& input) : wanted_(counts_packets(*input.format->iformat)) {}
  void add(const AVPacket& packet, bool entry) {
    if (!wanted_) return;
    if (entry) {
      packets_.clear();
      bytes_ = 0;
    }
    if (entry || !packets_.empty()) packets_.emplace_back(av_packet_clone(&packet));
    bytes_ += packet.size;
    if (bytes_ > kMost) packets_.clear();  // so long a group is believed
  }
  bool is_whole(const std::string& path, const AVStream& stream) const {
    if (packets_.empty()) return true;
    const Codec codec = open_decoder(path, stream);
    const Frame frame = make_frame();
    bool whole = true;
    const auto receive = [&] {
      for (int code; (code = avcodec_receive_frame(codec.get(), frame.get())) != AVERROR(EAGAIN) &&
                     code != AVERROR_EOF;)
        whole &= code >= 0 && (is_sound(*frame) || frame->pts < packets_.front()->pts);
    };
    for (const auto& packet : packets_) {
      whole &= packet && avcodec_send_packet(codec.get(), packet.get()) >= 0;
      receive();
    }
    avcodec_send_packet(codec.get(), nullptr);
    receive();
    return whole;
  }

 private:
  static constexpr int64_t kMost = int64_t{64} << 20;
  bool wanted_;
  int64_t bytes_ = 0;
  std::vector<Packet> packets_;
};

/// Bytes that a file says it has: a Matroska and an AVI in their heads, a transport stream in whole
/// packets of 188 or 192. 0: it does not say.
int64_t promised_bytes(const std::string& path, const std::string& container, int64_t bytes) {
  std::array<uint8_t, 4096> head{};
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  const auto there =
      file ? static_cast<int64_t>(std::fread(head.data(), 1, head.size(), file.get())) : 0;
  if (container == "avi") {
    uint32_t riff = 0;
    std::memcpy(&riff, head.data() + 4, 4);
    return riff == UINT32_MAX ? 0 : int64_t{riff} + 8;
  }
  if (container == "mpegts") {
    for (const int64_t packet : {188, 192}) {
      const auto sync = static_cast<size_t>(packet - 188);
      if (head[sync] == 0x47 && head[sync + static_cast<size_t>(packet)] == 0x47)
        return (bytes + packet - 1) / packet * packet;
    }
  }
  if (container != "matroska") return 0;
  int64_t at = 0;
  const auto number = [&](bool marked) {  // EBML (RFC 8794, 4): as many zeros as bytes follow; -1:
                                          // all ones, or past the head
    if (at >= there || head[static_cast<size_t>(at)] == 0) return int64_t{-1};
    const int bytes = std::countl_zero(head[static_cast<size_t>(at)]) + 1;
    int64_t value = marked ? head[static_cast<size_t>(at)]
                           : head[static_cast<size_t>(at)] & ((1 << (8 - bytes)) - 1);
    bool open = value == (1 << (8 - bytes)) - 1;
    for (int i = 1; i < bytes && at + i < there; ++i) {
      value = value << 8 | head[static_cast<size_t>(at + i)];
      open &= head[static_cast<size_t>(at + i)] == 0xff;
    }
    at += bytes;
    return !marked && open ? int64_t{-1} : value;
  };
  for (constexpr int64_t kSegment = 0x18538067; at < there;) {
    const int64_t name = number(true);
    const int64_t bytes = number(false);
    if (name == kSegment) return bytes > 0 ? at + bytes : 0;
    if (name < 0 || bytes < 0) return 0;
    at += bytes;
  }
  return 0;
}

Pass read_packets(const std::string& path, Input& input, Bitstream& bitstream,
                  const Deadline& deadline) {
  Pass pass;
  pass.indexed = avformat_index_get_entries_count(input.video);
  Head head(path, *input.video, pass);
  LastGroup last(input);
  const Packet packet = make_packet();
  int code = 0;
  while ((code = read_packet(*input.format, *packet)) >= 0) {
    deadline.require_time(path, "probing");
    const AVStream& stream = *input.format->streams[packet->stream_index];
    if (packet->pts != AV_NOPTS_VALUE) {
      pass.end_s = std::max(pass.end_s, static_cast<double>(packet->pts + packet->duration) *
                                            av_q2d(stream.time_base));
    }
    if (packet->stream_index == input.video->index) {
      ++pass.packets;
      if (packet->dts != AV_NOPTS_VALUE)
        pass.end_dts = std::max(pass.end_dts, packet->dts + packet->duration);
      note_damage(*packet, stream, pass);
      if (!is_empty(*packet)) {
        const bool flagged = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        const bool shown = (packet->flags & AV_PKT_FLAG_DISCARD) == 0;
        const Bitstream::Said said = bitstream.look(*packet);
        pass.index.add(
            {packet->pts, packet->dts, packet->duration, packet->pos, flagged, shown, said});
        last.add(*packet, said.entry);
        head.feed(packet.get());
      }
    }
    av_packet_unref(packet.get());
  }
  deadline.require_time(path, "probing");
  require_disk(path, *input.format);
  pass.error = code == AVERROR_EOF ? 0 : code;
  head.feed(nullptr);
  pass.ends_whole = last.is_whole(path, *input.video);
  return pass;
}

/// Every frame within 2 ticks (containers round) or 2 % of a frame of its place on an even grid.
bool evenly_spaced(const std::vector<IndexedFrame>& frames) {
  if (frames.size() < 3) return true;
  const double step =
      (frames.back().tick - frames.front().tick) / static_cast<double>(frames.size() - 1);
  for (size_t i = 0; i < frames.size(); ++i) {
    const double off = frames[i].tick - frames.front().tick - step * static_cast<double>(i);
    if (std::abs(off) > std::max(2.0, 0.02 * step)) return false;
  }
  return true;
}

/// No frame near those packets stays twice as long as usual.
bool is_gapless(const Index& index, const std::vector<int64_t>& packets) {
  constexpr int64_t kReordered = 4;
  const auto& frames = index.frames;
  if (frames.empty()) return false;
  const int64_t last = std::ssize(frames) - 1;
  const double usual =
      (frames.back().tick - frames.front().tick) / static_cast<double>(std::max<int64_t>(1, last));
  for (const int64_t packet : packets) {
    for (int64_t i = std::max<int64_t>(0, packet - kReordered);
         i < std::min(last, packet + kReordered); ++i) {
      if (frames[static_cast<size_t>(i + 1)].tick - frames[static_cast<size_t>(i)].tick >
          1.9 * usual)
        return false;
    }
  }
  return true;
}

/// Ticks the last frame stays: as its packet says, unless that is far from usual (muxers that do
/// not know write one tick); a lone frame without a duration stays one 25th of a second.
double last_ticks(const std::vector<IndexedFrame>& frames, const AVStream& stream) {
  const auto said = static_cast<double>(frames.back().duration);
  if (frames.size() > 1) {
    const double usual =
        (frames.back().tick - frames.front().tick) / static_cast<double>(frames.size() - 1);
    return said > usual / 4 ? said : usual;
  }
  return said > 0 ? said : 1 / (25 * av_q2d(stream.time_base));
}

void fill_times(const std::vector<IndexedFrame>& frames, const AVStream& stream, VideoInfo& info) {
  const double tick_s = av_q2d(stream.time_base);
  for (const IndexedFrame& frame : frames) {
    info.pts.push_back(frame.pts);
    info.key.push_back(frame.key);
    info.time_s.push_back((frame.tick - frames.front().tick) * tick_s);
  }
  info.duration_s = info.time_s.back() + last_ticks(frames, stream) * tick_s;
  info.average_rate = static_cast<double>(frames.size()) / info.duration_s;
  info.constant_rate = evenly_spaced(frames);
}

std::string container_name(const AVFormatContext& format) {
  const std::string names = format.iformat->name;
  if (names.find("mp4") != std::string::npos) return "mp4";
  return names.substr(0, names.find(','));
}

void describe(const Input& input, const AVFrame& first, VideoInfo& info) {
  const AVStream& stream = *input.video;
  info.stream = stream.index;
  info.codec = avcodec_get_name(stream.codecpar->codec_id);
  info.container = container_name(*input.format);
  info.audio_streams = audio_streams(*input.format);
  const Orientation upright = orientation_of(first, stream);
  info.rotation = upright.rotation;
  info.mirrored = upright.mirrored;
  const bool lying = info.rotation % 180 != 0;
  info.width = lying ? first.height : first.width;
  info.height = lying ? first.width : first.height;
  info.full_range = is_full_range(first);
}

/// Frames that are there of those that the header promises; promised 0: it promises nothing. An
/// edit list may leave samples of an MP4 out. The empty chunks of an AVI, where nothing new was to
/// be shown, count in its header and in its times, but are no packets.
struct Promise {
  int64_t there = 0;
  int64_t promised = 0;
};

Promise promise_of(const Pass& pass, const Input& input, const std::string& container) {
  const int64_t promised = input.video->nb_frames;
  const int64_t indexed = avformat_index_get_entries_count(input.video);
  if (container == "mp4") return {pass.packets, std::min(promised, indexed)};
  if (container != "avi") return {pass.packets, promised};
  const bool has_index = pass.indexed >= pass.packets;  // it stands at the end
  return has_index ? Promise{pass.packets, pass.indexed}
                   : Promise{std::max(pass.packets, pass.end_dts), promised};
}

std::string counted_of(int64_t count, const char* one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::vector<std::string> damage_of(const Pass& pass, const Input& input, const VideoInfo& info) {
  std::vector<std::string> damage;
  const int64_t first = pass.first->best_effort_timestamp;
  const double begin_s =
      first == AV_NOPTS_VALUE
          ? 0
          : static_cast<double>(first) *
                av_q2d(input.video->time_base);  // times begin with the first frame
  const double corrupt_s = std::max(0.0, pass.first_corrupt_s - begin_s);
  if (pass.corrupt > 0)
    damage.push_back(fmt::format("{}, the first at {:.2f} s",
                                 counted_of(pass.corrupt, "corrupt packet"), corrupt_s));
  if (pass.misshapen > 0) {
    damage.push_back(fmt::format("{} overwritten, the first near {:.2f} s",
                                 counted_of(pass.misshapen, "packet"), corrupt_s));
  }
  if (const auto [there, promised] = promise_of(pass, input, info.container); there < promised) {
    damage.push_back(fmt::format("truncated: {} of {} frames are in the file", there, promised));
  }
  if (const int64_t promised = promised_bytes(info.path, info.container, info.bytes);
      promised > info.bytes) {
    damage.push_back(
        fmt::format("truncated: {} of {} bytes are in the file", info.bytes, promised));
  }
  const double header_s = static_cast<double>(input.format->duration) / AV_TIME_BASE;
  if (damage.empty() && (info.container == "matroska" || info.container == "flv") &&
      header_s > pass.end_s + 0.5) {
    damage.push_back(fmt::format("truncated: the header says {:.2f} s, packets end at {:.2f} s",
                                 header_s, pass.end_s));
  }
  if (pass.error != 0)
    damage.push_back(
        fmt::format("reading stopped at {:.2f} s: {}", pass.end_s - begin_s, words(pass.error)));
  return damage;
}

/// What FFmpeg had to patch or to give up.
void note_faults(const Playback& playback, const Index& index, const AVStream& stream,
                 VideoInfo& info) {
  const auto& frames = playback.frames;
  const auto is_patched = [](const PlayedFrame& frame) { return !frame.sound; };
  const auto first = std::find_if(frames.begin(), frames.end(), is_patched);
  const int64_t patched = std::count_if(first, frames.end(), is_patched);
  if (patched > 0) {
    const double at_s = (index.frames[static_cast<size_t>(first - frames.begin())].tick -
                         index.frames.front().tick) *
                        av_q2d(stream.time_base);
    info.damage.push_back(
        fmt::format("{} {} not whole, the first at {:.2f} s; the one before stands for each",
                    counted_of(patched, "frame"), patched == 1 ? "is" : "are", at_s));
  }
  if (playback.faults > patched)
    info.damage.push_back(
        fmt::format("{} cannot be decoded", counted_of(playback.faults - patched, "packet")));
}

std::string hash_of(const std::string& path, const Deadline& deadline) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail("{}: cannot be read: {}", path, std::strerror(errno));
  std::vector<char> block(size_t{1} << 20);
  uint64_t hash = 0x9e3779b97f4a7c15ULL;
  uint64_t bytes = 0;
  while (const size_t count = std::fread(block.data(), 1, block.size(), file.get())) {
    deadline.require_time(path, "reading");
    std::fill_n(block.begin() + static_cast<int64_t>(count), (8 - count % 8) % 8,
                0);  // the last word of the file
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
  struct stat file {};
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
  const double reading_s = 10 + static_cast<double>(stamp->bytes) / 10e6;
  const double decoding_s = 60 + static_cast<double>(stamp->bytes) / 1e6;
  const Deadline deadline(reading_s);
  Input input = open_input(path, deadline);
  require_size(path, input.video->codecpar->width, input.video->codecpar->height);
  Bitstream bitstream(*input.video);
  Pass pass = read_packets(path, input, bitstream, deadline);
  if (!filled(pass.first))
    fail("{}: no readable frame in {} packets; remove it from the list", path, pass.packets);
  require_size(path, pass.first->width, pass.first->height);

  VideoInfo info;
  info.path = path;
  info.bytes = stamp->bytes;
  info.modified_ns = stamp->modified_ns;
  info.id = hash_of(path, Deadline(reading_s));
  info.stopped_by = pass.error;
  describe(input, *pass.first, info);
  info.damage = damage_of(pass, input, info);
  std::string doubt = pass.index.doubt(*input.video, *input.format->iformat, bitstream);
  const bool asks_decoder = !doubt.empty() || !info.damage.empty() || !pass.ends_whole ||
                            pass.index.wants_decoder(bitstream);
  Index index;
  if (!asks_decoder) {
    index = pass.index.from_packets(pass.head);
    doubt = index.doubt;
  }
  if (asks_decoder || !doubt.empty()) {
    const Playback playback = play(path, Deadline(decoding_s));
    index = pass.index.from_frames(playback, doubt, bitstream);
    const bool sound =
        playback.faults == 0 && pass.corrupt > 0 && counts_packets(*input.format->iformat);
    if (sound && !playback.jumped &&
        (playback.joined ||
         is_gapless(
             index,
             pass.corrupt_packets))) {  // a counter that jumps where recordings were put together
      pass.corrupt = 0;
      info.damage = damage_of(pass, input, info);
    }
    note_faults(playback, index, *input.video, info);
    const auto& frames = playback.frames;
    if (!frames.empty() && std::none_of(frames.begin(), frames.end(),
                                        [](const PlayedFrame& frame) { return frame.sound; }))
      fail("{}: none of its {} is whole; copy it again, or remove it from the list", path,
           counted_of(std::ssize(frames), "frame"));
  }
  if (index.frames.empty())
    fail("{}: no frame can be shown; rewrite the file with ffmpeg -i IN -c copy OUT.mkv", path);
  info.seekable = index.doubt.empty();
  info.doubt = index.doubt;
  fill_times(index.frames, *input.video, info);
  if (FileStamp::of(path) != stamp)
    fail("{}: changed while it was probed; try again when it is complete", path);
  return info;
}

}  // namespace distal
