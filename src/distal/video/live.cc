#include "distal/video/live.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <thread>

#include "distal/base/interrupted.h"
#include "distal/video/convert.h"
#include "distal/video/decoder.h"
#include "distal/video/live_clock.h"
#include "distal/video/live_input.h"
#include "distal/video/live_queue.h"
#include "distal/video/playback.h"

namespace distal {

using namespace ffmpeg;

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kFirstWait_s = 0.5;
constexpr double kLongestWait_s = 30;
constexpr auto kDoze = std::chrono::milliseconds(100);  // how soon a signal is noticed
constexpr auto kCameraRests = std::chrono::milliseconds(4);
constexpr double kUsualRate = 25;
constexpr double kMostRate = 240;  // above it stands a time base, of a recording of variable rate

double rate_of(const AVStream& stream) {
  for (const AVRational& rate : {stream.avg_frame_rate, stream.r_frame_rate}) {
    const double value = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    if (value > 0 && value <= kMostRate) return value;
  }
  return 0;
}

/// By the clock on the wall, from anywhere on.
double wall_s() {
  return std::chrono::duration<double>(SteadyClock::now().time_since_epoch()).count();
}

}  // namespace

struct LiveReader::State {
  /// One connection: what goes with it.
  struct Connection {
    Connection(const LiveSource& source, const std::string& transport, Patience& patience)
        : began_s(wall_s()),
          source_input(source, transport, patience),
          input(source_input.input()),
          codec(open_decoder(source.name, *input.video)) {}

    // Frames are filmed from about here on. The first one is seen later: FFmpeg looks at some of
    // them before it tells what comes.
    double began_s;
    bool told = false;  // the first frame
    LiveInput source_input;
    Input& input;
    Codec codec;
    Packet packet = make_packet();
    Frame frame = make_frame();
  };

  State(LiveSource from, LiveOptions with, std::function<bool(double)> asks)
      : source(std::move(from)),
        options(std::move(with)),
        takes(std::move(asks)),
        live(source.kind != LiveSource::Kind::pipe),
        patience(live ? options.silence_s : std::numeric_limits<double>::infinity()),
        clock(live),
        queue(options.queue, /*drops=*/live) {}

  void run();
  void follow();
  std::string play();
  int read();
  void decode(AVPacket* packet);
  void take();
  torch::Tensor picture();
  bool connect_again();
  void pause(double wait_s);
  bool stopped() const { return patience.stopped() || interrupted(); }

  // A server that opens and sends nothing is still lost.
  double lost_since_s = 0;       // on the wall; 0: frames come
  double wait_s = kFirstWait_s;  // before the next try

  const LiveSource source;
  const LiveOptions options;
  const std::function<bool(double)> takes;
  const bool live;
  Patience patience;
  Info info;
  std::unique_ptr<Connection> connection;
  Converter converter;
  LiveClock clock;
  torch::Tensor last;  // the last sound picture that was taken
  std::atomic<int64_t> patched = 0;
  LiveQueue queue;
  std::thread thread;
};

void LiveReader::State::run() {
  std::exception_ptr error;
  try {
    follow();
  } catch (...) {
    error = std::current_exception();
  }
  queue.end(error);
}

void LiveReader::State::follow() {
  for (;;) {
    const std::string why = play();
    if (stopped()) return;
    const bool again = live && options.reconnect_s > 0;
    if (again || !why.empty())
      queue.push({clock.last_s(), {}, why.empty() ? "the source ended" : why});
    if (!again || !connect_again()) return;
    clock.lost();
    last = torch::Tensor();  // a picture from before the loss stands for none after it
  }
}

/// Until the source ends or is lost. Why it was lost; empty: it ended.
std::string LiveReader::State::play() {
  const auto& packet = connection->packet;
  for (;;) {
    const int code = read();
    if (code < 0) {
      if (!stopped()) decode(nullptr);
      if (code == AVERROR_EXIT) return fmt::format("nothing came for {:g} s", options.silence_s);
      return code == AVERROR_EOF ? "" : fmt::format("reading stopped: {}", words(code));
    }
    patience.renew();
    const bool video = packet->stream_index == connection->input.video->index;
    if (video && !is_empty(*packet)) decode(packet.get());
    av_packet_unref(packet.get());
  }
}

int LiveReader::State::read() {
  for (;;) {
    const int code = read_packet(*connection->input.format, *connection->packet);
    if (code != AVERROR(EAGAIN)) return code;
    if (patience.over()) return AVERROR_EXIT;
    std::this_thread::sleep_for(kCameraRests);
  }
}

