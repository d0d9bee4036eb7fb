#include "video/decoder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <unordered_set>

#include "video/convert.h"
#include "video/ffmpeg.h"

namespace distal {

using namespace ffmpeg;

namespace {

constexpr int64_t kFileStart = -1;  // a place to decode from that needs no seek
constexpr int64_t kNear = 8;        // decoding over so many frames up to a key frame costs less than a seek to it

}  // namespace

std::pair<int64_t, int64_t> Resize::apply(int64_t height, int64_t width) const {
  if (short_side_px <= 0) return {height, width};
  const int64_t side = std::min(height, width);
  const auto scaled = [&](int64_t length) { return std::max<int64_t>(1, (length * short_side_px + side / 2) / side); };
  return {scaled(height), scaled(width)};
}

struct Decoder::State {
  explicit State(const VideoInfo& video);

  /// The frame with index `index`, or what stands for it. Valid until the next call.
  const AVFrame* show(int64_t index);
  bool within_reach(int64_t index) const;
  int64_t key_before(int64_t index) const;  // the last key frame at or before `index`, else kFileStart
  int64_t start_at(int64_t key);            // where it began: `key`, or an earlier one, or kFileStart
  bool jump(int64_t target, int64_t key);
  void reopen();
  void forget();
  void advance(int64_t pts);
  bool next_frame();
  bool feed();
  void send();
  void require_time() const;

  VideoInfo info;  // loses the key frames that cannot be reached
  Deadline deadline;
  Input input;
  Codec codec;
  Converter converter;
  Packet packet = make_packet();
  Frame incoming = make_frame(), current = make_frame(), previous = make_frame();
  Clock clock;
  int64_t floor_pts = INT64_MIN;  // earlier frames lead an open GOP: their references were not decoded
  bool held = false;              // `packet` was read by a seek and not sent yet
  bool drained = false;           // the end of the file was sent
  bool may_skip = true;
  std::unordered_set<int64_t> skipped;  // presentation times the decoder was allowed to leave out since the last seek
  std::vector<int64_t> wanted;          // of this call, ascending
  Work work;
};

Decoder::State::State(const VideoInfo& video) : info(video) {
  require_file(info.path);
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(info.path));
  if (bytes != info.bytes) {
    fail("{}: changed since it was probed ({} bytes then, {} now); probe it again", info.path, info.bytes, bytes);
  }
  reopen();
}

void Decoder::State::require_time() const {
  if (deadline.passed()) fail("{}: decoding took longer than {:g} s (deadline)", info.path, deadline.budget_s());
}

int64_t Decoder::State::key_before(int64_t index) const {
  while (index >= 0 && !info.key[static_cast<size_t>(index)]) --index;
  return index;  // below 0: kFileStart
}

void Decoder::State::forget() {
  for (AVFrame* frame : {incoming.get(), current.get(), previous.get()}) av_frame_unref(frame);
  av_packet_unref(packet.get());
  held = drained = false;
  clock = {};
  floor_pts = INT64_MIN;
  skipped.clear();
}

/// Positions the file so that `packet` holds the key frame's packet, after asking FFmpeg for the place of `target`.
bool Decoder::State::jump(int64_t target, int64_t key) {
  const int64_t key_pts = info.pts[static_cast<size_t>(key)];
  const int stream = input.video->index;
  if (av_seek_frame(input.format.get(), stream, info.pts[static_cast<size_t>(target)], AVSEEK_FLAG_BACKWARD) < 0) return false;
  while (av_packet_unref(packet.get()), read_packet(*input.format, *packet) >= 0) {
    require_time();
    if (packet->stream_index != stream || (packet->flags & AV_PKT_FLAG_KEY) == 0) continue;
    if (packet->pts >= key_pts) return packet->pts == key_pts;
  }
  return false;
}

/// Some containers (MPEG-TS) land behind the place they were asked for: then ask for earlier ones, each time twice as far.
/// A key frame that none of them leads to (damage, a file that shrank) is one no longer.
int64_t Decoder::State::start_at(int64_t key) {
  ++work.seeks;
  for (; key >= 0; key = key_before(key)) {
    forget();
    int64_t back = 1;
    for (int64_t target = key; target >= 0; target = key_before(target - back), back *= 2) {
      if (jump(target, key)) {
        avcodec_flush_buffers(codec.get());
        held = true;
        floor_pts = info.pts[static_cast<size_t>(key)];
        return key;
      }
      require_time();
    }
    info.key[static_cast<size_t>(key)] = 0;
  }
  reopen();
  return kFileStart;
}

