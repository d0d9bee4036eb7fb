#include "distal/cli/command.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/json.h"
#include "distal/base/leftovers.h"
#include "distal/base/text.h"
#include "distal/cli/jobs.h"
#include "distal/cli/openmp.h"
#include "distal/report/report.h"
#include "distal/report/text.h"
#include "distal/report/thumbnail.h"
#include "distal/study/split.h"

namespace distal {
namespace {

constexpr double kMostWhole = 9e15;  // that a double holds exactly, and a little less
constexpr const char* kCure = "give another --out, or remove the folder";

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> names_of(const Experiment& experiment) {
  std::vector<std::string> names;
  for (const Arm& arm : experiment.arms) names.push_back(arm.name);
  return names;
}

// How two experiments differ, in words; empty where they are the same.
std::string difference(const Experiment& there, const Experiment& here) {
  if (names_of(there) != names_of(here)) return fmt::format("its arms are {}, not {}", fmt::join(names_of(there), ", "), fmt::join(names_of(here), ", "));
  for (size_t i = 0; i < here.arms.size(); ++i) {
    const auto was = lines_of(essence(there.arms[i].recipe)), is = lines_of(essence(here.arms[i].recipe));
    const auto [a, b] = std::mismatch(was.begin(), was.end(), is.begin(), is.end());
    if (a == was.end() && b == is.end()) continue;
    const auto quoted = [](auto at, auto end) { return at == end ? "nothing" : "'" + at->substr(std::min(at->find_first_not_of(' '), at->size())) + "'"; };
    return fmt::format("arm {}: {} there, {} here", here.arms[i].name, quoted(a, was.end()), quoted(b, is.end()));
  }
  return "";
}

bool holds_results(const std::filesystem::path& folder) {
  std::error_code absent;
  const std::filesystem::directory_iterator networks(folder / "unfinished", absent);
  return std::filesystem::exists(folder / "report.json", absent) || networks != std::filesystem::directory_iterator();
}

void require_own_results(const std::string& folder, const Experiment& experiment) {
  const std::string path = folder + "/recipe.yaml";
  if (!holds_results(folder) || !std::filesystem::exists(path)) return;
  std::string differs;
  try {
    differs = difference(read_experiment(path, {}), experiment);
  } catch (const UsageError& error) {
    fail("{}: holds results of a recipe that cannot be read ({}); {}", folder, error.what(), kCure);
  }
  if (!differs.empty()) fail("{}: holds results of another recipe ({}); {}", folder, differs, kCure);
}

// What jobs and shares left in it counts too: it is collected and removed with the rest.
void require_own_folder(const std::string& folder, const Experiment& experiment) {
  require_own_results(folder, experiment);
  std::error_code absent;
  for (const auto& job : std::filesystem::directory_iterator(folder + "/jobs", absent)) require_own_results(job.path().string(), experiment);
}

std::string recipe_text(const Experiment& experiment) {
  std::string text = experiment.resolved;
  for (const Arm& arm : experiment.arms) {
    text += fmt::format("\n# arm {}, every option\n", arm.name);
    for (const auto& line : lines_of(arm.resolved)) text += "#   " + line + "\n";
  }
  return text;
}

void print_plan(const Plan& plan, bool json) { fmt::print("{}", json ? json_text(plan_json(plan), 2) + "\n" : plan.text); }

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"demo", add_demo},     {"probe", add_probe},   {"import", add_import}, {"shrink", add_shrink}, {"new", add_new},   {"train", add_train}, {"run", add_run},       {"sweep", add_sweep},
      {"report", add_report}, {"predict", add_predict}, {"export", add_export}, {"select", add_select}, {"list", add_list}, {"bench", add_bench}, {"doctor", add_doctor},
  };
  return table;
}

CLI::Validator number_from(double low, double high) {
  const std::string limits = std::isfinite(high) ? fmt::format("from {:.15g} to {:.15g}", low, high) : fmt::format("{:.15g} or more", low);
  return {[=](std::string& text) {
            const auto value = number_of(text);
            if (!value || *value < low || *value > high) return fmt::format("'{}' is no number {}", excerpt(text, 60), limits);
            if (std::abs(*value) <= kMostWhole && *value == std::floor(*value)) text = fmt::format("{}", static_cast<int64_t>(*value));  // +2 and 1e3 too
            return std::string();
          },
          limits, ""};
}

std::vector<std::string>& command_words() {
  static std::vector<std::string> words;
  return words;
}

std::string command_line() { return fmt::format("{}", fmt::join(command_words(), " ")); }