void LiveReader::State::decode(AVPacket* packet) {
  AVCodecContext* const codec = connection->codec.get();
  if (packet) codec->reordered_opaque = is_spoilt(*packet, connection->input);
  int sent;
  do {
    sent = avcodec_send_packet(codec, packet);
    for (;;) {
      const int code = avcodec_receive_frame(codec, connection->frame.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF || stopped()) break;
      if (code < 0)
        require_frame_bytes(source.name, *codec);
      else
        take();
    }
  } while (sent == AVERROR(EAGAIN) && !stopped());
}

void LiveReader::State::take() {
  lost_since_s = 0;
  wait_s = kFirstWait_s;
  const AVFrame& frame = *connection->frame;
  const AVStream& stream = *connection->input.video;
  const double step_s = 1 / (info.rate > 0 ? info.rate : kUsualRate);
  const double pts_s =
      frame.best_effort_timestamp == AV_NOPTS_VALUE
          ? std::numeric_limits<double>::quiet_NaN()
          : static_cast<double>(frame.best_effort_timestamp) * av_q2d(stream.time_base);
  const double before_s = clock.last_s();
  const bool first = !std::exchange(connection->told, true);
  const auto moment = clock.of(pts_s, first ? connection->began_s : wall_s(), step_s);
  if (moment.break_s != 0)
    queue.push(
        {before_s, {}, fmt::format("the times of its frames jump by {:.1f} s", moment.break_s)});
  const bool sound = is_sound(frame) && frame.reordered_opaque != 1;
  patched += !sound;
  if (!takes(moment.time_s) || (!sound && !last.defined())) return;
  if (sound) {
    require_size(source.name, frame.width, frame.height);
    const auto shown = picture();
    if (last.defined() && !shown.sizes().equals(last.sizes()))
      queue.push({before_s, {}, "its pictures changed their size"});
    last = shown;
  }
  queue.push({moment.time_s, last, ""});
}

torch::Tensor LiveReader::State::picture() {
  const AVFrame& frame = *connection->frame;
  const Orientation upright = orientation_of(frame, *connection->input.video);
  const bool lies = upright.rotation % 180 != 0;
  const auto [height, width] = Resize{options.short_side_px}.apply(
      lies ? frame.width : frame.height, lies ? frame.height : frame.width);
  auto rgb = torch::empty({height, width, 3}, torch::kUInt8);
  converter.convert(frame, upright.rotation, height, width, rgb.data_ptr<uint8_t>(),
                    upright.mirrored);
  return rgb;
}

/// False: it was stopped meanwhile.
bool LiveReader::State::connect_again() {
  connection.reset();
  if (lost_since_s == 0) lost_since_s = wall_s();
  const double lost_s = lost_since_s;
  const auto give_up_in_time = [&] {
    if (wall_s() - lost_s >= options.reconnect_s && !stopped())
      fail("{}: lost {:.3f} s after its begin, and not back within {:g} s", source.name,
           clock.last_s(), options.reconnect_s);
  };
  give_up_in_time();
  while (!stopped()) {
    pause(std::min(wait_s, std::max(0.0, lost_s + options.reconnect_s - wall_s())));
    wait_s = std::min(2 * wait_s, kLongestWait_s);
    if (stopped()) break;
    patience.renew();
    try {
      connection = std::make_unique<Connection>(source, options.transport, patience);
      return true;
    } catch (const Interrupted&) {
      return false;
    } catch (const Error&) {
      give_up_in_time();
    }
  }
  return false;
}

void LiveReader::State::pause(double wait_s) {
  const double until_s = wall_s() + wait_s;
  while (!stopped() && wall_s() < until_s)
    std::this_thread::sleep_for(
        std::min<std::chrono::duration<double>>(kDoze, std::chrono::duration<double>(wait_s)));
}

LiveReader::LiveReader(LiveSource source, LiveOptions options, std::function<bool(double)> takes)
    : state_(std::make_unique<State>(std::move(source), std::move(options), std::move(takes))) {
  State& state = *state_;
  state.connection =
      std::make_unique<State::Connection>(state.source, state.options.transport, state.patience);
  const AVStream& stream = *state.connection->input.video;
  state.info = {avcodec_get_name(stream.codecpar->codec_id), stream.codecpar->width,
                stream.codecpar->height, rate_of(stream)};
  state.thread = std::thread([&state] { state.run(); });
}

LiveReader::~LiveReader() {
  state_->patience.stop();
  state_->queue.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

const LiveReader::Info& LiveReader::info() const { return state_->info; }
int64_t LiveReader::dropped() const { return state_->queue.dropped(); }
int64_t LiveReader::patched() const { return state_->patched; }
std::optional<StreamItem> LiveReader::next() { return state_->queue.next(); }

}  // namespace distal
