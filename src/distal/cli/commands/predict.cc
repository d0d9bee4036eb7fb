#include <deque>
#include <set>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/cli/output.h"
#include "distal/data/batches.h"
#include "distal/deploy/export_target.h"
#include "distal/deploy/model_file.h"
#include "distal/deploy/stream.h"
#include "distal/lists/csv.h"

namespace distal {
namespace {

struct PredictArguments {
  std::string model, list, out, engine, precision = "auto";
  std::vector<std::string> videos;
  double segment_s = 0;
  double rate = 0;
  int64_t threads = 0;
  bool stream = false;
  bool every = false;
  bool all = false;
  bool json = false;
  bool quiet = false;
};

// One line of the result. `path` is as the user wrote it.
struct Line {
  std::string path;
  Clip clip;                    // without a video: it could not be opened
  torch::Tensor probabilities;  // float32 [K]; undefined where the clip could not be read
  std::string error;
};

std::string as_line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// How classes and probabilities are written; what stands before them in a line is up to the caller.
struct Format {
  std::vector<std::string> classes;
  const Task& task;
  bool all, json;

  std::string header(std::string text) const {
    if (json) return "";
    text += ",class,probability";
    for (const auto& name : classes) text += all ? "," + csv_field(name) : "";
    return text + "\n";
  }
  std::string csv(std::string text, const torch::Tensor& probabilities) const {
    const float* p = probabilities.const_data_ptr<float>();
    const int64_t best = best_of(probabilities);
    text += fmt::format(",{},{:.6f}", csv_field(classes[best]), p[best]);
    for (int64_t k = 0; all && k < std::ssize(classes); ++k) text += fmt::format(",{:.6f}", p[k]);
    return text + "\n";
  }
  std::string object(nlohmann::ordered_json object, const torch::Tensor& probabilities) const {
    const float* p = probabilities.const_data_ptr<float>();
    const int64_t best = best_of(probabilities);
    object["class"] = classes[best];
    object["probability"] = p[best];
    for (int64_t k = 0; all && k < std::ssize(classes); ++k)
      object["probabilities"][classes[k]] = p[k];
    return as_line(object);
  }
  int64_t best_of(const torch::Tensor& probabilities) const {
    return task.predicted(probabilities).item<int64_t>();
  }
};

void say_damage(const std::string& path, const std::string& damage) {
  print_error(printable_lines(damaged_sentence(path, damage)) + "\n");
}

// Row by row, so that a copy of a video, or a row that stands twice, gets its lines too.
std::vector<Line> lines_of_rows(const PredictArguments& arguments, ClipReader& reader,
                                Progress& progress) {
  const std::string folder =
      arguments.list.empty() ? "" : std::filesystem::path(arguments.list).parent_path().string();
  const ClipOptions options = arguments.segment_s > 0
                                  ? ClipOptions{"segment", arguments.segment_s, arguments.segment_s}
                                  : ClipOptions{};
  const auto probe_video = [&](const std::string& path) { return reader.probe(path); };
  const auto rows = rows_of(arguments.list, arguments.videos);
  std::vector<Line> lines;
  std::set<std::string> damaged;  // said once each
  ConsoleProgress inner(ConsoleProgress::Mode::quiet);
  progress.begin("probing", std::ssize(rows), "videos");
  for (size_t i = 0; i < rows.size(); ++i) {
    const ClipList made = make_clips({rows[i]}, folder, options, {}, probe_video, inner);
    for (const Clip& clip : made.clips) lines.push_back({rows[i].path, clip, {}, ""});
    for (const auto& video : made.quarantined)
      lines.push_back({rows[i].path, {}, {}, video.reason});
    for (const auto& video : made.damaged) {
      if (damaged.insert(video.path).second) say_damage(video.path, video.reason);
    }
    if (made.clips.empty() && made.quarantined.empty())
      lines.push_back(
          {rows[i].path,
           {},
           {},
           fmt::format("{}: no segment has its middle in the span; give a smaller --segment_s",
                       rows[i].place)});
    progress.step(static_cast<int64_t>(i) + 1);
  }
  progress.end();
  return lines;
}

// Writes lines in their order, to stdout as they come or to a file at the end.
class LineWriter {
 public:
  LineWriter(const PredictArguments& arguments, const Format& format)
      : out_(arguments.out), format_(format) {
    if (!out_.empty()) require_place_for(out_);
    put(format.header("path,start_s,end_s"));
  }
  void write(const Line& line) {
    if (line.error.empty()) return put(text(line));
    ++bad_;
    if (format_.json)
      put(as_line(begin(line, {{"error", line.error}})));
    else if (said_.insert(line.error).second)
      print_error(printable_lines(line.error) + "\n");
  }
  int64_t finish() {
    if (out_.empty()) return bad_;
    write_atomically(out_, text_);
    fmt::print("{}\n", out_);
    return bad_;
  }