void Decoder::State::reopen() {
  forget();
  Input opened = open_input(info.path, deadline);
  codec = open_decoder(info.path, *opened.video);
  input = std::move(opened);
  for (unsigned i = 0; i < input.format->nb_streams; ++i) {
    AVStream* stream = input.format->streams[i];
    stream->discard = stream == input.video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
}

/// Frames that nobody asked for and nothing refers to need no decoding (a third of the work with two B-frames).
void Decoder::State::send() {
  const bool skip = may_skip && packet->pts != AV_NOPTS_VALUE && !wanted.empty() && packet->pts < wanted.back() &&
                    !std::binary_search(wanted.begin(), wanted.end(), packet->pts);
  codec->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
  if (skip) skipped.insert(packet->pts);
  avcodec_send_packet(codec.get(), packet.get());  // damage shows as frames that do not come
}

bool Decoder::State::feed() {
  if (drained) return false;
  bool sent = false;
  while (!sent) {
    require_time();
    if (!held && read_packet(*input.format, *packet) < 0) {
      require_time();
      drained = true;
      avcodec_send_packet(codec.get(), nullptr);
      return true;
    }
    held = false;
    sent = packet->stream_index == input.video->index;
    if (sent) send();
    av_packet_unref(packet.get());
  }
  return true;
}

bool Decoder::State::next_frame() {
  for (;;) {
    require_time();
    const int code = avcodec_receive_frame(codec.get(), incoming.get());
    if (code == AVERROR_EOF || (code == AVERROR(EAGAIN) && !feed())) return false;
    if (code < 0) continue;
    ++work.decoded;
    const int64_t pts = incoming->pts = clock.time_of(*incoming);
    if (pts < floor_pts || (filled(current) && pts <= current->pts)) continue;
    std::swap(previous, current);
    std::swap(current, incoming);
    return true;
  }
}

void Decoder::State::advance(int64_t pts) {
  while (!filled(current) || current->pts < pts) {
    if (!next_frame()) return;
  }
}

bool Decoder::State::within_reach(int64_t index) const {
  const int64_t pts = info.pts[static_cast<size_t>(index)];
  if (skipped.contains(pts)) return false;
  if (!filled(current)) return false;
  const int64_t now = current->pts;
  if (now > pts) return filled(previous) && previous->pts < pts;  // the frame did not come: damage
  const int64_t at = std::lower_bound(info.pts.begin(), info.pts.end(), now) - info.pts.begin();
  return key_before(index) <= at + kNear;
}

const AVFrame* Decoder::State::show(int64_t index) {
  const int64_t pts = info.pts[static_cast<size_t>(index)];
  int64_t start = key_before(index);
  if (!within_reach(index)) start = start_at(start);
  for (;;) {
    advance(pts);
    if (filled(current) && current->pts == pts) return current.get();
    if (!skipped.empty()) {  // perhaps it is missing only because another one was left out
      may_skip = false;
    } else {
      if (filled(current) && current->pts < pts) return current.get();
      if (filled(previous)) return previous.get();
      if (start == kFileStart) break;
      start = key_before(start - 1);
    }
    start = start_at(start);
  }
  if (!filled(current)) fail("{}: no frame can be read near {:.3f} s", info.path, info.time_s[static_cast<size_t>(index)]);
  return current.get();
}

Decoder::Decoder(const VideoInfo& info) : state_(std::make_unique<State>(info)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder::Work Decoder::work() const { return state_->work; }

Frames Decoder::at_times(std::span<const double> times_s, Resize resize, double deadline_s) {
  std::vector<int64_t> indices;
  for (const double t_s : times_s) indices.push_back(state_->info.frame_at(t_s));
  return at_frames(indices, resize, deadline_s);
}

Frames Decoder::at_frames(std::span<const int64_t> indices, Resize resize, double deadline_s) {
  State& state = *state_;
  const VideoInfo& info = state.info;
  const auto count = static_cast<int64_t>(indices.size());
  const auto [height, width] = resize.apply(info.height, info.width);
  Frames out{torch::empty({count, height, width, 3}, torch::kUInt8), torch::empty({count}, torch::kFloat64)};
  std::vector<int64_t> order(indices.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return indices[a] < indices[b]; });

  state.work = {};
  state.deadline = Deadline(deadline_s);
  state.wanted.clear();
  for (const int64_t row : order) {
    expect(indices[row] >= 0 && indices[row] < info.frames(), "a frame index lies within the video");
    state.wanted.push_back(info.pts[static_cast<size_t>(indices[row])]);
  }
  uint8_t* const rgb = out.frames.data_ptr<uint8_t>();
  const int64_t bytes = height * width * 3;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t row = order[i], index = indices[row];
    out.time_s.data_ptr<double>()[row] = info.time_s[static_cast<size_t>(index)];
    if (i > 0 && indices[order[i - 1]] == index) {
      std::copy_n(rgb + order[i - 1] * bytes, bytes, rgb + row * bytes);
      continue;
    }
    state.converter.convert(*state.show(index), info.rotation, height, width, rgb + row * bytes);
    ++state.work.converted;
  }
  return out;
}

}  // namespace distal
