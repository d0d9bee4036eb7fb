#include "distal/data/order.h"

#include <numeric>

#include "distal/base/error.h"

namespace distal {

SampleOrder::SampleOrder(int64_t samples, Random random)
    : samples_(samples), random_(random), groups_(1) {
  expect(samples > 0, "an order needs samples");
  groups_[0].resize(samples);
  std::iota(groups_[0].begin(), groups_[0].end(), 0);
}

SampleOrder::SampleOrder(const std::vector<int64_t>& class_of, Random random)
    : samples_(std::ssize(class_of)), random_(random) {
  expect(samples_ > 0, "an order needs samples");
  std::map<int64_t, std::vector<int64_t>> by_class;
  for (int64_t i = 0; i < samples_; ++i) by_class[class_of[i]].push_back(i);
  for (auto& [label, rows] : by_class) groups_.push_back(std::move(rows));
}

SampleOrder::Rows SampleOrder::permutation(const char* name, int64_t group, int64_t index,
                                           int64_t size) const {
  const std::lock_guard lock(mutex_);
  Rows& rows = recent_[{index, group}];
  if (!rows)
    rows = std::make_shared<const std::vector<int64_t>>(
        random_.stream(name, group).stream("cycle", index).permutation(size));
  const Rows kept = rows;
  while (std::ssize(recent_) > 2 * std::ssize(groups_) + 6) recent_.erase(recent_.begin());
  return kept;
}

int64_t SampleOrder::at(int64_t position, int64_t attempt) const {
  const int64_t classes = std::ssize(groups_);
  const int64_t block = position / classes;
  const int64_t group =
      classes == 1 ? 0 : (*permutation("classes", -1, block, classes))[position % classes];
  const auto& rows = groups_[group];
  const int64_t size = std::ssize(rows);
  if (attempt >= size) return (position + attempt - size) % samples_;
  return rows[(
      *permutation("samples", group, block / size, size))[(block % size + attempt) % size]];
}

}  // namespace distal
