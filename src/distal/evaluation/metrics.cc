#include "distal/evaluation/metrics.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>

#include "distal/base/error.h"

namespace distal {
namespace {

constexpr int64_t kBins = 15;
constexpr int64_t kWorst = 12;

// The clips that were predicted.
struct Judged {
  const Task& task;
  const std::vector<Clip>& test;
  torch::Tensor p;                 // float64 [M, K]
  std::vector<int64_t> rows;       // [M], of the test list
  std::vector<int64_t> predicted;  // [M]
  int64_t clips() const { return std::ssize(rows); }
  const Clip& clip(int64_t i) const { return test[rows[i]]; }
  const double* row(int64_t i) const { return p.const_data_ptr<double>() + i * p.size(1); }
  bool right(int64_t i) const { return predicted[i] == clip(i).label; }
  double of_truth(int64_t i) const { return row(i)[clip(i).label]; }
};

std::vector<int64_t> as_vector(const torch::Tensor& numbers) {
  const torch::Tensor all = numbers.contiguous();
  return {all.const_data_ptr<int64_t>(), all.const_data_ptr<int64_t>() + all.numel()};
}

Judged judged(const torch::Tensor& logits, const torch::Tensor& rows, const std::vector<Clip>& test,
              const Task& task) {
  const torch::Tensor p = task.probabilities(logits.to(torch::kFloat64)).contiguous();
  return {task, test, p, as_vector(rows), as_vector(task.predicted(p))};
}

void accuracy(const Judged& judged, Metrics& metrics) {
  int64_t right = 0;
  for (int64_t i = 0; i < judged.clips(); ++i) right += judged.right(i);
  metrics.accuracy = static_cast<double>(right) / static_cast<double>(judged.clips());
}

// The answer for a video with several true labels (phases) is not defined: it counts by (video,
// label).
void video_accuracy(const Judged& judged, Metrics& metrics) {
  std::map<std::pair<std::string, int64_t>, torch::Tensor> sums;
  for (int64_t i = 0; i < judged.clips(); ++i) {
    const Clip& clip = judged.clip(i);
    auto& sum = sums[{clip.video, clip.label}];
    sum = sum.defined() ? sum + judged.p[i] : judged.p[i].clone();
  }
  int64_t right = 0;
  for (const auto& [key, sum] : sums)
    right += judged.task.predicted(sum).item<int64_t>() == key.second;
  metrics.video_accuracy = static_cast<double>(right) / static_cast<double>(sums.size());
}

double mean_recall(const std::vector<std::vector<int64_t>>& confusion) {
  double sum = 0;
  int64_t present = 0;
  for (size_t k = 0; k < confusion.size(); ++k) {
    const int64_t clips = std::accumulate(confusion[k].begin(), confusion[k].end(), int64_t{0});
    if (clips == 0) continue;
    sum += static_cast<double>(confusion[k][k]) / static_cast<double>(clips);
    ++present;
  }
  return present > 0 ? sum / static_cast<double>(present) : 0;
}

void mean_class_accuracy(const Judged&, Metrics& metrics) {
  metrics.mean_class_accuracy = mean_recall(metrics.confusion);
}

void nll(const Judged& judged, Metrics& metrics) {
  for (int64_t i = 0; i < judged.clips(); ++i)
    metrics.nll -=
        std::log(std::max(judged.of_truth(i), 1e-12)) / static_cast<double>(judged.clips());
}

void ece(const Judged& judged, Metrics& metrics) {
  metrics.calibration.resize(kBins);
  for (int64_t i = 0; i < judged.clips(); ++i) {
    const double confidence = judged.row(i)[judged.predicted[i]];
    auto& bin = metrics.calibration[std::min(kBins - 1, static_cast<int64_t>(confidence * kBins))];
    ++bin.clips;
    bin.confidence += confidence;
    bin.accuracy += judged.right(i);
  }
  for (auto& bin : metrics.calibration) {
    if (bin.clips == 0) continue;
    bin.confidence /= static_cast<double>(bin.clips);
    bin.accuracy /= static_cast<double>(bin.clips);
    metrics.ece += std::abs(bin.confidence - bin.accuracy) * static_cast<double>(bin.clips) /
                   static_cast<double>(judged.clips());
  }
}

void add_clips(const Judged& judged, int64_t classes, Metrics& metrics) {
  metrics.confusion.assign(classes, std::vector<int64_t>(classes, 0));
  metrics.correct.assign(judged.test.size(), 0);
  for (int64_t i = 0; i < judged.clips(); ++i) {
    metrics.correct[judged.rows[i]] = judged.right(i);
    ++metrics.confusion[judged.clip(i).label][judged.predicted[i]];
    metrics.worst.push_back({judged.clip(i), judged.predicted[i], judged.of_truth(i)});
  }
  std::stable_sort(metrics.worst.begin(), metrics.worst.end(), [](const auto& a, const auto& b) {
    return a.probability_of_truth < b.probability_of_truth;
  });
  metrics.worst.resize(std::min<size_t>(metrics.worst.size(), kWorst));
}

struct Measure {
  std::string_view name;  // as Task::metrics gives it
  void (*add)(const Judged& judged, Metrics& metrics);
};

constexpr Measure kMeasures[] = {{"accuracy", accuracy},
                                 {"video_accuracy", video_accuracy},
                                 {"mean_class_accuracy", mean_class_accuracy},
                                 {"nll", nll},
                                 {"ece", ece}};

}  // namespace

Metrics measure(const torch::Tensor& logits, const torch::Tensor& rows,
                const std::vector<Clip>& test, const Task& task) {
  if (!rows.defined() || rows.size(0) == 0)
    fail("no clip of the test list could be read; see the quarantined videos");
  const Judged clips = judged(logits, rows, test, task);
  Metrics metrics;
  add_clips(clips, logits.size(1), metrics);
  for (const std::string& name : task.metrics()) {
    const auto* measure = std::find_if(std::begin(kMeasures), std::end(kMeasures),
                                       [&](const Measure& one) { return one.name == name; });
    expect(measure != std::end(kMeasures), "a metric that a task names is computed");
    measure->add(clips, metrics);
  }
  return metrics;
}

}  // namespace distal
