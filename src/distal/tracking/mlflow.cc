#include "distal/tracking/mlflow.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <random>

#include <nlohmann/json.hpp>

#include "distal/base/checksum.h"
#include "distal/base/files.h"
#include "distal/base/json.h"
#include "distal/base/progress.h"
#include "distal/base/yaml.h"
#include "distal/report/step_log.h"

namespace distal {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr auto kBetweenSends = std::chrono::seconds(2);
constexpr auto kWhileAway = std::chrono::seconds(30);
constexpr const char* kStudyRun = "study";  // its key in the state

int64_t unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string random_id() {
  std::random_device source;
  return fmt::format("{:08x}{:08x}", source(), source());
}

std::string list_text(const Yaml& list) {
  std::string text;
  for (const Yaml& item : list.items) text += (text.empty() ? "" : ", ") + item.text;
  return "[" + text + "]";
}

void add_flat(const Yaml& value, const std::string& key, MlflowPairs& pairs) {
  const auto below = [&](const std::string& name) { return key.empty() ? name : key + "." + name; };
  if (value.is_section()) {
    for (const YamlEntry& entry : value.entries) add_flat(entry.value, below(entry.key), pairs);
    return;
  }
  const bool plain = std::all_of(value.items.begin(), value.items.end(), [](const Yaml& item) {
    return !item.is_section() && !item.is_list();
  });
  if (value.is_list() && !plain) {
    for (size_t i = 0; i < value.items.size(); ++i)
      add_flat(value.items[i], below(fmt::format("{}", i)), pairs);
    return;
  }
  pairs.emplace_back(key, value.is_list() ? list_text(value) : value.text);
}

std::string key_of_trial(const TrackedTrial& trial) {
  return fmt::format("{} seed {}", trial.arm, trial.seed);
}

// The metrics of a line of metrics.jsonl.
std::vector<MlflowMetric> metrics_of_round(const OrderedJson& line) {
  std::vector<MlflowMetric> metrics;
  const int64_t now = unix_ms();
  const int64_t answers = line.value("answers", int64_t{0});
  for (const auto& [name, value] : line.items()) {
    if (!value.is_number() || name == "seed") continue;
    metrics.push_back({name, value.get<double>(), now, answers});
  }
  return metrics;
}

// The metrics of a line of steps.jsonl; `behind` stands behind each name.
void add_step_metrics(const OrderedJson& line, const std::string& behind,
                      std::vector<MlflowMetric>& metrics) {
  const int64_t step = line.value("step", int64_t{0});
  const auto time_ms = static_cast<int64_t>(1000 * line.value("time_s", 0.0));
  for (const auto& [name, value] : line.items()) {
    if (!value.is_number() || name == "step" || name == "time_s") continue;
    metrics.push_back({name + "/" + behind, value.get<double>(), time_ms, step});
  }
}

OrderedJson line_json(const std::string& line) {
  OrderedJson json = OrderedJson::parse(line, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : OrderedJson::object();
}

// `work` reads what distal wrote to `file`.
template <class Work>
void as_written(const std::string& file, const Work& work) {
  try {
    work();
  } catch (const nlohmann::json::exception&) {
    fail("{}: is not as distal wrote it, or the server's answers are not those of MLflow; remove "
         "the file, and everything is sent to new runs",
         file);
  }
}

}  // namespace

MlflowPairs flat_options(const std::string& yaml, const std::vector<std::string>& without) {
  Yaml tree = parse_yaml(yaml, "options");
  for (const std::string& section : without) tree.remove(section);
  MlflowPairs pairs;
  add_flat(tree, "", pairs);
  std::erase_if(pairs, [](const auto& pair) { return pair.first.empty(); });
  return pairs;
}

// mlflow.json: {"server", "experiment", "id", "runs": {KEY: {"run_id", "artifact_uri", "params",
// "rounds", "status", "artifacts": {NAME: SUM}}}, "steps": {TRAINING: LAST}}.
struct MlflowSync::State {
  MlflowSettings settings;
  TrackedStudy study;
  MlflowClient client;
  OrderedJson known;
  std::string remark;
  bool said_elsewhere = false;  // once a process
  int64_t sent = 0;

  State(MlflowSettings to, TrackedStudy of)
      : settings(std::move(to)), study(std::move(of)), client(settings) {
    known = line_json(read_if_there(path()));
    const std::string server = settings.shown();
    const std::string experiment =
        settings.experiment_id.empty() ? settings.experiment : settings.experiment_id;
    if (known.value("server", "") == server && known.value("experiment", "") == experiment) return;
    known = {{"server", server},
             {"experiment", experiment},
             {"id", random_id()},
             {"runs", OrderedJson::object()},
             {"steps", OrderedJson::object()}};
    keep();
  }

  std::string path() const { return study.folder + "/mlflow.json"; }
  void keep() {
    ++sent;
    write_atomically(path(), json_text(known, 1) + "\n");
  }