void RecipeArguments::add_common(CLI::App& command) {
  command.add_option("--set", sets, "key=value over the recipe, e.g. student.training.steps=50; may be repeated")->take_all()->delimiter('\0');
  command.add_option("--seed", seed, "first seed, 0 or more [the recipe's]")->check([](const std::string& text) {
    return text.starts_with('-') ? text + " is no seed; give 0 or more" : std::string();
  });
  command.add_option("--threads", threads, "threads of the networks [where cells can share the processor: as measured at the start; else all]")
      ->transform(number_from(1, 1024))->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  command.add_flag("--dry-run", dry_run, "say what would happen, how long and at what cost; do nothing");
  command.add_flag("--quiet", quiet, "no progress");
  command.add_flag("--untrusted", untrusted, "refuse what executes code: TorchScript files (oracle.kind torchscript)");
  command.add_flag("--json", json, "the result as JSON on stdout");
  command.add_option("--share", share)->group("");
  command.add_option_function<int64_t>("--job-of", [this](int64_t parent) { end_with_parent(job_of = parent); })->group("");
}

void RecipeArguments::add_to(CLI::App& command) {
  command.add_option("recipe", recipe, "recipe file (YAML)")->required();
  command.add_option("--data", data, "folder of the lists and the videos (data.root)");
  command.add_option("--weights", weights, "folder that init paths are relative to (weights)");
  command.add_option("--store", store, "where answers and runs live")->capture_default_str();
  command.add_option("--out", out, "folder of the results, one experiment each [runs/RECIPE]");
  add_common(command);
  Recipe defaults;
  command.footer("Recipe options, their defaults and ranges (a method's own options: distal list NAME):\n" +
                 help_text([&](OptionVisitor& v) { defaults.visit(v); }));
}

void RecipeArguments::add_jobs(CLI::App& command) {
  command.add_option("--jobs", jobs, "processes that share the cells, one an arm and seed; --threads is of each [as measured at the start; with --threads 1]")
      ->transform(number_from(1, 256));
}

std::vector<Override> RecipeArguments::overrides() const {
  std::vector<Override> all;
  if (!data.empty()) all.push_back({"data.root", data, /*literal=*/true});
  if (!weights.empty()) all.push_back({"weights", weights, /*literal=*/true});
  if (seed >= 0) all.push_back({"seed", fmt::format("{}", seed)});
  for (const auto& text : sets) all.push_back(Override::parse(text));
  return all;
}

Experiment RecipeArguments::read(const std::vector<Override>& more) const {
  std::vector<Override> all = overrides();
  all.insert(all.end(), more.begin(), more.end());
  return allowed(read_experiment(recipe, all));
}

Experiment RecipeArguments::allowed(Experiment experiment) const {
  const TeacherOptions& oracle = experiment.base().oracle;
  if (untrusted && oracle.kind == "torchscript")
    throw UsageError(fmt::format("oracle.path: {} is TorchScript, a program, which --untrusted refuses; use oracle.kind model or http, or leave --untrusted out", oracle.path));
  return experiment;
}

RunPlace RecipeArguments::place(const Experiment& experiment) const {
  RunPlace place{out.empty() ? "runs/" + experiment.name : out, store, command_line()};
  if (share.empty()) return place;
  int end = 0;
  const bool read = std::sscanf(share.c_str(), "%ld/%ld%n", &place.share, &place.shares, &end) == 2 && end == static_cast<int>(share.size());
  if (!read || place.share < 0 || place.share >= place.shares)
    throw UsageError(fmt::format("--share {}: two numbers I/N, of N shares the I-th, counted from 0", share));
  const std::filesystem::path folder = place.folder;
  if (job_of > 0) {
    place.shared = place.folder;
    place.folder = Job{place.share, place.shares}.folder(place.folder);
  } else if (folder.parent_path().filename() == "jobs") {  // as a job's would be: there may be a teacher for all
    place.shared = folder.parent_path().has_parent_path() ? folder.parent_path().parent_path().string() : ".";
  }
  return place;
}

void RecipeArguments::set_threads() const {
  if (threads != 1) wait_briefly();
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
}

namespace {

struct FolderThreads {
  ProcessorSplit split;
  int64_t alone = 0;  // of what is trained before the trials, with nothing beside it

