#include "distal/study/reasons.h"

#include <cmath>

#include "distal/base/error.h"
#include "distal/base/random.h"

namespace distal {
namespace {

constexpr int64_t kNearestShown = 5;

void add_scores(std::vector<AskedFor>& why, const ChosenFrom& from, const torch::Tensor& rows,
                Random draw) {
  const auto scores = from.arm.strategy->score(from.pool.scores, draw.stream("score"));
  if (!scores) return;
  for (size_t i = 0; i < why.size(); ++i) {
    const double score = (*scores)[rows[static_cast<int64_t>(i)]].item<double>();
    if (std::isfinite(score)) why[i].score = score;
  }
}

void add_guesses(std::vector<AskedFor>& why, const PoolScores& scores, const torch::Tensor& rows) {
  if (!scores.logits.defined()) return;
  const torch::Tensor probabilities =
      scores.task->probabilities(scores.logits.index_select(0, rows).to(torch::kFloat64))
          .contiguous();
  const int64_t classes = probabilities.size(1);
  for (size_t i = 0; i < why.size(); ++i) {
    const double* row = probabilities.const_data_ptr<double>() + static_cast<int64_t>(i) * classes;
    why[i].guess.assign(row, row + classes);
  }
}

// Scored anew: a strategy that needs no embeddings of known clips has none. A few hundred clips at
// most, as persons answered about each.
void add_neighbours(std::vector<AskedFor>& why, Trainer& trainer, const ChosenFrom& from,
                    const torch::Tensor& rows) {
  const torch::Tensor& pool = from.pool.scores.embeddings;
  if (!pool.defined() || from.known.samples.empty()) return;
  const Predictions known = embeddings_as_scored(
      trainer, from.arm, from.student, refs_of(from.known.samples), std::ssize(from.pool.clips));
  if (known.rows.size(0) == 0) return;
  const torch::Tensor distances =
      torch::cdist(pool.index_select(0, rows).to(torch::kFloat64),
                   known.embeddings.to(torch::kFloat64), /*p=*/2, /*compute_mode=*/2);
  const auto [nearest, places] = distances.topk(std::min(kNearestShown, known.rows.size(0)),
                                                /*dim=*/1, /*largest=*/false);
  for (size_t i = 0; i < why.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    for (int64_t k = 0; k < nearest.size(1); ++k) {
      const int64_t of_known = known.rows[places[row][k]].item<int64_t>();
      const Sample& sample = from.known.samples[of_known];
      why[i].neighbours.push_back(
          {sample.clip, sample.likely(*from.pool.scores.task), nearest[row][k].item<double>()});
    }
  }
}

}  // namespace

void add_reasons(std::vector<AskedFor>& why, Trainer& trainer, const ChosenFrom& from,
                 const torch::Tensor& rows, Random draw) {
  expect(std::ssize(why) == rows.size(0), "each chosen row has a reason");
  if (why.empty()) return;
  add_scores(why, from, rows, draw);
  if (from.student.net) add_guesses(why, from.pool.scores, rows);
  add_neighbours(why, trainer, from, rows);
}

}  // namespace distal
