// `distal predict --stream`: one source, followed as long as it lasts.

#include <chrono>

#include <fmt/ranges.h>

#include "distal/base/interrupted.h"
#include "distal/base/text.h"
#include "distal/base/utc.h"
#include "distal/cli/output.h"
#include "distal/cli/prediction.h"
#include "distal/deploy/sources.h"
#include "distal/deploy/stream.h"
#include "distal/infer/engine.h"
#include "distal/lists/csv.h"

namespace distal {
namespace {

constexpr double kDroppedSaidAgain_s = 30;

/// One source, open.
struct OpenSource {
  std::string name, codec, damage;
  int64_t width = 0;
  int64_t height = 0;
  double rate = 0;       // frames per second; 0: nobody knows
  int64_t expected = 0;  // frames; 0: nobody knows
  SourceFile file;       // goes after what reads it
  std::unique_ptr<FrameSource> frames;
  const LiveReader* live = nullptr;  // of `frames`
};

OpenSource open_source(const PredictArguments& arguments, const InputOptions& input) {
  auto sources = sources_of(arguments.videos, arguments.picture_rate);
  if (sources.size() != 1)
    throw UsageError(fmt::format("--stream reads one video, not {}", sources.size()));
  const Source& source = sources.front();
  OpenSource open;
  open.name = source.name;
  if (source.kind == Source::Kind::live) {
    LiveOptions options;
    options.reconnect_s = arguments.reconnect_s;
    options.transport = arguments.transport;
    auto frames = std::make_unique<LiveFrames>(source.live, options, input, arguments.rate);
    open.live = &frames->reader();
    const auto& info = open.live->info();
    open.codec = info.codec;
    open.width = info.width;
    open.height = info.height;
    open.rate = info.rate;
    open.frames = std::move(frames);
    return open;
  }
  open.file = file_of(source, arguments.picture_rate);
  VideoInfo info = probe(open.file.path);
  std::vector<std::string> damage = info.damage;
  if (!open.file.damage.empty()) damage.push_back(open.file.damage);
  open.damage = fmt::format("{}", fmt::join(damage, "; "));
  open.codec = info.codec;
  open.width = info.width;
  open.height = info.height;
  open.rate = info.average_rate;
  open.expected = info.frames();
  open.frames = std::make_unique<FileFrames>(std::move(info), input, arguments.rate);
  return open;
}

/// An engine or a network, and what gives it frames.
struct Scoring {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<StreamScorer> scorer;
};

Scoring scoring_of(const PredictArguments& arguments, const OpenedModel& model,
                   const OpenSource& source) {
  const auto frame_net = arguments.engine.empty() && arguments.precision != "bf16"
                             ? std::dynamic_pointer_cast<FrameNet>(model.saved.net)
                             : nullptr;
  Scoring scoring;
  if (frame_net && frame_net->online()) {
    scoring.scorer = std::make_unique<TsmStream>(*frame_net, model.input);
    return scoring;
  }
  const int64_t clips =
      source.live ? kWorthFreezing : source.expected / OnlineEco::kSlotFrames;  // a stream is long
  scoring.engine =
      engine_of(model, arguments.engine, arguments.precision, clips, /*at_once=*/1, nullptr);
  scoring.scorer = std::make_unique<EcoStream>(*scoring.engine, model.input);
  return scoring;
}

/// Seconds of `frames` counted ones; 0: nobody knows.
double seconds_of(int64_t frames, double counted) {
  return counted > 0 ? static_cast<double>(frames) / counted : 0;
}

/// Writes what a stream brings: a line for each change, answer or segment.
class StreamLines final : public StreamListener {
 public:
  StreamLines(const PredictArguments& arguments, const OpenedModel& model,
              const PredictionFormat& format, const OpenSource& source)
      : arguments_(arguments),
        model_(model),
        format_(format),
        source_(source),
        problem_(source.damage),
        smoother_(arguments.smoothing, [&](const torch::Tensor& p) { return format.best_of(p); }) {}