  nlohmann::ordered_json json() const { return {{"jobs", split.jobs}, {"threads", split.threads}, {"alone", alone}}; }
};

FolderThreads measured_now(const Experiment& experiment, Progress& progress) {
  FolderThreads threads{measured_split(experiment, progress), at::get_num_threads()};
  if (const auto& teacher = experiment.base().teacher; teacher && threads.split.jobs > 1)
    threads.alone = measured_threads(teacher->learner, teacher->input.value_or(experiment.base().input));
  return threads;
}

// What a folder's threads.json says; 0: nothing, or somebody else wrote there.
int64_t begun_with(const std::string& path, const char* name, int64_t most) {
  const auto begun = nlohmann::json::parse(read_if_there(path), nullptr, /*allow_exceptions=*/false);
  const int64_t value = begun.is_object() && begun.contains(name) && begun[name].is_number_integer() ? begun[name].get<int64_t>() : 0;
  return value <= most ? std::max<int64_t>(0, value) : 0;
}

// What the folder began with, where neither --threads nor --jobs says otherwise; else what is measured now.
FolderThreads threads_of(const Experiment& experiment, const RecipeArguments& arguments, const std::string& folder, Progress& progress) {
  const std::string path = folder + "/threads.json";
  bool written = std::filesystem::exists(path);  // flags are for this once
  const int64_t all = at::get_num_threads(), jobs = std::max<int64_t>(1, arguments.jobs);
  FolderThreads threads{{jobs, arguments.threads > 0 ? arguments.threads : std::max<int64_t>(1, all / jobs)}, all};
  if (arguments.share.empty() && arguments.threads == 0 && arguments.jobs == 0) {
    threads = {{begun_with(path, "jobs", 256), begun_with(path, "threads", 1024)}, begun_with(path, "alone", 1024)};
    if (threads.split.jobs > 0 && threads.split.threads > 0 && threads.alone > 0) progress.say(threads.split.text() + ", as this folder began");
    else threads = measured_now(experiment, progress), written = false;
  }
  if (!written) write_atomically(path, threads.json().dump() + "\n");
  return threads;
}

}  // namespace

void set_threads_alone(const Recipe& recipe, const RecipeArguments& arguments, const std::string& folder, Progress& progress) {
  const std::string path = folder + "/threads.json";
  int64_t threads = arguments.threads > 0 ? arguments.threads : begun_with(path, "alone", 1024);
  if (threads == 0) threads = measured_threads(recipe.student, recipe.input);
  if (!std::filesystem::exists(path)) write_atomically(path, FolderThreads{{1, threads}, threads}.json().dump() + "\n");
  progress.say(fmt::format("trains on {} thread{}", threads, threads == 1 ? "" : "s"));
  at::set_num_threads(static_cast<int>(threads));
}

Results run_in_folder(const Experiment& experiment, const RecipeArguments& arguments, Progress& progress) {
  RunPlace place = arguments.place(experiment);
  make_folder(place.folder);
  const FileLock lock(place.folder + "/.lock", place.folder, kCure);
  require_own_folder(place.folder, experiment);
  clear_leftovers(place.folder, /*deep=*/true);
  write_atomically(place.folder + "/recipe.yaml", recipe_text(experiment));
  if (arguments.share.empty())
    for (const std::string& note : experiment.notes) progress.say(note);
  const auto [split, alone] = threads_of(experiment, arguments, place.folder, progress);
  if (split.jobs > 1 && arguments.share.empty()) {
    at::set_num_threads(static_cast<int>(alone));
    train_shared(experiment, place, progress);
    place.asked_again = true;
    run_jobs(command_words(), place.folder, split.jobs, split.threads, progress);
  }
  at::set_num_threads(static_cast<int>(split.threads));
  Results results = run(experiment, place, progress);
  if (place.shares > 1) return results;  // whoever runs without a share collects its cells
  write_report(place.folder, results, thumbnail);
  std::error_code kept;
  std::filesystem::remove_all(place.folder + "/unfinished", kept);  // only now: until the report stands, nothing need be trained again
  remove_jobs(place.folder);
  return results;
}

void run_and_report(const Experiment& experiment, const RecipeArguments& arguments) {
  arguments.set_threads();
  Progress progress(arguments.progress());
  if (arguments.dry_run) return print_plan(plan(experiment, progress), arguments.json);
  const Results results = run_in_folder(experiment, arguments, progress);
  if (!arguments.share.empty()) return;
  if (arguments.json) fmt::print("{}\n", report_json(results));
  else fmt::print("{}{}/report.html\n", summary_text(results), arguments.place(experiment).folder);
}

nlohmann::ordered_json plan_json(const Plan& plan) {
  return {{"runs", plan.cells}, {"trainings", plan.trainings}, {"answers_at_most", plan.answers}, {"pool_s", plan.pool_s},
          {"seconds_asked_at_most", plan.seconds_asked}, {"price_at_most", plan.price}, {"minutes", plan.minutes},
          {"cache_bytes_at_most", plan.cache_bytes}, {"text", plan.text}};
}

}  // namespace distal
