#include "distal/video/browser.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <vector>

#include "distal/video/ffmpeg.h"

namespace distal {

using namespace ffmpeg;

namespace {

constexpr double kOpening_s = 10;
constexpr int64_t kPlaces = 8;      // where groups of pictures are looked at
constexpr int kMostReordered = 20;  // packets behind a key frame's that may be shown before it

int64_t longest_group(const VideoInfo& info) {
  int64_t longest = 0;
  int64_t length = 0;
  for (const auto key : info.key) {
    length = key ? 1 : length + 1;
    longest = std::max(longest, length);
  }
  return longest;
}

std::string doubt_of_probe(const VideoInfo& info, const BrowserLimits& limits) {
  if (!info.damage.empty()) return "it is damaged: " + info.damage.front();
  if (!info.seekable) return "seeks do not find its frames: " + info.doubt;
  if (info.rotation != 0 || info.mirrored) return "its pictures are stored turned";
  if (info.key.empty() || !info.key.front()) return "it does not begin with a key frame";
  if (info.width * info.height > limits.most_pixels)
    return fmt::format("its pictures are large, {} by {}", info.width, info.height);
  if (const int64_t longest = longest_group(info); longest > limits.longest_gop)
    return fmt::format("{} frames lie between two of its key frames", longest);
  const double rate = 8 * static_cast<double>(info.bytes) / info.duration_s;
  if (rate > limits.most_bits_per_s)
    return fmt::format("it has {:.0f} million bits a second", rate / 1e6);
  return "";
}

/// The document type of a Matroska, which its head names (RFC 8794, 11.2.5).
bool is_webm(const std::string& path) {
  std::string head(64, '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), std::ssize(head));
  return head.find("\x42\x82\x84webm") != std::string::npos;
}

bool is_playable_h264(const AVCodecParameters& codec) {
  constexpr int kProfiles[] = {FF_PROFILE_H264_BASELINE, FF_PROFILE_H264_CONSTRAINED_BASELINE,
                               FF_PROFILE_H264_MAIN, FF_PROFILE_H264_HIGH};
  const bool progressive =
      codec.field_order == AV_FIELD_PROGRESSIVE || codec.field_order == AV_FIELD_UNKNOWN;
  return progressive && std::find(std::begin(kProfiles), std::end(kProfiles), codec.profile) !=
                            std::end(kProfiles);
}

bool has_plain_pixels(const AVCodecParameters& codec) {
  return codec.format == AV_PIX_FMT_YUV420P || codec.format == AV_PIX_FMT_YUVJ420P;
}

std::string doubt_of_coding(const VideoInfo& info, const AVCodecParameters& codec) {
  const bool mp4 = info.container == "mp4" && codec.codec_id == AV_CODEC_ID_H264;
  const bool webm = info.container == "matroska" &&
                    (codec.codec_id == AV_CODEC_ID_VP9 || codec.codec_id == AV_CODEC_ID_AV1) &&
                    is_webm(info.path);
  if (!mp4 && !webm)
    return fmt::format("it is {} in {}, not H.264 in MP4, or VP9 or AV1 in WebM", info.codec,
                       info.container);
  if (!has_plain_pixels(codec)) return "its pixels are not 4:2:0 in 8 bits";
  if (mp4 && !is_playable_h264(codec)) return "browsers do not decode its profile of H.264";
  if (webm && codec.profile != 0) return fmt::format("its profile of {} is not 0", info.codec);
  return "";
}

/// Whether an MP4 has boxes `moof`: fragments, each with an index of its own.
bool has_fragments(const std::string& path) {
  constexpr int kMostBoxes = 64;  // of the file; the first fragment stands before
  std::ifstream file(path, std::ios::binary);
  std::array<uint8_t, 16> head{};
  int64_t at = 0;
  const auto number = [&](size_t first, size_t end) {
    uint64_t value = 0;
    for (size_t i = first; i < end; ++i) value = value << 8 | head[i];
    return static_cast<int64_t>(value);
  };
  for (int box = 0; box < kMostBoxes; ++box) {
    file.seekg(at);
    if (!file.read(reinterpret_cast<char*>(head.data()), std::ssize(head))) return false;
    if (std::equal(head.begin() + 4, head.begin() + 8, "moof")) return true;
    const int64_t bytes = number(0, 4) == 1 ? number(8, 16) : number(0, 4);
    if (bytes < 8 || bytes > INT64_MAX - at) return false;
    at += bytes;
  }
  return false;
}

int video_streams(const AVFormatContext& format) {
  int count = 0;
  for (unsigned i = 0; i < format.nb_streams; ++i)
    count += format.streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
  return count;
}

/// Whether frames behind the key frame at `key_pts` in the file are shown before it: they need the
/// group before, and a browser that was sent to that key frame shows others in their place.
bool leads_open_group(Input& input, int64_t key_pts) {
  if (av_seek_frame(input.format.get(), input.video->index, key_pts, AVSEEK_FLAG_BACKWARD) < 0)
    return false;
  const Packet packet = make_packet();
  int behind = -1;  // packets since the key frame's; -1: it did not come yet
  while (behind < kMostReordered && read_packet(*input.format, *packet) >= 0) {
    const bool ours = packet->stream_index == input.video->index;
    const bool key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    const int64_t pts = packet->pts;
    av_packet_unref(packet.get());
    if (!ours) continue;
    if (behind < 0 && key && pts >= key_pts) {
      behind = 0;
    } else if (behind >= 0) {
      if (pts < key_pts) return true;
      if (key) return false;
      ++behind;
    }
  }
  return false;
}

bool has_open_groups(const VideoInfo& info, Input& input) {
  std::vector<int64_t> keys;
  for (size_t i = 1; i < info.key.size(); ++i) {
    if (info.key[i]) keys.push_back(info.pts[i]);
  }
  const int64_t count = std::min<int64_t>(kPlaces, std::ssize(keys));
  for (int64_t i = 0; i < count; ++i) {
    if (leads_open_group(input, keys[static_cast<size_t>(i * std::ssize(keys) / count)]))
      return true;
  }
  return false;
}

}  // namespace

std::string why_not_in_browser(const VideoInfo& info, const BrowserLimits& limits) {
  if (auto doubt = doubt_of_probe(info, limits); !doubt.empty()) return doubt;
  if (info.pts.front() != 0) return "its times do not begin with 0";
  require_file(info.path);
  const Deadline deadline(kOpening_s);
  Input input = open_input(info.path, deadline, info.stream);
  if (auto doubt = doubt_of_coding(info, *input.video->codecpar); !doubt.empty()) return doubt;
  if (video_streams(*input.format) > 1) return "it has several video streams";
  if (info.container == "mp4" && has_fragments(info.path)) return "it is cut into fragments";
  if (input.format->start_time != AV_NOPTS_VALUE && input.format->start_time != 0)
    return "its times do not begin with 0";
  if (has_open_groups(info, input)) return "its groups of pictures are open";
  deadline.require_time(info.path, "reading");
  return "";
}

std::string why_not_copied(const VideoInfo& info, const BrowserLimits& limits) {
  if (auto doubt = doubt_of_probe(info, limits); !doubt.empty()) return doubt;
  require_file(info.path);
  const Deadline deadline(kOpening_s);
  Input input = open_input(info.path, deadline, info.stream);
  const AVCodecParameters& codec = *input.video->codecpar;
  if (codec.codec_id != AV_CODEC_ID_H264) return fmt::format("it is {}, not H.264", info.codec);
  if (!has_plain_pixels(codec)) return "its pixels are not 4:2:0 in 8 bits";
  if (!is_playable_h264(codec)) return "browsers do not decode its profile of H.264";
  if (has_open_groups(info, input)) return "its groups of pictures are open";
  deadline.require_time(info.path, "reading");
  return "";
}

}  // namespace distal
