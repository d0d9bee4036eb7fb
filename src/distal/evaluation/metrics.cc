#include "distal/evaluation/metrics.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "distal/base/error.h"

namespace distal {
namespace {

constexpr int64_t kBins = 15;
constexpr int64_t kWorst = 12;

double video_accuracy(const torch::Tensor& p, const torch::Tensor& rows,
                      const std::vector<Clip>& test) {
  // The answer for a video with several true labels (phases) is not defined: it counts by (video,
  // label).
  std::map<std::pair<std::string, int64_t>, torch::Tensor> sums;
  for (int64_t i = 0; i < p.size(0); ++i) {
    const Clip& clip = test[rows[i].item<int64_t>()];
    auto& sum = sums[{clip.video, clip.label}];
    sum = sum.defined() ? sum + p[i] : p[i].clone();
  }
  int64_t right = 0;
  for (const auto& [key, sum] : sums) right += sum.argmax().item<int64_t>() == key.second;
  return static_cast<double>(right) / static_cast<double>(sums.size());
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

void finish_calibration(Metrics& metrics, int64_t clips) {
  for (auto& bin : metrics.calibration) {
    if (bin.clips == 0) continue;
    bin.confidence /= static_cast<double>(bin.clips);
    bin.accuracy /= static_cast<double>(bin.clips);
    metrics.ece += std::abs(bin.confidence - bin.accuracy) * static_cast<double>(bin.clips) /
                   static_cast<double>(clips);
  }
}

}  // namespace

Metrics measure(const torch::Tensor& logits, const torch::Tensor& rows,
                const std::vector<Clip>& test) {
  const int64_t clips = rows.defined() ? rows.size(0) : 0;
  if (clips == 0) fail("no clip of the test list could be read; see the quarantined videos");
  const int64_t classes = logits.size(1);
  const torch::Tensor p = logits.to(torch::kFloat64).softmax(1).contiguous();
  const torch::Tensor indices = rows.contiguous();
  Metrics metrics;
  metrics.confusion.assign(classes, std::vector<int64_t>(classes, 0));
  metrics.calibration.resize(kBins);
  metrics.correct.assign(test.size(), 0);
  int64_t right = 0;
  for (int64_t i = 0; i < clips; ++i) {
    const int64_t row = indices.data_ptr<int64_t>()[i];
    const Clip& clip = test[row];
    const double* row_p = p.data_ptr<double>() + i * classes;
    const int64_t predicted = std::max_element(row_p, row_p + classes) - row_p;
    const bool correct = predicted == clip.label;
    right += correct;
    metrics.correct[row] = correct;
    ++metrics.confusion[clip.label][predicted];
    metrics.nll -= std::log(std::max(row_p[clip.label], 1e-12)) / static_cast<double>(clips);
    auto& bin =
        metrics.calibration[std::min(kBins - 1, static_cast<int64_t>(row_p[predicted] * kBins))];
    ++bin.clips;
    bin.confidence += row_p[predicted];
    bin.accuracy += correct;
    metrics.worst.push_back({clip, predicted, row_p[clip.label]});
  }
  metrics.accuracy = static_cast<double>(right) / static_cast<double>(clips);
  metrics.video_accuracy = video_accuracy(p, indices, test);
  metrics.mean_class_accuracy = mean_recall(metrics.confusion);
  finish_calibration(metrics, clips);
  std::stable_sort(metrics.worst.begin(), metrics.worst.end(), [](const auto& a, const auto& b) {
    return a.probability_of_truth < b.probability_of_truth;
  });
  metrics.worst.resize(std::min<size_t>(metrics.worst.size(), kWorst));
  return metrics;
}

}  // namespace distal
