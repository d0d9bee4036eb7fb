#include "distal/study/folder.h"

#include <algorithm>
#include <sstream>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/in_use.h"
#include "distal/base/leftovers.h"
#include "distal/base/progress.h"
#include "distal/base/revision.h"
#include "distal/base/text.h"
#include "distal/report/report.h"
#include "distal/report/thumbnail.h"
#include "distal/store/store.h"
#include "distal/study/dataset_file.h"
#include "distal/study/jobs.h"
#include "distal/study/split.h"
#include "distal/tracking/mlflow.h"

namespace distal {
namespace {

constexpr const char* kCure = "give another --out, or remove the folder";

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> names_of(const Study& study) {
  std::vector<std::string> names;
  for (const Arm& arm : study.arms) names.push_back(arm.name);
  return names;
}

// How two experiments differ, in words; empty where they are the same.
std::string difference(const Study& there, const Study& here) {
  if (names_of(there) != names_of(here))
    return fmt::format("its arms are {}, not {}", fmt::join(names_of(there), ", "),
                       fmt::join(names_of(here), ", "));
  for (size_t i = 0; i < here.arms.size(); ++i) {
    const auto was = lines_of(decisive_options(there.shared, there.arms[i].options));
    const auto is = lines_of(decisive_options(here.shared, here.arms[i].options));
    const auto [a, b] = std::mismatch(was.begin(), was.end(), is.begin(), is.end());
    if (a == was.end() && b == is.end()) continue;
    const auto quoted = [](auto at, auto end) {
      return at == end ? "nothing"
                       : "'" + at->substr(std::min(at->find_first_not_of(' '), at->size())) + "'";
    };
    return fmt::format("arm {}: {} there, {} here", here.arms[i].name, quoted(a, was.end()),
                       quoted(b, is.end()));
  }
  return "";
}

bool holds_results(const std::filesystem::path& folder) {
  std::error_code absent;
  const std::filesystem::directory_iterator networks(folder / "unfinished", absent);
  return std::filesystem::exists(folder / "report.json", absent) ||
         networks != std::filesystem::directory_iterator();
}

void require_own_results(const std::string& folder, const Study& study) {
  const std::string path = folder + "/recipe.yaml";
  if (!holds_results(folder) || !std::filesystem::exists(path)) return;
  std::string differs;
  try {
    differs = difference(read_study(path, {}), study);
  } catch (const UsageError& error) {
    fail("{}: holds results of a recipe that cannot be read ({}); {}", folder, error.what(), kCure);
  }
  if (!differs.empty())
    fail("{}: holds results of another recipe ({}); {}", folder, differs, kCure);
}

// What jobs and shares left in it counts too: it is collected and removed with the rest.
void require_own_folder(const std::string& folder, const Study& study) {
  require_own_results(folder, study);
  std::error_code absent;
  for (const auto& job : std::filesystem::directory_iterator(folder + "/jobs", absent))
    require_own_results(job.path().string(), study);
}

std::string recipe_text(const Study& study) {
  std::string text = study.resolved;
  for (const Arm& arm : study.arms) {
    text += fmt::format("\n# arm {}, every option\n", arm.name);
    for (const auto& line : lines_of(arm.resolved)) text += "#   " + line + "\n";
  }
  return text;
}

// What jobs read instead of opening the lists themselves.
std::string dataset_file(const std::string& folder) { return folder + "/unfinished/dataset.json"; }

struct FolderThreads {
  ProcessorSplit split;
  int64_t alone = 0;  // of what is trained before the trials, with nothing beside it