  /// Before the first line: what is read, and how far behind the answers are.
  void start(const StreamScorer& scorer, double counted) {
    const SmoothingOptions& smoothing = arguments_.smoothing;
    const double every_s = seconds_of(scorer.frames_per_answer(), counted);
    const double back_s = seconds_of(scorer.looks_back(), counted);
    event("start", {{"source", source_.name},
                    {"began", utc_text(now_ms())},
                    {"answer_every_s", every_s},
                    {"looks_back_s", back_s},
                    {"window_s", smoothing.window_s},
                    {"least_s", smoothing.least_s},
                    {"delay_s", smoothing.delay_s(back_s)}});
    if (!source_.damage.empty()) event("damage", {{"reason", source_.damage}});
    put(format_.header(arguments_.segments ? "start_s,end_s" : "time_s"));
    if (counted <= 0) {
      note(fmt::format("{}; an answer takes {} frames that count, and looks back upon {}",
                       described(), scorer.frames_per_answer(), scorer.looks_back()));
      return;
    }
    note(fmt::format("{}; an answer each {:.3g} s; delay at most {:.3g} s ({:.3g} s looked back "
                     "upon, window {:g} s, least duration {:g} s)",
                     described(), every_s, smoothing.delay_s(back_s), back_s, smoothing.window_s,
                     smoothing.least_s));
  }

  void begins(double time_s) override {
    smoother_.begin(time_s);
    if (!lost_) return;
    const double gap_s = time_s - lost_at_s_;
    note(fmt::format("{}: frames come again at {:.3f} s, {:.3f} s after the last", source_.name,
                     time_s, gap_s));
    event("gap", {{"start_s", lost_at_s_}, {"end_s", time_s}, {"reason", why_}});
    if (arguments_.segments && !arguments_.json)
      put(format_.csv(fmt::format("{:.3f},{:.3f}", lost_at_s_, time_s), {}, kNoClass,
                      fmt::format("gap: {}", why_)));
    problem_ = fmt::format("after a gap of {:.3f} s", gap_s);
    lost_ = false;
  }

  void answer(double time_s, const torch::Tensor& logits) override {
    ++answers_;
    const auto said = smoother_.add(time_s, probabilities_of(logits, model_));
    for (const auto& segment : said.finished) put_segment(segment);
    say_dropped();
    const bool changed = said.label != before_ || fresh_;
    before_ = said.label;
    fresh_ = false;
    if (arguments_.segments || !(changed || arguments_.every)) return;
    const std::string problem = std::exchange(problem_, "");
    if (!arguments_.json)
      return put(
          format_.csv(fmt::format("{:.3f}", time_s), said.probabilities, said.label, problem));
    nlohmann::ordered_json object = {{"time_s", time_s}};
    put(format_.object(object, said.probabilities, said.label));
  }

  void lost(double time_s, const std::string& why) override {
    end_segment();
    note(fmt::format("{}: lost at {:.3f} s: {}", source_.name, time_s, why));
    event("lost", {{"time_s", time_s}, {"reason", why}});
    if (!arguments_.segments && !arguments_.json)
      put(format_.csv(fmt::format("{:.3f}", time_s), {}, kNoClass, fmt::format("lost: {}", why)));
    lost_ = true;
    lost_at_s_ = time_s;
    why_ = why;
    fresh_ = true;
  }

  /// After the last frame, whatever the reason.
  void finish(const std::string& why) {
    end_segment();
    if (lost_ && arguments_.segments && !arguments_.json)
      put(format_.csv(fmt::format("{:.3f},", lost_at_s_), {}, kNoClass,
                      fmt::format("lost: {}", why_)));
    const int64_t dropped = source_.live ? source_.live->dropped() : 0;
    const int64_t patched = source_.live ? source_.live->patched() : 0;
    event("end",
          {{"reason", why}, {"answers", answers_}, {"dropped", dropped}, {"damaged", patched}});
    if (source_.live)
      note(fmt::format("{}: {}; {} answers, {} frames dropped, {} damaged", source_.name, why,
                       answers_, dropped, patched));
  }