  const std::string& experiment() {
    if (experiment_.empty()) experiment_ = client.experiment();
    return experiment_;
  }

  // The run of a key, found or made. A run whose answer was lost is found by its tags. Another run
  // that is made moves it.
  OrderedJson& run(const std::string& key, const std::string& name,
                   const std::function<MlflowPairs()>& params,
                   const std::function<MlflowPairs()>& tags_of) {
    OrderedJson& runs = known["runs"];
    if (!runs.contains(key)) {
      MlflowPairs tags = tags_of();
      const MlflowPairs own = {{"distal.study", known["id"].get<std::string>()},
                               {"distal.trial", std::to_string(checksum(key))}};
      tags.insert(tags.end(), own.begin(), own.end());
      auto made = client.find_run(experiment(), own);
      if (!made) made = client.create_run(experiment(), name, tags);
      runs[key] = {{"run_id", made->id},  {"artifact_uri", made->artifact_uri},
                   {"params", false},     {"rounds", 0},
                   {"status", "RUNNING"}, {"artifacts", OrderedJson::object()}};
      keep();
    }
    OrderedJson& run = runs[key];
    if (!run["params"].get<bool>()) {
      client.log(run["run_id"], {}, params());
      run["params"] = true;
      keep();
    }
    return run;
  }

  OrderedJson& study_run() {
    return run(
        kStudyRun, study.name,
        [&] {
          return flat_options(study.options, {"arms", "sweep"});
        },
        [&] {
          MlflowPairs tags = common_tags();
          if (!study.question.empty()) tags.emplace_back("mlflow.note.content", study.question);
          return tags;
        });
  }

  OrderedJson& trial_run(const TrackedTrial& trial) {
    const std::string parent = study_run()["run_id"];
    const auto params = [&] {
      MlflowPairs all = flat_options(trial.options);
      std::erase_if(all, [](const auto& pair) { return pair.first == "seed"; });
      all.insert(all.begin(), {{"arm", trial.arm}, {"seed", fmt::format("{}", trial.seed)}});
      return all;
    };
    return run("trial " + key_of_trial(trial), key_of_trial(trial), params, [&] {
      MlflowPairs tags = common_tags();
      tags.emplace_back("mlflow.parentRunId", parent);
      return tags;
    });
  }

  MlflowPairs common_tags() const {
    return {{"mlflow.source.name", "distal"},
            {"mlflow.source.type", "LOCAL"},
            {"distal.revision", study.revision}};
  }

  const TrackedTrial* trial_of(const OrderedJson& line) const {
    const std::string arm = line.value("arm", "");
    const int64_t seed = line.value("seed", int64_t{-1});
    for (const TrackedTrial& trial : study.trials) {
      if (trial.arm == arm && trial.seed == seed) return &trial;
    }
    return nullptr;
  }

  void send_rounds() {
    const std::string file = study.folder + "/metrics.jsonl";
    std::error_code absent;
    const auto written = std::filesystem::last_write_time(file, absent);
    if (absent || written == rounds_of_) return;
    int64_t from = 0;
    for (const std::string& text : whole_lines(file, from)) {
      const OrderedJson line = line_json(text);
      const TrackedTrial* trial = trial_of(line);
      if (!trial) continue;
      OrderedJson& run = trial_run(*trial);
      const int64_t round = line.value("round", int64_t{0});
      if (round < run["rounds"].get<int64_t>()) continue;
      client.log(run["run_id"], metrics_of_round(line), {});
      run["rounds"] = round + 1;
      run["status"] = "RUNNING";
      keep();
    }
    rounds_of_ = written;
  }

  // The run that a training belongs to, and what its metrics are called behind their names.
  std::pair<std::string, std::string> place_of(const std::string& training) {
    for (const TrackedTrial& trial : study.trials) {
      const std::string begin = key_of_trial(trial) + " ";
      if (training.starts_with(begin + "round ") || training == begin + "pre-training")
        return {trial_run(trial)["run_id"], training.substr(begin.size())};
    }
    return {study_run()["run_id"], training};
  }

  // A student that a longer study trains again has the same losses, and logs them anew: what counts
  // is the last step that was sent.
  void send_steps_of(const std::filesystem::path& folder) {
    const std::string name = folder.filename().string();
    const std::string file = (folder / kStepsFile).string();
    std::error_code absent;
    const auto written = std::filesystem::last_write_time(file, absent);
    if (absent || written == steps_of_[name]) return;
    int64_t last = known["steps"].value(name, int64_t{0});
    std::vector<MlflowMetric> metrics;
    std::string run;
    int64_t from = 0;
    for (const std::string& text : whole_lines(file, from)) {
      const OrderedJson line = line_json(text);
      const int64_t step = line.value("step", int64_t{0});
      if (step <= last) continue;
      last = step;
      const auto [id, behind] = place_of(line.value("training", name));
      run = id;
      add_step_metrics(line, behind, metrics);
    }
    if (!metrics.empty()) {
      client.log(run, metrics, {});
      known["steps"][name] = last;
      keep();
    }
    steps_of_[name] = written;
  }