  nlohmann::ordered_json json() const {
    return {{"jobs", split.jobs}, {"threads", split.threads}, {"alone", alone}};
  }
};

FolderThreads measured_now(const Study& study, Progress& progress) {
  FolderThreads threads{measured_split(study, progress), at::get_num_threads()};
  if (const auto& teacher = study.shared.teacher; teacher && threads.split.jobs > 1)
    threads.alone = measured_threads(teacher->learner, study.shared.teacher_input());
  return threads;
}

// What a folder's threads.json says; 0: nothing, or somebody else wrote there.
int64_t begun_with(const std::string& path, const char* name, int64_t most) {
  const auto begun =
      nlohmann::json::parse(read_if_there(path), nullptr, /*allow_exceptions=*/false);
  const int64_t value = begun.is_object() && begun.contains(name) && begun[name].is_number_integer()
                            ? begun[name].get<int64_t>()
                            : 0;
  return value <= most ? std::max<int64_t>(0, value) : 0;
}

// What the folder began with, where neither --threads nor --jobs says otherwise; else what is
// measured now.
FolderThreads threads_of(const Study& study, const RunOptions& options, const std::string& folder,
                         Progress& progress) {
  const std::string path = folder + "/threads.json";
  bool written = std::filesystem::exists(path);  // flags are for this once
  const int64_t all = at::get_num_threads();
  const int64_t jobs = std::max<int64_t>(1, options.jobs);
  FolderThreads threads{
      {jobs, options.threads > 0 ? options.threads : std::max<int64_t>(1, all / jobs)}, all};
  if (options.share.empty() && options.threads == 0 && options.jobs == 0) {
    threads = {{begun_with(path, "jobs", 256), begun_with(path, "threads", 1024)},
               begun_with(path, "alone", 1024)};
    if (threads.split.jobs > 0 && threads.split.threads > 0 && threads.alone > 0) {
      progress.say(threads.split.text() + ", as this folder began");
    } else {
      threads = measured_now(study, progress);
      written = false;
    }
  }
  if (!written) write_atomically(path, threads.json().dump() + "\n");
  return threads;
}

// What an MLflow server is told of a study; null where none is named.
std::unique_ptr<MlflowTracker> tracker_of(const Study& study, const std::string& folder,
                                          Progress& progress) {
  TrackedStudy tracked{folder, study.name, study.shared.question, revision(), study.resolved, {}};
  for (int64_t repeat = 0; repeat < study.shared.seeds; ++repeat) {
    for (const Arm& arm : study.arms) {
      tracked.trials.push_back({arm.name, study.shared.seed + repeat, arm.resolved, {}});
      if (repeat > 0) continue;  // only the students of the first seed are kept
      for (const char* ending : {".safetensors", ".json"})
        tracked.trials.back().files.push_back(
            fmt::format("{}/{}{}", folder, slug(arm.name), ending));
    }
  }
  return mlflow_tracker(std::move(tracked), progress);
}

}  // namespace

RunPlace place_of(const RunOptions& options) {
  RunPlace place{options.folder, options.store, fmt::format("{}", fmt::join(options.command, " "))};
  if (options.share.empty()) return place;
  int end = 0;
  const bool read =
      std::sscanf(options.share.c_str(), "%ld/%ld%n", &place.share, &place.shares, &end) == 2 &&
      end == static_cast<int>(options.share.size());
  if (!read || place.share < 0 || place.share >= place.shares)
    throw UsageError(fmt::format(
        "--share {}: two numbers I/N, of N shares the I-th, counted from 0", options.share));
  const std::filesystem::path folder = place.folder;
  if (options.job_of > 0) {
    place.shared = place.folder;
    place.dataset = dataset_file(place.folder);
    place.helps_others = true;
    place.folder = Job{place.share, place.shares}.folder(place.folder);
  } else if (folder.parent_path().filename() ==
             "jobs") {  // as a job's would be: there may be a teacher for all
    place.shared =
        folder.parent_path().has_parent_path() ? folder.parent_path().parent_path().string() : ".";
  }
  return place;
}

void set_threads_alone(const Learner& learner, const InputOptions& input, const RunOptions& options,
                       const std::string& folder, Progress& progress) {
  const std::string path = folder + "/threads.json";
  int64_t threads = options.threads > 0 ? options.threads : begun_with(path, "alone", 1024);
  if (threads == 0) threads = measured_threads(learner, input);
  if (!std::filesystem::exists(path))
    write_atomically(path, FolderThreads{{1, threads}, threads}.json().dump() + "\n");
  progress.say(fmt::format("trains on {} thread{}", threads, threads == 1 ? "" : "s"));
  at::set_num_threads(static_cast<int>(threads));
}

void require_places(const RunOptions& options) {
  namespace fs = std::filesystem;
  require_store_url(options.store);
  std::error_code unknown;
  fs::path at = fs::absolute(options.folder, unknown);
  while (!fs::exists(at, unknown) && at.has_relative_path()) at = at.parent_path();
  if (!fs::is_directory(at, unknown))
    fail("{}: cannot be made, {} is no folder; give another --out", options.folder, at.string());
}

Results run_in_folder(const Study& study, const RunOptions& options, Progress& progress) {
  RunPlace place = place_of(options);
  make_folder(place.folder);
  const FileLock lock(place.folder + "/.lock", place.folder, kCure);
  require_own_folder(place.folder, study);
  clear_leftovers(place.folder, /*deep=*/true);
  write_atomically(place.folder + "/recipe.yaml", recipe_text(study));
  if (options.share.empty()) {
    for (const std::string& note : study.notes) progress.say(note);
  }
  const auto tracker = options.share.empty() ? tracker_of(study, place.folder, progress) : nullptr;
  const auto [split, alone] = threads_of(study, options, place.folder, progress);
  const bool starts_jobs = split.jobs > 1 && options.share.empty();
  at::set_num_threads(static_cast<int>(starts_jobs ? alone : split.threads));
  OpenedStudy opened = open_study(study, place, progress);
  if (starts_jobs) {
    train_shared(study, opened, place, progress);
    make_folder(place.folder + "/unfinished");
    save_dataset(opened.dataset, dataset_file(place.folder));
    place.asked_again = true;
    run_jobs(options.command, place.folder, split.jobs, split.threads, progress);
    at::set_num_threads(static_cast<int>(split.threads));
  }
  Results results = run(study, opened, place, progress);
  if (place.shares > 1) return results;  // whoever runs without a share collects its cells
  write_report(place.folder, results, thumbnails());
  std::error_code kept;
  std::filesystem::remove_all(
      place.folder + "/unfinished",
      kept);  // only now: until the report stands, nothing need be trained again
  remove_jobs(place.folder);
  if (tracker) tracker->finish();
  return results;
}

}  // namespace distal