 private:
  static nlohmann::ordered_json begin(const Line& line, const nlohmann::ordered_json& more = {}) {
    nlohmann::ordered_json object = {{"path", line.path}};
    if (!line.clip.video.empty()) {
      object["start_s"] = line.clip.start_s;
      object["end_s"] = line.clip.end_s;
    }
    if (!more.is_null()) object.update(more);
    return object;
  }
  std::string text(const Line& line) const {
    if (format_.json) return format_.object(begin(line), line.probabilities);
    return format_.csv(
        fmt::format("{},{:.3f},{:.3f}", csv_field(line.path), line.clip.start_s, line.clip.end_s),
        line.probabilities);
  }
  void put(const std::string& text) {
    if (out_.empty())
      print_now(text);
    else
      text_ += text;
  }

  std::string out_, text_;
  const Format& format_;
  std::set<std::string> said_;
  int64_t bad_ = 0;
};

std::string reason_of(const ClipReader& reader, const std::string& video) {
  for (const auto& unreadable : reader.quarantined()) {
    if (unreadable.path == video) return unreadable.reason;
  }
  return video + ": could not be read";
}

// An exported model is not looked through when it is opened, as load_model does.
torch::Tensor probabilities_of(const torch::Tensor& logits, const OpenedModel& model) {
  if (!logits.isfinite().all().item<bool>())
    fail("{}: its answers are NaN or infinite; the file is damaged or its training failed: export "
         "it again",
         model.path);
  return model.task->probabilities(logits).contiguous();
}

void predict_clips(const PredictArguments& arguments) {
  auto makes_nothing = std::make_optional<EndAtOnce>();  // but a file at the end
  const OpenedModel model = open_model(arguments.model);
  const Format format{model.saved.classes, *model.task, arguments.all, arguments.json};
  ConsoleProgress progress(arguments.quiet ? ConsoleProgress::Mode::quiet
                                           : ConsoleProgress::Mode::automatic);
  ClipReader reader(model.input, {});
  std::vector<Line> lines = lines_of_rows(arguments, reader, progress);
  std::vector<Clip> clips;
  std::vector<size_t> line_of;  // of each clip
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].error.empty()) {
      clips.push_back(lines[i].clip);
      line_of.push_back(i);
    }
  }
  std::string why_not;
  const auto engine = engine_of(model, arguments.engine, arguments.precision, std::ssize(clips),
                                /*at_once=*/0, &why_not);
  if (!why_not.empty()) progress.say(why_not);
  LineWriter writer(arguments, format);
  size_t written = 0;
  const auto write_before = [&](size_t end) {  // what has no answer by now could not be read
    for (; written < end; ++written) {
      Line& line = lines[written];
      if (line.error.empty() && !line.probabilities.defined())
        line.error = reason_of(reader, line.clip.video);
      writer.write(line);
    }
  };
  struct UnderWay {
    at::Tensor rows;
    std::future<Output> answer;
  };
  std::deque<UnderWay> under_way;
  const auto take_first = [&] {
    const auto probabilities = probabilities_of(under_way.front().answer.get().logits, model);
    const auto rows = std::move(under_way.front().rows);
    under_way.pop_front();
    for (int64_t i = 0; i < rows.size(0); ++i)
      lines[line_of[rows[i].item<int64_t>()]].probabilities = probabilities[i];
    const int64_t last = rows[-1].item<int64_t>();
    write_before(line_of[last] + 1);
    progress.step(last + 1);
  };
  const torch::NoGradGuard no_grad;
  EvaluationBatches batches(reader, clips, std::ssize(model.saved.classes), engine->batch(),
                            /*threads=*/1);
  progress.begin("predicting", std::ssize(clips), "clips");
  while (const auto batch = batches.next()) {
    under_way.push_back({batch->rows, engine->submit(batch->clips)});
    if (std::ssize(under_way) >= engine->requests()) take_first();
  }
  while (!under_way.empty()) take_first();
  progress.end();
  write_before(lines.size());
  makes_nothing.reset();
  const int64_t bad = writer.finish();
  if (bad > 0) fail("{} of {} clips cannot be used", bad, lines.size());
}

