#include "distal/data/augment_batch.h"

#include <map>

#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {
namespace {

bool known(const torch::Tensor& rows, int64_t row) {
  const float* first = rows.const_data_ptr<float>() + row * rows.size(1);
  return std::none_of(first, first + rows.size(1), [](float p) { return std::isnan(p); });
}

torch::Tensor mixed_rows(const torch::Tensor& rows, const std::vector<int64_t>& with,
                         const std::vector<double>& shares) {
  const int64_t classes = rows.size(1);
  auto mixed = torch::empty(rows.sizes(), torch::kFloat32);
  const float* in = rows.const_data_ptr<float>();
  float* out = mixed.mutable_data_ptr<float>();
  for (int64_t row = 0; row < rows.size(0); ++row) {
    const float* own = in + row * classes;
    const float* other = in + with[row] * classes;
    const double share = shares[row];
    for (int64_t k = 0; k < classes; ++k)
      *out++ = share == 1 ? own[k] : static_cast<float>(share * own[k] + (1 - share) * other[k]);
  }
  return mixed;
}

}  // namespace

ClipSize clip_size(const Batch& batch) {
  expect(batch.clips.dim() == 5 && batch.clips.size(1) == 3 && batch.clips.is_contiguous(),
         "clips [N, 3, T, H, W] lie one after another");
  return {batch.clips.size(2), batch.clips.size(3), batch.clips.size(4)};
}

Batch change_each(const Batch& batch, const Random& random, const ClipChange& change) {
  const int64_t numbers = clip_size(batch).numbers();
  Batch changed = batch;
  changed.clips = torch::empty(batch.clips.sizes(), torch::kFloat32);
  const float* in = batch.clips.const_data_ptr<float>();
  float* out = changed.clips.mutable_data_ptr<float>();
  for (int64_t row = 0; row < batch.clips.size(0); ++row)
    change(in + row * numbers, out + row * numbers, row, random.stream("clip", row));
  return changed;
}

std::vector<int64_t> partners(const Batch& batch, Random random) {
  std::map<std::pair<bool, bool>, std::vector<int64_t>> circles;
  for (const int64_t row : random.permutation(batch.clips.size(0)))
    circles[{known(batch.targets, row), known(batch.teacher, row)}].push_back(row);
  std::vector<int64_t> with(batch.clips.size(0));
  for (const auto& [how, rows] : circles) {
    for (size_t i = 0; i < rows.size(); ++i) with[rows[i]] = rows[(i + 1) % rows.size()];
  }
  return with;
}

Batch mix_each(const Batch& batch, double probability, const Random& random,
               const ClipBlend& blend) {
  const int64_t numbers = clip_size(batch).numbers();
  const float* clips = batch.clips.const_data_ptr<float>();
  const std::vector<int64_t> with = partners(batch, random.stream("partners"));
  std::vector<double> shares(with.size(), 1);
  Batch mixed = change_each(batch, random.stream("mix"),
                            [&](const float* clip, float* out, int64_t row, Random draw) {
                              const bool alone = with[row] == row;
                              if (alone || draw.uniform() >= probability)
                                std::copy_n(clip, numbers, out);
                              else
                                shares[row] = blend(clip, clips + with[row] * numbers, out, draw);
                            });
  mixed.targets = mixed_rows(batch.targets, with, shares);
  mixed.teacher = mixed_rows(batch.teacher, with, shares);
  return mixed;
}

}  // namespace distal
