#include <deque>
#include <set>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/cli/label_tally.h"
#include "distal/cli/output.h"
#include "distal/cli/prediction.h"
#include "distal/data/batches.h"
#include "distal/deploy/export_target.h"
#include "distal/deploy/model_file.h"
#include "distal/deploy/sources.h"
#include "distal/lists/csv.h"
#include "distal/models/opened_network.h"

namespace distal {
namespace {

// One line of the result. `path` is as the user wrote it, or as a folder or pattern gave it.
struct Line {
  std::string path;
  Clip clip;                    // without a video: it could not be opened
  torch::Tensor probabilities;  // float32 [K]; undefined where the clip could not be read
  std::string error;
  std::string damage;      // of its video, which is used
  std::string label = {};  // as the list has it
};

// A video by the name that people know and by the file that is read.
struct Video {
  std::string name;
  SourceFile file;
  std::string error;  // it cannot be had
};

std::string as_named(std::string text, const Video& video) {
  const std::string& path = video.file.path;
  if (path.empty() || path == video.name) return text;
  for (size_t at = text.find(path); at != std::string::npos; at = text.find(path, at))
    text.replace(at, path.size(), video.name);
  return text;
}

// Pipes are copied and pictures put together; one that cannot be costs its own line.
std::vector<Video> videos_of(const PredictArguments& arguments) {
  std::vector<Video> videos;
  for (const auto& source : sources_of(arguments.videos, arguments.picture_rate)) {
    Video video{source.name, {}, ""};
    try {
      video.file = file_of(source, arguments.picture_rate);
    } catch (const UsageError&) {
      throw;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      video.error = as_named(error.what(), video);
    }
    videos.push_back(std::move(video));
  }
  return videos;
}

// The lines of one row: a line a clip, or the one that says why there is none.
std::vector<Line> lines_of_row(const Row& row, const Video& video, const ClipOptions& options,
                               const std::string& folder, ClipReader& reader) {
  if (!video.error.empty()) return {{video.name, {}, {}, video.error, ""}};
  const auto probe_video = [&](const std::string& path) { return reader.probe(path); };
  ConsoleProgress inner(ConsoleProgress::Mode::quiet);
  const ClipList made = make_clips({row}, folder, options, {}, probe_video, inner);
  std::vector<std::string> damage;
  for (const auto& damaged : made.damaged) damage.push_back(as_named(damaged.reason, video));
  if (!video.file.damage.empty()) damage.push_back(video.file.damage);
  std::vector<Line> lines;
  for (const Clip& clip : made.clips)
    lines.push_back({video.name, clip, {}, "", fmt::format("{}", fmt::join(damage, "; "))});
  for (const auto& refused : made.quarantined)
    lines.push_back({video.name, {}, {}, as_named(refused.reason, video), ""});
  if (lines.empty()) {
    constexpr const char* kNone =
        "{}: no segment has its middle in the span; give a smaller --segment_s";
    lines.push_back({video.name, {}, {}, as_named(fmt::format(kNone, row.place), video), ""});
  }
  return lines;
}

// Row by row, so that a copy of a video, or a row that stands twice, gets its lines too.
std::vector<Line> lines_of_rows(const PredictArguments& arguments, const std::vector<Video>& videos,
                                ClipReader& reader, Progress& progress) {
  const std::string folder =
      arguments.list.empty() ? "" : std::filesystem::path(arguments.list).parent_path().string();
  const ClipOptions options = arguments.segment_s > 0
                                  ? ClipOptions{"segment", arguments.segment_s, arguments.segment_s}
                                  : ClipOptions{};
  const auto labels = labels_of_rows(arguments.list);
  std::vector<std::string> paths;
  for (const auto& video : videos) paths.push_back(video.file.path);
  const auto rows = rows_of(arguments.list, paths);
  std::vector<Line> lines;
  std::set<std::string> damaged;  // said once each
  progress.begin("probing", std::ssize(rows), "videos");
  for (size_t i = 0; i < rows.size(); ++i) {
    const Video listed{rows[i].path, {}, ""};
    const Video& video = arguments.list.empty() ? videos[i] : listed;
    for (auto& line : lines_of_row(rows[i], video, options, folder, reader)) {
      if (!line.damage.empty() && damaged.insert(line.path).second)
        print_error(printable_lines(damaged_sentence(line.path, line.damage)) + "\n");
      if (!labels.empty()) line.label = labels[i];
      lines.push_back(std::move(line));
    }
    progress.step(static_cast<int64_t>(i) + 1);
  }
  progress.end();
  return lines;
}

// Writes lines in their order, to stdout as they come or to a file at the end.
class LineWriter {
 public:
  LineWriter(const PredictArguments& arguments, const PredictionFormat& format)
      : out_(arguments.out), format_(format) {
    if (!out_.empty()) require_place_for(out_);
    put(format.header("path,start_s,end_s"));
  }
  void write(const Line& line) {
    put(text(line));
    if (line.error.empty()) {
      tally_.add(line.label, format_.classes[format_.best_of(line.probabilities)]);
      return;
    }
    ++bad_;
    if (!format_.json && said_.insert(line.error).second)
      print_error(printable_lines(line.error) + "\n");
  }
  int64_t finish() {
    print_error(printable_lines(tally_.text()));
    if (out_.empty()) return bad_;
    write_atomically(out_, text_);
    fmt::print("{}\n", out_);
    return bad_;
  }

