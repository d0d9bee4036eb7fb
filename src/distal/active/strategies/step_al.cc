// Whole videos that differ in their steps. A clip's predicted class is its pseudo-step; with H_i
// the entropy of clip i, for every video v
//
//   x_v = concatenation over the classes c of the mean embedding of v's clips predicted as c (zeros
//   where there is none), u_v = mean of H_i over v's clips,
//
// then k-means with k = B over the x_v weighted by u_v, and of each cluster the video nearest to
// its centre. For ask: video; asked by clip, each clip is a video of one.
//
// After the abstract and figure 1 of the paper, which leave open which video of a cluster is taken
// and what stands for a step that does not occur: those are ours. Videos chosen earlier in this
// round are centres that stay and give none. Cost: O(iterations V B K D) time, O(V K D) memory for
// V videos.

#include "distal/active/clustering.h"
#include "distal/active/kernels.h"
#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"

namespace distal::strategies {
namespace {

struct Videos {
  torch::Tensor steps;        // [V, K * D]
  torch::Tensor uncertainty;  // float64 [V]
};

torch::Tensor means(const torch::Tensor& sums, const torch::Tensor& index) {
  const auto counts = torch::zeros({sums.size(0)}, sums.options())
                          .index_add(0, index, torch::ones({index.size(0)}, sums.options()))
                          .clamp_min(1);
  return sums.dim() == 2 ? sums / counts.unsqueeze(1) : sums / counts;
}

Videos videos_of(const PoolScores& scores) {
  const PoolScores& clips = scores.clips ? *scores.clips : scores;
  const auto p = checked_probabilities(clips, "step_al");
  const auto embeddings = checked_embeddings(clips, "step_al");
  const auto row = scores.clips ? scores.row_of_clip : torch::arange(p.size(0));
  const auto here = (row >= 0).nonzero().squeeze(1);
  const auto video = row.index_select(0, here);
  const int64_t videos = scores.size();
  const int64_t classes = p.size(1);
  const int64_t features = embeddings.size(1);
  const auto step = video * classes + clips.task->predicted(p.index_select(0, here));
  const auto sums = torch::zeros({videos * classes, features}, embeddings.options())
                        .index_add(0, step, embeddings.index_select(0, here));
  const auto entropy = torch::zeros({videos}, torch::kFloat64)
                           .index_add(0, video, clips.task->entropy(p).index_select(0, here));
  return {means(sums, step).view({videos, classes * features}), means(entropy, video)};
}

}  // namespace

class StepAl final : public Strategy {
 public:
  struct Options {
    int64_t iterations = 50;
    void visit(OptionVisitor& v) const {
      v("iterations", iterations, "at most this many steps of k-means", between(0, 10000));
    }
    bool operator==(const Options&) const = default;
  };
  explicit StepAl(const Options& options) : options_(options) {}

  torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const override {
    const auto videos = videos_of(scores);
    if (videos.steps.size(0) == 0 || count <= 0) return torch::empty({0}, torch::kInt64);
    const auto chosen = scores.chosen ? videos_of(*scores.chosen).steps.to(videos.steps.dtype())
                                      : videos.steps.new_empty({0, videos.steps.size(1)});
    const auto rows = shuffled_rows(videos.steps.size(0), random);
    return rows.index_select(0, one_per_cluster(videos.steps.index_select(0, rows),
                                                videos.uncertainty.index_select(0, rows), count,
                                                chosen, options_.iterations, random));
  }
  Needs needs() const override { return {.embeddings = true, .any_embeddings = true}; }

 private:
  Options options_;
};

extern const Entry<Strategy> step_al;
const Entry<Strategy> step_al = entry<Strategy, StepAl>(
    "whole videos: uncertain ones of different steps, by clusters of what each step looks like",
    "N. Shah, B. Safaei, S. Sikder, S. Vedula, V. Patel, StepAL: step-aware active learning for "
    "cataract surgical videos, MICCAI 2025, arXiv 2507.22059");

}  // namespace distal::strategies
