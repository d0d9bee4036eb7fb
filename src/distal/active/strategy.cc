#include "distal/active/strategy.h"

#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {
namespace {

torch::Tensor rows_of_clips(const torch::Tensor& row_of_clip, int64_t rows,
                            const torch::Tensor& kept) {
  const auto now =
      torch::full({rows + 1}, -1, torch::kInt64);  // the last: clips that belong to none
  now.index_copy_(0, kept, torch::arange(kept.size(0)));
  return now.index_select(0, row_of_clip.where(row_of_clip >= 0, rows));
}

}  // namespace

int64_t PoolScores::size() const {
  for (const auto* field : {&logits, &embeddings, &teacher, &duration_s, &start_s, &person_s}) {
    if (field->defined()) return field->size(0);
  }
  return passes.defined() ? passes.size(1) : std::ssize(video);
}

PoolScores subset(const PoolScores& scores, const std::vector<int64_t>& rows) {
  PoolScores part = scores;
  const auto index = torch::tensor(rows, torch::kInt64);
  for (auto* field : {&part.logits, &part.embeddings, &part.teacher, &part.duration_s,
                      &part.start_s, &part.person_s}) {
    if (field->defined()) *field = field->index_select(0, index.to(field->device()));
  }
  if (part.passes.defined())
    part.passes = part.passes.index_select(1, index.to(part.passes.device()));
  if (part.row_of_clip.defined())
    part.row_of_clip = rows_of_clips(part.row_of_clip, scores.size(), index);
  if (!scores.video.empty()) {
    part.video.clear();
    for (const int64_t row : rows) part.video.push_back(scores.video[row]);
  }
  return part;
}

std::optional<torch::Tensor> Strategy::score(const PoolScores&, Random) const {
  return std::nullopt;
}

torch::Tensor Strategy::select(const PoolScores& scores, int64_t count, Random random) const {
  const int64_t pool = scores.size();
  if (pool == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
  const auto values = score(scores, random.stream("score"));
  expect(values.has_value(), "a strategy without scores has a select of its own");
  if (values->isnan().any().item<bool>())
    fail("selection: the score of row {} is NaN; look for what broke its logits or embedding",
         values->isnan().nonzero()[0].item<int64_t>());
  // A stable sort of shuffled rows: equal scores come in random order.
  const auto shuffled = torch::tensor(random.permutation(pool), torch::kInt64);
  const auto order =
      values->index_select(0, shuffled).argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  return shuffled.index_select(0, order.slice(0, 0, std::min(count, pool)));
}

// Asked about a pool of no clips: what a strategy does is not said a second time.
bool scores_clips(const Strategy& strategy) {
  PoolScores none;
  none.logits = none.teacher = torch::empty({0, 2});
  none.embeddings = torch::empty({0, 1});
  none.passes = torch::empty({2, 0, 2});
  none.head_weight = torch::zeros({2, 1});
  return strategy.score(none, Random(0)).has_value();
}

}  // namespace distal