  int64_t answers() const { return answers_; }

 private:
  static int64_t now_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  }
  std::string described() const {
    const std::string rate = source_.rate > 0 ? fmt::format("{:.4g} frames/s", source_.rate)
                                              : "a rate that it does not say";
    return fmt::format("{}: {}, {} x {} px, {}", source_.name, source_.codec, source_.width,
                       source_.height, rate);
  }
  void end_segment() {
    if (const auto segment = smoother_.end()) put_segment(*segment);
  }
  void put_segment(const Segment& segment) {
    if (!arguments_.segments) return;
    const std::string problem = std::exchange(problem_, "");
    if (!arguments_.json)
      return put(format_.csv(fmt::format("{:.3f},{:.3f}", segment.start_s, segment.end_s),
                             segment.probabilities, segment.label, problem));
    nlohmann::ordered_json object = {{"start_s", segment.start_s}, {"end_s", segment.end_s}};
    put(format_.object(object, segment.probabilities, segment.label));
  }
  void event(const std::string& kind, nlohmann::ordered_json more) const {
    if (!arguments_.json) return;
    nlohmann::ordered_json object = {{"event", kind}};
    object.update(more);
    put(as_line(object));
  }
  void say_dropped() {
    const int64_t dropped = source_.live ? source_.live->dropped() : 0;
    const auto now = std::chrono::steady_clock::now();
    if (dropped == dropped_ ||
        now - dropped_said_ < std::chrono::duration<double>(kDroppedSaidAgain_s))
      return;
    dropped_ = dropped;
    dropped_said_ = now;
    event("dropped", {{"frames", dropped}});
    note(fmt::format("{}: {} frames dropped so far: they come faster than they are scored; give a "
                     "lower --rate",
                     source_.name, dropped));
  }
  void note(const std::string& text) const {
    if (!arguments_.quiet) print_error(printable_lines(text) + "\n");
  }
  static void put(const std::string& text) {
    if (!text.empty()) print_now(text);
  }

  const PredictArguments& arguments_;
  const OpenedModel& model_;
  const PredictionFormat& format_;
  const OpenSource& source_;
  std::string problem_;  // to be said in the next line
  Smoother smoother_;
  int64_t before_ = kNoClass;
  bool fresh_ = true;  // the next answer is said, whatever it is
  bool lost_ = false;
  double lost_at_s_ = 0;
  std::string why_;
  int64_t answers_ = 0;
  int64_t dropped_ = 0;
  std::chrono::steady_clock::time_point dropped_said_{};
};

}  // namespace

void predict_stream(const PredictArguments& arguments) {
  auto makes_nothing = std::make_optional<EndAtOnce>();  // until there is something to finish
  const OpenedModel model = open_model(arguments.model);
  const PredictionFormat format{model.saved.classes, *model.task, arguments.all, arguments.json};
  const OpenSource source = open_source(arguments, model.input);
  if (!source.damage.empty())
    print_error(printable_lines(damaged_sentence(source.name, source.damage)) + "\n");
  const Scoring scoring = scoring_of(arguments, model, source);
  StreamLines lines(arguments, model, format, source);
  makes_nothing.reset();
  lines.start(*scoring.scorer,
              StreamSampling(model.input.sampling, arguments.rate).counted(source.rate));
  int64_t frames = 0;
  try {
    frames = score_stream(*source.frames, *scoring.scorer, lines);
  } catch (const Interrupted&) {
    lines.finish("stopped");
    throw;
  } catch (const StdoutError&) {
    throw;
  } catch (const Error&) {
    lines.finish("lost");
    throw;
  }
  lines.finish("ended");
  if (lines.answers() == 0)
    fail("{}: {} frames count and an answer takes {}; leave out --stream, or give a higher --rate",
         source.name, frames, scoring.scorer->frames_per_answer());
}

}  // namespace distal
