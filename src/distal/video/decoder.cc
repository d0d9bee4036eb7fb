#include "distal/video/decoder.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <numeric>
#include <unordered_set>

#include "distal/video/convert.h"
#include "distal/video/playback.h"

namespace distal {

using namespace ffmpeg;

namespace {

constexpr int64_t kFileStart = -1;  // a place to decode from that needs no seek
constexpr int64_t kNowhere = -2;
constexpr size_t kManySkipped =
    256;  // times of frames left out that are remembered before the old ones are forgotten
constexpr int64_t kNear =
    8;  // decoding over so many frames up to a key frame costs less than a seek to it

/// A frame that memory was lacking for is not damaged.
void require_memory(int code) {
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
}

/// Whether a frame that nothing refers to may be left out undecoded. In VP8, VP9 and AV1 it may
/// change what later headers build on: maps of segments, probabilities.
bool leaves_nothing_behind(AVCodecID codec) {
  constexpr AVCodecID kCodecs[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG1VIDEO,
                                   AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MPEG4};
  return std::find(std::begin(kCodecs), std::end(kCodecs), codec) != std::end(kCodecs);
}

}  // namespace

std::pair<int64_t, int64_t> Resize::apply(int64_t height, int64_t width) const {
  if (short_side_px <= 0) return {height, width};
  const int64_t side = std::min(height, width);
  const auto scaled = [&](int64_t length) {
    return std::max<int64_t>(1, (length * short_side_px + side / 2) / side);
  };
  return {scaled(height), scaled(width)};
}

struct Decoder::State {
  State(const VideoInfo& video, double deadline_s);

  void begin(std::span<const int64_t> indices, double deadline_s);
  /// The frame with index `index`, or what stands for it. Valid until the next call.
  const AVFrame* show(int64_t index);
  bool within_reach(int64_t index) const;
  int64_t key_before(
      int64_t index) const;       // the last key frame at or before `index`, else kFileStart
  int64_t start_at(int64_t key);  // where it began: `key`, or an earlier one, or kFileStart
  bool jump(int64_t target, int64_t key);
  bool find(int64_t key_pts);
  void restart_codec();
  void reopen();
  void forget();
  void advance(int64_t pts);
  bool next_frame();
  bool usable(const AVFrame& frame) const;
  bool feed();
  void send();
  int read();
  void require_time() const;
  void require_unchanged() const;
  size_t place_of(int64_t pts) const;  // of the first listed frame at or after `pts`

