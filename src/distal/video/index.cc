#include "distal/video/index.h"

#include <algorithm>
#include <unordered_map>

namespace distal::ffmpeg {
namespace {

constexpr const char* kOtherOrder = "its frames come in another order than its times say";

bool is_entry(const SeenPacket& packet) { return packet.flagged && packet.said.entry; }

}  // namespace

void Indexing::add(const SeenPacket& packet) { packets_.push_back(packet); }

/// What an edit list leaves out lies before the first shown frame or after the last.
bool Indexing::one_span() const {
  int64_t first = INT64_MAX;
  int64_t last = INT64_MIN;
  for (const auto& packet : packets_) {
    if (packet.shown) {
      first = std::min(first, packet.pts);
      last = std::max(last, packet.pts);
    }
  }
  return std::none_of(packets_.begin(), packets_.end(), [&](const SeenPacket& p) {
    return !p.shown && p.pts >= first && p.pts <= last;
  });
}

std::string Indexing::doubt(const AVStream& stream, const AVInputFormat& format,
                            const Bitstream& bitstream) const {
  if (!bitstream.doubt().empty()) return bitstream.doubt();
  if ((format.flags & AVFMT_NOTIMESTAMPS) != 0 || format.raw_codec_id != AV_CODEC_ID_NONE)
    return "its format stores no times";
  if (std::string_view(format.name) == "mpeg") return "a program stream names few times";
  const auto at = [&](int64_t pts) {
    return static_cast<double>(pts - packets_.front().pts) * av_q2d(stream.time_base);
  };
  const bool joins = (format.flags & AVFMT_TS_DISCONT) != 0;
  int64_t most = INT64_MIN;
  int64_t most_before_entry = INT64_MIN;
  int64_t dts = AV_NOPTS_VALUE;
  int64_t place = -1;
  std::vector<int64_t> times;
  for (const auto& packet : packets_) {
    if (packet.pts == AV_NOPTS_VALUE) return "some of its packets carry no time";
    if (std::string_view(format.name) == "mpegts" && packet.place == place)
      return "some of its packets carry no time";
    if (is_entry(packet)) most_before_entry = most;
    if ((is_entry(packet) && packet.pts <= most) || packet.pts <= most_before_entry ||
        (packet.dts != AV_NOPTS_VALUE && packet.dts < dts)) {
      return fmt::format("time runs back at {:.2f} s, as where two recordings were put together",
                         at(most));
    }
    const bool known = packet.dts != AV_NOPTS_VALUE && dts != AV_NOPTS_VALUE;
    if (joins && known &&
        static_cast<double>(packet.dts - dts) * av_q2d(stream.time_base) >
            kJump_s - 1) {  // the decoder knows for how long the one before stays
      return fmt::format("for {:g} s and more no frame comes after {:.2f} s, as where recordings "
                         "were put together",
                         kJump_s - 1, at(most));
    }
    most = std::max(most, packet.pts);
    dts = packet.dts;
    place = packet.place;
    times.push_back(packet.pts);
  }
  std::sort(times.begin(), times.end());
  if (std::adjacent_find(times.begin(), times.end()) != times.end())
    return "some of its frames have the same time";
  return one_span() ? "" : "its edit list has several parts";
}

bool Indexing::wants_decoder(const Bitstream& bitstream) const {
  if (packets_.empty() || !packets_.front().said.clean ||
      bitstream.entries() == Bitstream::Entries::decoded)
    return true;
  return std::any_of(packets_.begin(), packets_.end(),
                     [](const SeenPacket& packet) { return packet.said.frames < 0; });
}

Index Indexing::from_packets(const std::vector<PlayedFrame>& head) const {
  const int64_t first_pts = head.empty() ? INT64_MIN : head.front().pts;
  Index index;
  for (const auto& packet : packets_) {
    if (!packet.shown || packet.said.frames == 0 || packet.pts < first_pts) continue;
    index.frames.push_back(
        {packet.pts, static_cast<double>(packet.pts), packet.duration, is_entry(packet)});
  }
  std::sort(index.frames.begin(), index.frames.end(),
            [](const IndexedFrame& a, const IndexedFrame& b) { return a.pts < b.pts; });
  for (size_t i = 0; i < head.size(); ++i) {
    const bool same = i < index.frames.size() && index.frames[i].pts == head[i].pts &&
                      head[i].time == head[i].pts && (!index.frames[i].key || head[i].intra);
    if (!same) index.doubt = kOtherOrder;
  }
  return index;
}

Index Indexing::from_frames(const Playback& playback, std::string doubt,
                            const Bitstream& bitstream) const {
  std::unordered_map<int64_t, const SeenPacket*> by_time;
  for (const auto& packet : packets_) {
    if (packet.shown) by_time.emplace(packet.pts, &packet);
  }
  Index index{{}, std::move(doubt)};
  int64_t before = INT64_MIN;
  for (const auto& frame : playback.frames) {
    if (!index.doubt.empty()) break;
    const auto packet = by_time.find(frame.pts);
    const bool in_turn = packet != by_time.end() && frame.pts > before && frame.time == frame.pts;
    if (!in_turn || (is_entry(*packet->second) && !frame.intra &&
                     bitstream.entries() == Bitstream::Entries::read)) {
      index.doubt = kOtherOrder;
      break;
    }
    before = frame.pts;
    const SeenPacket& seen = *packet->second;
    const bool key = bitstream.entries() == Bitstream::Entries::decoded
                         ? frame.intra && seen.flagged
                         : is_entry(seen);
    const bool dirty = packet->second == &packets_.front() && !seen.said.clean &&
                       bitstream.entries() != Bitstream::Entries::decoded;
    index.frames.push_back(
        {frame.pts, static_cast<double>(frame.pts), seen.duration, key && !dirty});
  }
  if (index.doubt.empty()) return index;
  index.frames.clear();
  const auto ticks = ascending_ticks(playback.frames);
  for (size_t i = 0; i < ticks.size(); ++i)
    index.frames.push_back({static_cast<int64_t>(i), ticks[i], playback.frames[i].duration, false});
  return index;
}

}  // namespace distal::ffmpeg
