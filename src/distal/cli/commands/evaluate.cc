#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>

#include <ATen/Parallel.h>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/base/revision.h"
#include "distal/base/text.h"
#include "distal/base/utc.h"
#include "distal/cli/command.h"
#include "distal/cli/output.h"
#include "distal/deploy/classify.h"
#include "distal/models/opened_network.h"
#include "distal/report/evaluation_page.h"
#include "distal/report/thumbnail.h"
#include "distal/study/describe.h"

namespace distal {
namespace {

constexpr uint64_t kEvaluationSeed = 1;  // of the resampling

struct EvaluateArguments {
  std::string model, list, against, out;
  ClassifyOptions classify;
  double segment_s = 0;
  int64_t threads = 0;
  bool json = false;
  bool quiet = false;
};

// The labelled clips of the list. Labels are indices into `labels`.
struct LabelledClips {
  std::vector<Row> rows;  // with a label
  Classes labels;
  ClipList made;
  EvaluatedList list;
};

std::vector<Row> labelled_rows(LabelledClips& clips) {
  std::vector<Row> rows = read_rows(clips.list.list, "", /*labelled=*/false);
  clips.list.rows = std::ssize(rows);
  std::erase_if(rows, [](const Row& row) { return row.label.empty(); });
  clips.list.unlabelled = clips.list.rows - std::ssize(rows);
  if (rows.empty())
    fail("{}: no row has a label; evaluate needs a column label, as distal import writes it",
         clips.list.list);
  return rows;
}

LabelledClips labelled_clips(const EvaluateArguments& arguments, ClipReader& reader,
                             Progress& progress) {
  LabelledClips clips;
  clips.list.list = arguments.list;
  clips.rows = labelled_rows(clips);
  clips.labels = classes_of(clips.rows);
  const ClipOptions options = arguments.segment_s > 0
                                  ? ClipOptions{"segment", arguments.segment_s, arguments.segment_s}
                                  : ClipOptions{};
  clips.made = make_clips(
      clips.rows, std::filesystem::path(arguments.list).parent_path().string(), options,
      clips.labels, [&](const std::string& path) { return reader.probe(path); }, progress);
  clips.list.unlabelled += clips.made.unlabelled_segments;
  clips.list.duplicates = clips.made.duplicates;
  clips.list.unreadable = clips.made.quarantined;
  clips.list.damaged = clips.made.damaged;
  for (const ClipOrigin& origin : clips.made.origins)
    clips.list.grouped = clips.list.grouped || origin.grouped;
  return clips;
}

ModelAnswers answers_of(const OpenedModel& model, ClipReader& reader, LabelledClips& clips,
                        const ClassifyOptions& options, Progress& progress) {
  const Classified said = classify(model, reader, clips.made.clips, options, progress);
  ModelAnswers answers{model.path, model.saved.classes, {}, {}, {}};
  for (const int64_t row : said.rows) {
    const Clip& clip = clips.made.clips[row];
    answers.clips.push_back(
        {clips.rows[clips.made.origins[row].row].path.str(), clips.labels.names[clip.label], clip});
  }
  const auto* p = said.probabilities.const_data_ptr<double>();
  answers.probabilities.assign(p, p + said.probabilities.numel());
  const torch::Tensor predicted = said.predicted.contiguous();
  const auto* k = predicted.const_data_ptr<int64_t>();
  answers.predicted.assign(k, k + predicted.numel());
  std::set<std::string> known;
  for (const Quarantined& video : clips.list.unreadable) known.insert(video.path);
  for (const Quarantined& video : reader.quarantined()) {
    if (known.insert(video.path).second) clips.list.unreadable.push_back(video);
  }
  return answers;
}

std::string now_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string text =
      utc_text(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()).substr(0, 16);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text + " UTC";
}

std::string folder_of(const EvaluateArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  // Models of several runs are called by their arm: the folder tells them apart.
  const auto named = [](const std::string& path) {
    const std::filesystem::path whole = std::filesystem::absolute(path);
    return slug(
        fmt::format("{}-{}", whole.parent_path().filename().string(), whole.stem().string()));
  };
  return fmt::format("evaluations/{}-on-{}", named(arguments.model), named(arguments.list));
}

EvaluationReport evaluated(const EvaluateArguments& arguments, Progress& progress) {
  std::vector<OpenedModel> models = {open_model(arguments.model)};
  if (!arguments.against.empty()) models.push_back(open_model(arguments.against));
  ClipReader reader(models.front().input, {});
  LabelledClips clips = labelled_clips(arguments, reader, progress);
  const Random random(kEvaluationSeed);
  EvaluationReport report;
  std::vector<ModelAnswers> answers = {
      answers_of(models.front(), reader, clips, arguments.classify, progress)};
  if (models.size() > 1) {
    ClipReader second(models.back().input, {});
    answers.push_back(answers_of(models.back(), second, clips, arguments.classify, progress));
  }
  for (const Quarantined& video : clips.list.unreadable)
    print_error(printable_lines(video.reason) + "\n");
  for (const Quarantined& video : clips.list.damaged)
    print_error(printable_lines(damaged_sentence(video.path, video.reason)) + "\n");
  report.list = clips.list;
  report.model = evaluate(std::move(answers.front()), random);
  if (answers.size() > 1) {
    report.against = evaluate(std::move(answers.back()), random);
    report.paired = compare(report.model, *report.against, random);
  }
  report.revision = revision();
  report.machine = machine_line();
  report.command = command_line();
  report.date = now_text();
  return report;
}

void evaluate_and_print(const EvaluateArguments& arguments) {
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  ConsoleProgress progress(arguments.quiet ? ConsoleProgress::Mode::quiet
                                           : ConsoleProgress::Mode::automatic);
  const std::string folder = folder_of(arguments);
  const EvaluationReport report = evaluated(arguments, progress);
  write_evaluation(folder, report, thumbnails());
  if (arguments.json)
    print_now(evaluation_json(report));
  else
    print_now(printable_lines(evaluation_text(report)) + folder + "/evaluation.html\n");
}

void add_evaluate(CLI::App* command) {
  command->description(
      "measures a trained model on a labelled list: scores with intervals over videos and groups, "
      "calibration, confusion, a page; --against a second model on the same clips");
  const auto arguments = std::make_shared<EvaluateArguments>();
  command
      ->add_option("model", arguments->model,
                   "any model file that predict takes: a .safetensors of run or train, or an "
                   "export")
      ->required();
  command
      ->add_option("list", arguments->list,
                   "CSV with columns path,label, and perhaps group and start_s,end_s; paths are "
                   "relative to its folder, labels are the model's classes by name")
      ->required();
  command->add_option("--against", arguments->against,
                      "a second model file, compared clip by clip with the first");
  command->add_option("--out", arguments->out,
                      "the folder to write [evaluations/FOLDER-MODEL-on-FOLDER-LIST]");
  command
      ->add_option("--segment_s", arguments->segment_s,
                   "cuts videos into consecutive segments of this length, s, each with the label "
                   "that covers its middle")
      ->transform(number_from(0.001));
  command
      ->add_option("--engine", arguments->classify.engine,
                   "libtorch or openvino [the quicker for so many clips]")
      ->check(CLI::IsMember({"libtorch", "openvino"}));
  command
      ->add_option("--precision", arguments->classify.precision,
                   "of engine openvino, as for predict")
      ->check(CLI::IsMember({"auto", "f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "threads of the network [all]")
      ->transform(number_from(1, 1024));
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag_function(
      "--untrusted", [](int64_t) { refuse_network_programs(); },
      "refuse what executes code: a model on a network in .pt2 or .pt");
  command->add_flag("--json", arguments->json, "the numbers as JSON on stdout");
  command->callback([arguments] { evaluate_and_print(*arguments); });
}

}  // namespace

extern const Command evaluate_command;
const Command evaluate_command{105, add_evaluate};

}  // namespace distal