  VideoInfo info;  // loses the key frames that cannot be reached
  const bool damaged;
  Deadline deadline;
  Input input;
  Codec codec;
  Converter converter;
  Packet packet = make_packet();
  Frame incoming = make_frame();
  Frame current = make_frame();
  Frame previous = make_frame();
  int64_t number = 0;        // of the next frame, in a file that is not seekable
  int64_t began = kNowhere;  // the key frame, or kFileStart, that `current` was decoded from
  int64_t floor_pts =
      INT64_MIN;         // earlier frames lead an open GOP: their references were not decoded
  bool held = false;     // `packet` was read by a seek and not sent yet
  bool drained = false;  // the end of the file was sent
  bool may_skip;
  bool broken_off = false;  // the last call threw: where the file stands is unknown
  bool left_out = false;    // the decoder was allowed to leave frames out since the last seek
  std::unordered_set<int64_t>
      skipped;  // their presentation times; those behind `previous` may be forgotten
  std::vector<int64_t> wanted;  // of this call, ascending
  Work work;
};

Decoder::State::State(const VideoInfo& video, double deadline_s)
    : info(video), damaged(!video.damage.empty()), deadline(deadline_s), may_skip(false) {
  require_file(info.path);
  reopen();
  may_skip = info.seekable && !damaged && leaves_nothing_behind(input.video->codecpar->codec_id);
}

void Decoder::State::require_time() const {
  if (info.seekable || !deadline.passed()) return deadline.require_time(info.path, "decoding");
  fail("{}: decoding took longer than {:g} s (deadline): it plays from its start only, for {}; "
       "distal shrink makes a copy that is quick to read",
       info.path, deadline.budget_s(), info.doubt);
}

void Decoder::State::require_unchanged() const {
  const auto now = FileStamp::of(info.path);
  if (!now) fail("{}: taken away since it was probed; put it back", info.path);
  if (*now != info.stamp()) {
    fail("{}: changed since it was probed ({} bytes then, {} now); probe it again", info.path,
         info.bytes, now->bytes);
  }
}

int64_t Decoder::State::key_before(int64_t index) const {
  while (index >= 0 && !info.key[static_cast<size_t>(index)]) --index;
  return index;  // below 0: kFileStart
}

void Decoder::State::forget() {
  for (AVFrame* frame : {incoming.get(), current.get(), previous.get()}) av_frame_unref(frame);
  av_packet_unref(packet.get());
  held = drained = false;
  began = kNowhere;
  number = 0;
  floor_pts = INT64_MIN;
  left_out = false;
  skipped.clear();
}

/// Positions the file so that `packet` holds the key frame's packet, after asking FFmpeg for the
/// place of `target`.
bool Decoder::State::jump(int64_t target, int64_t key) {
  const int64_t target_pts = info.pts[static_cast<size_t>(target)];
  if (av_seek_frame(input.format.get(), input.video->index, target_pts, AVSEEK_FLAG_BACKWARD) < 0)
    return false;
  return find(info.pts[static_cast<size_t>(key)]);
}

/// Reads on until `packet` holds the key frame's packet.
bool Decoder::State::find(int64_t key_pts) {
  const int stream = input.video->index;
  while (av_packet_unref(packet.get()), read() >= 0) {
    require_time();
    if (packet->stream_index != stream || (packet->flags & AV_PKT_FLAG_KEY) == 0) continue;
    if (packet->pts >= key_pts) return packet->pts == key_pts;
  }
  return false;
}

/// Some containers (MPEG-TS) land behind the place they were asked for: then ask for earlier ones,
/// each time twice as far, and at last read from the start of the file. A key frame that none of
/// them leads to (damage, a file that shrank) is one no longer.
int64_t Decoder::State::start_at(int64_t key) {
  ++work.seeks;
  for (; key >= 0; key = key_before(key)) {
    forget();
    int64_t back = 1;
    bool found = false;
    for (int64_t target = key; !found && target >= 0; target = key_before(target - back), back *= 2)
      found = jump(target, key);
    if (!found) reopen();
    if (found || find(info.pts[static_cast<size_t>(key)])) {
      restart_codec();
      held = true;
      floor_pts = info.pts[static_cast<size_t>(key)];
      return began = key;
    }
    info.key[static_cast<size_t>(key)] = 0;
  }
  reopen();
  return began = kFileStart;
}

/// Damage may have left false parameter sets behind, which outlive a flush.
void Decoder::State::restart_codec() {
  if (damaged)
    codec = open_decoder(info.path, *input.video);
  else
    avcodec_flush_buffers(codec.get());
}

void Decoder::State::reopen() {
  forget();
  require_unchanged();  // before: says more than what opening another file would; after: it may
                        // have come in between
  Input opened = open_input(info.path, deadline, info.stream);
  require_unchanged();
  codec = open_decoder(info.path, *opened.video);
  input = std::move(opened);
  keep_video_alone(input);
}

/// Frames that nobody asked for and nothing refers to need no decoding (a third of the work with
/// two B-frames).
void Decoder::State::send() {
  const bool skip = may_skip && packet->pts != AV_NOPTS_VALUE && !wanted.empty() &&
                    packet->pts < wanted.back() &&
                    !std::binary_search(wanted.begin(), wanted.end(), packet->pts);
  codec->reordered_opaque = damaged && is_spoilt(*packet, input);
  codec->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
  if (skip) {
    left_out = true;
    skipped.insert(packet->pts);
  }
  require_memory(
      avcodec_send_packet(codec.get(), packet.get()));  // damage shows as frames that do not come
}

/// The next packet: 0; or AVERROR_EOF at the end, which is also where damage ended the pass of
/// `probe`; or the demuxer's complaint. What a failing disk or a changed file leaves out must not
/// pass for the end.
int Decoder::State::read() {
  const int code = read_packet(*input.format, *packet);
  if (code >= 0) return 0;
  require_time();
  require_unchanged();
  if (code == AVERROR_EOF || code == info.stopped_by) return AVERROR_EOF;
  require_disk(info.path, *input.format);
  return damaged ? AVERROR_EOF : code;
}

bool Decoder::State::feed() {
  if (drained) return false;
  bool sent = false;
  while (!sent) {
    require_time();
    const int code = held ? 0 : read();
    if (code < 0) {
      if (code != AVERROR_EOF)
        fail("{}: reading stopped: {}; probe it again", info.path, words(code));
      drained = true;
      avcodec_send_packet(codec.get(), nullptr);
      return true;
    }
    held = false;
    sent = packet->stream_index == input.video->index && !is_empty(*packet);
    if (sent) send();
    av_packet_unref(packet.get());
  }
  return true;
}

size_t Decoder::State::place_of(int64_t pts) const {
  return static_cast<size_t>(std::lower_bound(info.pts.begin(), info.pts.end(), pts) -
                             info.pts.begin());
}

/// Sound, listed, not before the key frame, after the frame before.
bool Decoder::State::usable(const AVFrame& frame) const {
  if (!is_sound(frame)) return false;
  const size_t place = place_of(frame.pts);
  const bool listed = place < info.pts.size() && info.pts[place] == frame.pts;
  return listed && frame.pts >= floor_pts && (!filled(current) || frame.pts > current->pts);
}

bool Decoder::State::next_frame() {
  for (;;) {
    require_time();
    const int code = avcodec_receive_frame(codec.get(), incoming.get());
    if (code == AVERROR_EOF || (code == AVERROR(EAGAIN) && !feed())) return false;
    require_memory(code);
    if (code < 0) {
      require_frame_bytes(info.path, *codec);
      continue;
    }
    ++work.decoded;
    const bool cut_short = incoming->reordered_opaque == 1;
    if (!info.seekable) incoming->pts = number++;
    if (cut_short || !usable(*incoming)) continue;
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
  if (!filled(current) || skipped.contains(pts)) return false;
  if (damaged && began != key_before(index)) return false;
  const int64_t now = current->pts;
  if (now > pts) return filled(previous) && previous->pts < pts;  // the frame did not come: damage
  return key_before(index) <= static_cast<int64_t>(place_of(now)) + kNear;
}

const AVFrame* Decoder::State::show(int64_t index) {
  const int64_t pts = info.pts[static_cast<size_t>(index)];
  int64_t start = key_before(index);
  if (!within_reach(index)) start = start_at(start);
  for (;;) {
    advance(pts);
    if (filled(current) && current->pts == pts) return current.get();
    if (left_out) {  // perhaps it is missing only because another one was left out
      may_skip = false;
    } else {
      if (damaged || start == kFileStart) {
        if (filled(current) && current->pts < pts) return current.get();
        if (filled(previous)) return previous.get();
      }
      if (start == kFileStart) break;
      start = key_before(start - 1);
    }
    start = start_at(start);
  }
  if (!filled(current))
    fail("{}: no frame can be read near {:.3f} s; copy it again, or remove it from the list",
         info.path, info.time_s[static_cast<size_t>(index)]);
  return current.get();
}

void Decoder::State::begin(std::span<const int64_t> indices, double deadline_s) {
  work = {};
  deadline = Deadline(deadline_s);
  if (broken_off) reopen();
  broken_off = true;
  wanted.clear();
  for (const int64_t index : indices) {
    expect(index >= 0 && index < info.frames(), "a frame index lies within the video");
    wanted.push_back(info.pts[static_cast<size_t>(index)]);
  }
  std::sort(wanted.begin(), wanted.end());
  if (skipped.size() > kManySkipped && filled(previous))  // a long video read from front to back
    std::erase_if(skipped, [&](int64_t pts) { return pts < previous->pts; });
}

Decoder::Decoder(const VideoInfo& info, double deadline_s)
    : state_(std::make_unique<State>(info, deadline_s)) {}
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
  state.begin(indices, deadline_s);
  const auto count = static_cast<int64_t>(indices.size());
  const auto [height, width] = resize.apply(info.height, info.width);
  Frames out{torch::empty({count, height, width, 3}, torch::kUInt8),
             torch::empty({count}, torch::kFloat64), std::vector<int64_t>(indices.size())};
  std::vector<int64_t> order(indices.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return indices[a] < indices[b]; });

  uint8_t* const rgb = out.frames.data_ptr<uint8_t>();
  const int64_t bytes = height * width * 3;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t row = order[i];
    const int64_t index = indices[row];
    out.time_s.data_ptr<double>()[row] = info.time_s[static_cast<size_t>(index)];
    if (i > 0 && indices[order[i - 1]] == index) {
      std::copy_n(rgb + order[i - 1] * bytes, bytes, rgb + row * bytes);
      out.shown[row] = out.shown[order[i - 1]];
      continue;
    }
    const AVFrame& frame = *state.show(index);
    out.shown[row] = static_cast<int64_t>(state.place_of(frame.pts));
    const Orientation upright = orientation_of(frame, *state.input.video);
    state.converter.convert(frame, upright.rotation, height, width, rgb + row * bytes,
                            upright.mirrored);
    ++state.work.converted;
  }
  state.require_unchanged();
  state.broken_off = false;
  return out;
}

}  // namespace distal