 private:
  std::string text(const Line& line) const { return format_.json ? object(line) : row(line); }
  std::string object(const Line& line) const {
    nlohmann::ordered_json object = {{"path", line.path}};
    if (!line.clip.video.empty()) {
      object["start_s"] = line.clip.start_s;
      object["end_s"] = line.clip.end_s;
    }
    if (!line.damage.empty()) object["damage"] = line.damage;
    if (!line.error.empty()) object["error"] = line.error;
    if (!line.error.empty()) return as_line(object);
    return format_.object(object, line.probabilities, format_.best_of(line.probabilities));
  }
  std::string row(const Line& line) const {
    std::string text = csv_field(line.path);
    text += line.clip.video.empty()
                ? ",,"
                : fmt::format(",{:.3f},{:.3f}", line.clip.start_s, line.clip.end_s);
    if (!line.error.empty()) return format_.csv(text, {}, kNoClass, line.error);
    return format_.csv(text, line.probabilities, format_.best_of(line.probabilities), line.damage);
  }
  void put(const std::string& text) {
    if (out_.empty())
      print_now(text);
    else
      text_ += text;
  }

  std::string out_, text_;
  const PredictionFormat& format_;
  LabelTally tally_{format_.classes};
  std::set<std::string> said_;
  int64_t bad_ = 0;
};

std::string reason_of(const ClipReader& reader, const std::string& video, const std::string& name) {
  for (const auto& unreadable : reader.quarantined()) {
    if (unreadable.path == video) return as_named(unreadable.reason, {name, {video, "", {}}, ""});
  }
  return name + ": could not be read";
}

void predict_clips(const PredictArguments& arguments) {
  auto makes_nothing = std::make_optional<EndAtOnce>();  // but a file at the end
  const OpenedModel model = open_model(arguments.model);
  const PredictionFormat format{model.saved.classes, *model.task, arguments.all, arguments.json};
  using Mode = ConsoleProgress::Mode;
  ConsoleProgress progress(arguments.quiet ? Mode::quiet : Mode::automatic);
  ClipReader reader(model.input, {});
  const std::vector<Video> videos = videos_of(arguments);  // keeps their files
  std::vector<Line> lines = lines_of_rows(arguments, videos, reader, progress);
  std::vector<Clip> clips;
  std::vector<size_t> line_of;  // of each clip
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].error.empty()) continue;
    clips.push_back(lines[i].clip);
    line_of.push_back(i);
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
        line.error = reason_of(reader, line.clip.video, line.path);
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

void predict(PredictArguments& arguments) {
  refuse_swapped(arguments);
  auto& smoothing = arguments.smoothing;
  smoothing.leave = arguments.leave >= 0 ? arguments.leave : smoothing.enter;
  if (smoothing.leave > smoothing.enter)
    throw UsageError(fmt::format("--leave {:g} is above --enter {:g}; a class would end as it "
                                 "begins; give --enter too, at least as high",
                                 smoothing.leave, smoothing.enter));
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  if (arguments.videos.empty() == arguments.list.empty())
    throw UsageError(arguments.list.empty()
                         ? "predict wants videos: name them after the model, or give --list LIST"
                         : "predict wants videos, or --list LIST, and not both");
  if (arguments.stream)
    predict_stream(arguments);
  else
    predict_clips(arguments);
}

// The flags that want --stream.
void add_stream_options(CLI::App* command, const std::shared_ptr<PredictArguments>& arguments,
                        CLI::Option* stream) {
  auto& smoothing = arguments->smoothing;
  auto* every = command->add_flag(
      "--every", arguments->every,
      "with --stream: a line for each answer, one in 16 frames, each frame of an online TSM");
  command
      ->add_flag(
          "--segments", arguments->segments,
          "with --stream: a line for each time of one class, start_s,end_s, when it has ended")
      ->needs(stream)
      ->excludes(every);
  every->needs(stream);
  const auto number = [&](const char* flag, double& value, const CLI::Validator& valid,
                          const char* about) {
    command->add_option(flag, value, about)->transform(valid)->needs(stream);
  };
  number("--rate", arguments->rate, number_from(0.001),
         "with --stream: frames per second that count [all]; 80 are looked back upon: let them "
         "last about as long as the clips trained on");
  number("--window_s", smoothing.window_s, number_from(0),
         "with --stream: probabilities are averaged over the answers of so many seconds [0]");
  number("--least_s", smoothing.least_s, number_from(0),
         "with --stream: a class that lasts less is taken for the class before it [0]");
  number("--enter", smoothing.enter, number_from(0, 1),
         "with --stream: probability from which a class begins; no class below it [0]");
  number("--leave", arguments->leave, number_from(0, 1),
         "with --stream: probability below which a class ends [--enter]");
  number("--reconnect_s", arguments->reconnect_s, number_from(0),
         "with --stream: how long a lost server or camera is waited for; 0: not at all [for ever]");
  command
      ->add_option("--transport", arguments->transport,
                   "with --stream: what carries RTSP: tcp, or udp, which loses packets")
      ->check(CLI::IsMember({"tcp", "udp"}))
      ->capture_default_str()
      ->needs(stream);
}

void add_predict(CLI::App* command) {
  command->description("classifies videos, segments or a stream with a trained model");
  const auto arguments = std::make_shared<PredictArguments>();
  command
      ->add_option("model", arguments->model,
                   "a .safetensors that run or train wrote, with its description beside or in it, "
                   "or an .onnx or .xml that export wrote")
      ->required();
  command->add_option("videos", arguments->videos,
                      "video files, folders of them, patterns such as 'day*/cam?.mp4', folders of "
                      "pictures, named pipes, - for stdin; with --stream also rtsp://HOST/PATH and "
                      "cameras, /dev/video0 or v4l2:/dev/video0");
  auto* list = command->add_option(
      "--list", arguments->list,
      "CSV with a column path, relative to its folder, and perhaps start_s,end_s");
  auto* segment = command
                      ->add_option("--segment_s", arguments->segment_s,
                                   "cuts videos into consecutive segments of this length, s")
                      ->transform(number_from(0.001));
  auto* out = command->add_option("--out", arguments->out, "the file to write instead of stdout");
  command
      ->add_option("--picture_rate", arguments->picture_rate,
                   "pictures per second of a folder of pictures, which is one video of them in the "
                   "order of the numbers in their names")
      ->transform(number_from(0.001, 1000));
  auto* stream = command->add_flag(
      "--stream", arguments->stream,
      "one source frame after frame, in constant memory: a line where the class changes");
  stream->excludes(list)->excludes(segment)->excludes(out);
  add_stream_options(command, arguments, stream);
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
      "--untrusted", [](int64_t) { refuse_network_programs(); },
      "refuse what executes code: a model on a network in .pt2 or .pt");
  command->add_flag("--json", arguments->json, "a JSON object per line");
  command->callback([arguments] { predict(*arguments); });
}

}  // namespace

extern const Command predict_command;
const Command predict_command{100, add_predict};

}  // namespace distal
