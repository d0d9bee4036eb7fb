#include "active/strategy.h"

#include "base/error.h"

namespace distal {

int64_t PoolScores::size() const {
  for (const auto* field : {&logits, &embeddings, &duration_s}) {
    if (field->defined()) return field->size(0);
  }
  return static_cast<int64_t>(video.size());
}

PoolScores subset(const PoolScores& scores, const std::vector<int64_t>& rows) {
  PoolScores part = scores;
  const auto index = torch::tensor(rows, torch::kInt64);
  for (auto* field : {&part.logits, &part.embeddings, &part.duration_s}) {
    if (field->defined()) *field = field->index_select(0, index.to(field->device()));
  }
  if (!scores.video.empty()) {
    part.video.clear();
    for (const int64_t row : rows) part.video.push_back(scores.video[row]);
  }
  return part;
}

torch::Tensor Strategy::select(const PoolScores& scores, int64_t count, Random random) const {
  const int64_t pool = scores.size();
  if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
  const auto values = score(scores, random.stream("score"));
  expect(values.has_value(), "a strategy without scores has a select of its own");
  if (values->isnan().any().item<bool>()) fail("selection: the score of row {} is NaN; look for what broke its logits or embedding", values->isnan().nonzero()[0].item<int64_t>());
  // A stable sort of shuffled rows: equal scores come in random order.
  const auto shuffled = torch::tensor(random.permutation(pool), torch::kInt64);
  const auto order = values->index_select(0, shuffled).argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  return shuffled.index_select(0, order.slice(0, 0, std::min(count, pool)));
}

}  // namespace distal