void predict_stream(const PredictArguments& arguments) {
  const EndAtOnce makes_nothing;
  const OpenedModel model = open_model(arguments.model);
  const Format format{model.saved.classes, *model.task, arguments.all, arguments.json};
  const VideoInfo info = probe(arguments.videos[0]);
  if (!info.damage.empty()) say_damage(info.path, fmt::format("{}", fmt::join(info.damage, "; ")));
  const auto frame_net = arguments.engine.empty() && arguments.precision != "bf16"
                             ? std::dynamic_pointer_cast<FrameNet>(model.saved.net)
                             : nullptr;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<StreamScorer> scorer;
  if (frame_net && frame_net->online()) {
    scorer = std::make_unique<TsmStream>(*frame_net, model.input);
  } else {
    engine = engine_of(model, arguments.engine, arguments.precision,
                       info.frames() / OnlineEco::kSlotFrames, /*at_once=*/1, nullptr);
    scorer = std::make_unique<EcoStream>(*engine, model.input);
  }
  print_now(format.header("time_s"));
  int64_t before = -1;
  const int64_t frames = score_stream(
      info, *scorer, model.input, arguments.rate, [&](double time_s, const torch::Tensor& logits) {
        const auto probabilities = probabilities_of(logits, model);
        const int64_t best = format.best_of(probabilities);
        if (best == before && !arguments.every) return;
        before = best;
        print_now(format.json ? format.object({{"time_s", time_s}}, probabilities)
                              : format.csv(fmt::format("{:.3f}", time_s), probabilities));
      });
  if (before < 0)
    fail("{}: {} frames count and an answer takes {}; leave out --stream, or give a higher --rate",
         info.path, frames, OnlineEco::kSlotFrames);
}

/// The ending of a file that holds a model.
bool named_as_model(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  return ending == ".safetensors" || static_cast<bool>(target_of_file(path));
}

void refuse_swapped(const PredictArguments& arguments) {
  if (named_as_model(arguments.model)) return;
  if (std::any_of(arguments.videos.begin(), arguments.videos.end(), named_as_model))
    fail("{}: no model; the model stands before the videos: distal predict MODEL VIDEO...",
         arguments.model);
}

void predict(const PredictArguments& arguments) {
  refuse_swapped(arguments);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  if (arguments.videos.empty() == arguments.list.empty())
    throw UsageError(arguments.list.empty()
                         ? "predict wants videos: name them after the model, or give --list LIST"
                         : "predict wants videos, or --list LIST, and not both");
  if (!arguments.stream) return predict_clips(arguments);
  if (arguments.videos.size() > 1)
    throw UsageError(fmt::format("--stream reads one video, not {}", arguments.videos.size()));
  predict_stream(arguments);
}

void add_predict(CLI::App* command) {
  command->description("classifies videos, segments or a stream with a trained model");
  const auto arguments = std::make_shared<PredictArguments>();
  command
      ->add_option("model", arguments->model,
                   "a .safetensors that run or train wrote, with its description beside or in it, "
                   "or an .onnx or .xml that export wrote")
      ->required();
  command->add_option("videos", arguments->videos, "video files");
  auto* list = command->add_option(
      "--list", arguments->list,
      "CSV with a column path, relative to its folder, and perhaps start_s,end_s");
  auto* segment = command
                      ->add_option("--segment_s", arguments->segment_s,
                                   "cuts videos into consecutive segments of this length, s")
                      ->transform(number_from(0.001));
  auto* out = command->add_option("--out", arguments->out, "the file to write instead of stdout");
  auto* stream = command->add_flag(
      "--stream", arguments->stream,
      "one video frame after frame, in constant memory: a line where the class changes");
  stream->excludes(list)->excludes(segment)->excludes(out);
  command
      ->add_flag(
          "--every", arguments->every,
          "with --stream: a line for each answer, one in 16 frames, each frame of an online TSM")
      ->needs(stream);
  command
      ->add_option("--rate", arguments->rate,
                   "with --stream: frames per second that count [all]; 80 are looked back upon: "
                   "let them last about as long as the clips trained on")
      ->transform(number_from(0.001))
      ->needs(stream);
  command->add_flag("--all", arguments->all, "prints the probability of every class");
  command
      ->add_option("--engine", arguments->engine,
                   "libtorch or openvino [the quicker for so many clips]")
      ->check(CLI::IsMember({"libtorch", "openvino"}));
  command
      ->add_option("--precision", arguments->precision,
                   "of engine openvino: f32, bf16 where the processor has it, or auto: f32, and "
                   "bf16 for what an int8 model left in float")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "threads of the network [all]")
      ->transform(number_from(1, 1024));
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag_function(
      "--untrusted", [](int64_t) {},
      "refuse what executes code; no model file that is read here does");
  command->add_flag("--json", arguments->json, "a JSON object per line");
  command->callback([arguments] { predict(*arguments); });
}

}  // namespace

extern const Command predict_command;
const Command predict_command{100, add_predict};

}  // namespace distal
