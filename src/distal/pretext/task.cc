#include "distal/pretext/task.h"

#include <ATen/ATen.h>

#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {

torch::Tensor PretextTask::draw(int64_t views, int64_t, Random& random) const {
  std::vector<float> labels;
  for (int64_t i = 0; i < views; ++i) labels.push_back(static_cast<float>(random.below(outputs())));
  return torch::tensor(labels);
}

torch::Tensor PretextTask::loss(const torch::Tensor& outputs, const torch::Tensor& labels) const {
  return at::cross_entropy_loss(outputs, labels.to(torch::kInt64), {}, at::Reduction::None);
}

double PretextTask::chance(int64_t) const { return std::log(static_cast<double>(outputs())); }

torch::Tensor NoTask::transform(const torch::Tensor& views, const torch::Tensor&, int64_t frames,
                                Random& random) const {
  return pick_frames(views,
                     draw_windows(views, std::vector<int64_t>(views.size(0), 1), frames, random));
}

torch::Tensor draw_windows(const torch::Tensor& views, const std::vector<int64_t>& strides,
                           int64_t frames, Random& random) {
  expect(std::ssize(strides) == views.size(0), "a stride for each view");
  std::vector<std::vector<int64_t>> rows;
  for (const int64_t stride : strides) {
    const int64_t starts = views.size(2) - (frames - 1) * stride;
    expect(starts > 0, "a view is as long as its task wants");
    const int64_t start = random.below(starts);
    rows.emplace_back();
    for (int64_t t = 0; t < frames; ++t) rows.back().push_back(start + t * stride);
  }
  return table(rows);
}

torch::Tensor pick_frames(const torch::Tensor& views, const torch::Tensor& numbers) {
  const int64_t n = views.size(0);
  const int64_t clips = numbers.dim() == 3 ? numbers.size(1) : 1;
  const int64_t frames = numbers.size(-1);
  const auto wanted = numbers.reshape({n, 1, clips * frames, 1, 1})
                          .expand({n, views.size(1), clips * frames, views.size(3), views.size(4)});
  const auto picked = views.gather(2, wanted);
  return clips == 1 ? picked : picked.unflatten(2, {clips, frames}).transpose(1, 2).flatten(0, 1);
}

torch::Tensor table(const std::vector<std::vector<int64_t>>& rows) {
  std::vector<int64_t> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return torch::tensor(all, torch::kInt64).view({static_cast<int64_t>(rows.size()), -1});
}

}  // namespace distal
