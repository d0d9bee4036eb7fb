#include "distal/study/training_account.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/models/weights.h"
#include "distal/networks/network.h"
#include "distal/study/trial.h"

namespace distal {
namespace {

using AccountJson = nlohmann::ordered_json;

// Four digits: what stands in a store and came back may differ in the last ones.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

AccountJson clips_account(const std::vector<Clip>& clips, const std::vector<int64_t>& labels,
                          const Classes& classes) {
  std::set<std::string> groups;
  std::map<int64_t, int64_t> counts;
  for (size_t i = 0; i < clips.size(); ++i) {
    groups.insert(clips[i].group);
    if (labels[i] >= 0) ++counts[labels[i]];
  }
  AccountJson account = {{"clips", clips.size()}, {"groups", groups.size()}};
  for (const auto& [label, count] : counts) account["classes"][classes.names[label]] = count;
  return account;
}

std::vector<int64_t> labels_of(const std::vector<Clip>& clips) {
  std::vector<int64_t> labels;
  for (const Clip& clip : clips) labels.push_back(clip.label);
  return labels;
}

AccountJson list_account(const std::string& csv, const std::vector<Clip>& clips,
                         const Classes& classes) {
  AccountJson account = {{"list", csv}};
  account.update(clips_account(clips, labels_of(clips), classes));
  return account;
}

AccountJson learned_account(const LabeledSet& known, const Dataset& dataset) {
  std::vector<int64_t> labels;
  for (const Sample& sample : known.samples) labels.push_back(sample.likely(*dataset.task));
  return clips_account(known.clips(), labels, dataset.classes);
}

AccountJson interval_account(const std::vector<uint8_t>& correct, const std::vector<Clip>& test) {
  if (correct.size() != test.size()) return nullptr;
  std::map<std::string, std::pair<double, double>> groups;  // right clips, clips
  double right = 0;
  for (size_t i = 0; i < test.size(); ++i) {
    auto& [right_here, clips] = groups[test[i].group];
    right_here += correct[i];
    clips += 1;
    right += correct[i];
  }
  const auto count = static_cast<double>(groups.size());
  if (count < 2) return nullptr;
  const auto clips = static_cast<double>(test.size());
  const double share = right / clips;
  double sum = 0;
  for (const auto& [name, group] : groups) {
    const double off = group.first - share * group.second;
    sum += off * off;
  }
  const double error = std::sqrt(count / (count - 1) * sum) / clips;
  const double reach = student_t_critical(0.05, count - 1) * error;
  return {rounded(std::max(share - reach, 0.0)), rounded(std::min(share + reach, 1.0))};
}

AccountJson test_account(const Metrics& metrics, const Dataset& dataset, const std::string& csv) {
  AccountJson account = list_account(csv, dataset.test, dataset.classes);
  account["accuracy"] = rounded(metrics.accuracy);
  account["interval"] = interval_account(metrics.correct, dataset.test);
  account["mean_class_accuracy"] = rounded(metrics.mean_class_accuracy);
  account["ece"] = rounded(metrics.ece);
  account["nll"] = rounded(metrics.nll);
  return account;
}

std::string licence_of(const std::string& path) {
  Metadata metadata;
  try {
    load_safetensors(path, &metadata);
  } catch (const Error&) {  // it was read for the training, and is gone since
    return "unknown";
  }
  for (const char* name : {"licence", "license"}) {
    const auto found = metadata.find(name);
    if (found != metadata.end()) return found->second;
  }
  return "unknown";
}

AccountJson init_account(const ModelOptions& model) {
  if (const NetworkOptions* network = model.network())
    return {{"file", std::filesystem::path(network->file).filename().string()},
            {"licence", "unknown"}};
  const std::string& path = model.init;
  if (path.empty()) return {{"file", "none, random weights"}, {"licence", "not needed"}};
  return {{"file", std::filesystem::path(path).filename().string()}, {"licence", licence_of(path)}};
}

}  // namespace

std::string training_account(const TrialSetup& setup, const Arm& arm, const LabeledSet& known,
                             const Metrics& metrics, int64_t seed) {
  const SharedOptions& shared = setup.study.shared;
  const Dataset& dataset = setup.dataset;
  AccountJson data = {{"learned from", learned_account(known, dataset)},
                      {"pool", list_account(shared.data.pool.csv, dataset.pool, dataset.classes)}};
  if (shared.data.start && !dataset.start.empty())
    data["start"] = list_account(shared.data.start->csv, dataset.start, dataset.classes);
  data["test"] = list_account(shared.data.test.csv, dataset.test, dataset.classes);
  return json_text(AccountJson{{"study", setup.study.name},
                               {"question", shared.question},
                               {"arm", arm.name},
                               {"seed", seed},
                               {"round", arm.options.rounds},
                               {"data", data},
                               {"test", test_account(metrics, dataset, shared.data.test.csv)},
                               {"init", init_account(arm.options.student.model)},
                               {"recipe", decisive_options(shared, arm.options)}});
}

}  // namespace distal