  void send_steps() {
    std::error_code absent;
    std::vector<std::filesystem::path> folders;
    for (const auto& entry :
         std::filesystem::directory_iterator(study.folder + "/training", absent))
      folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end());
    for (const auto& folder : folders) send_steps_of(folder);
  }

  void send_files(OrderedJson& run, const std::vector<std::string>& files) {
    const MlflowClient::Run at{run["run_id"], run["artifact_uri"]};
    for (const std::string& file : files) {
      std::error_code absent;
      if (!std::filesystem::exists(file, absent)) continue;
      if (!MlflowClient::takes_artifacts(at)) return say_elsewhere(at);
      std::string bytes = read_file(file);
      const std::string name = std::filesystem::path(file).filename().string();
      const std::string sum = fmt::format("{:016x}", checksum(bytes));
      if (run["artifacts"].value(name, "") == sum) continue;
      client.put_artifact(at, name, std::move(bytes));
      run["artifacts"][name] = sum;
      keep();
    }
  }

  void say_elsewhere(const MlflowClient::Run& at) {
    if (std::exchange(said_elsewhere, true)) return;
    remark = fmt::format("MLflow at {}: artefacts lie at {}, where the server takes none; start it "
                         "with --serve-artifacts, or look for report and models in {}",
                         settings.shown(), at.artifact_uri, study.folder);
  }

  void finish(OrderedJson& run) {
    if (run["status"] == "FINISHED") return;
    client.set_status(run["run_id"], "FINISHED");
    run["status"] = "FINISHED";
    keep();
  }

  void send_rest() {
    OrderedJson& whole = study_run();
    std::vector<std::string> files;
    for (const char* name :
         {"report.html", "report.json", "curve.csv", "metrics.jsonl", "recipe.yaml"})
      files.push_back(study.folder + "/" + name);
    send_files(whole, files);
    for (const TrackedTrial& trial : study.trials) {
      OrderedJson& run = trial_run(trial);
      send_files(run, trial.files);
      finish(run);
    }
    finish(study_run());
  }

 private:
  std::string experiment_;
  // Of the files that were sent.
  std::filesystem::file_time_type rounds_of_ = {};
  std::map<std::string, std::filesystem::file_time_type> steps_of_;
};

MlflowSync::MlflowSync(MlflowSettings settings, TrackedStudy study) {
  const std::string file = study.folder + "/mlflow.json";
  as_written(file,
             [&] { state_ = std::make_unique<State>(std::move(settings), std::move(study)); });
}

MlflowSync::~MlflowSync() = default;

void MlflowSync::send(bool finished) {
  as_written(state_->path(), [&] {
    state_->study_run();
    state_->send_rounds();
    state_->send_steps();
    if (finished) state_->send_rest();
  });
}

int64_t MlflowSync::sent() const { return state_->sent; }

std::string MlflowSync::take_remark() { return std::exchange(state_->remark, ""); }

MlflowTracker::MlflowTracker(MlflowSettings settings, TrackedStudy study, Progress& progress)
    : sync_(settings, std::move(study)),
      shown_(settings.shown()),
      progress_(progress),
      thread_([this] { work(); }) {}

MlflowTracker::~MlflowTracker() { stop(); }

void MlflowTracker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Whether the server has everything.
bool MlflowTracker::send(bool finished) {
  try {
    sync_.send(finished);
    if (std::exchange(away_, false)) progress_.say(fmt::format("MLflow at {} is back", shown_));
    if (const std::string remark = sync_.take_remark(); !remark.empty()) progress_.say(remark);
    return true;
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& error) {  // whatever it is, the run goes on
    if (!std::exchange(away_, true))
      progress_.say(fmt::format("MLflow at {}: {}; the run goes on, and what is missing there is "
                                "sent later, or at the next start of this command",
                                shown_, error.what()));
    return false;
  }
}

void MlflowTracker::work() {
  try {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      lock.unlock();
      const bool sent = send(false);
      lock.lock();
      wake_.wait_for(lock, sent ? kBetweenSends : kWhileAway, [this] { return stopped_; });
    }
  } catch (const Interrupted&) {  // the main thread ends the run
  }
}

void MlflowTracker::finish() {
  stop();
  for (int64_t before = sync_.sent(); !send(true) && sync_.sent() > before;) before = sync_.sent();
}

std::unique_ptr<MlflowTracker> mlflow_tracker(TrackedStudy study, Progress& progress) {
  try {
    const auto settings = mlflow_settings();
    if (!settings) return nullptr;
    return std::make_unique<MlflowTracker>(*settings, std::move(study), progress);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    progress.say(fmt::format("{}; the run goes on without MLflow", error.what()));
    return nullptr;
  }
}

}  // namespace distal
