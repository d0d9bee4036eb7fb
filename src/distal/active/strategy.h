#pragma once
// Which clips of the pool to ask about. A strategy sees scores only, never pixels or labels of the
// pool. Strategies are a family: one file each in strategies/.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/catalogue.h"
#include "distal/base/interned.h"
#include "distal/base/random.h"

namespace distal {

struct PoolScores {
  torch::Tensor logits;       // float32 [M, K]
  torch::Tensor embeddings;   // float32 [M, D]
  torch::Tensor passes;       // float32 [P, M, K], logits of several passes, or of several members
  torch::Tensor teacher;      // float32 [M, K], probabilities of a teacher that is free to ask
  torch::Tensor head_weight;  // float32 [K, D] of the linear layer that makes the logits
  torch::Tensor labelled_embeddings;  // float32 [L, D]; L may be 0, or the tensor undefined
  torch::Tensor labelled_logits, labelled_targets;  // float32 [l, K], the first l <= L of these
                                                    // clips; targets are probabilities
  double teacher_error =
      -1;  // share of the teacher's answers that were wrong on labelled clips; -1: unknown
  torch::Tensor duration_s, start_s;  // float64 [M], start_s within the video
  std::vector<Interned> video;        // [M], the video each clip belongs to
  std::shared_ptr<const PoolScores>
      chosen;  // earlier in this round, and the last rows of labelled_embeddings; null: nothing
  std::shared_ptr<const PoolScores>
      clips;  // where a row is a video: the clips; null: the rows are clips
  torch::Tensor
      row_of_clip;  // int64 [clips], the row each of `clips` belongs to; -1: to none that is here
  int64_t size() const;  // M, from the first field that is there
};

/// The pool of those rows alone; what is labelled stays.
PoolScores subset(const PoolScores& scores, const std::vector<int64_t>& rows);

/// What a strategy looks at, so that nothing else is computed.
struct Needs {
  bool logits = true;
  bool embeddings = false;       // of the labelled clips too
  bool head = false;             // head_weight
  bool labelled_logits = false;  // and labelled_targets
  bool teacher = false;          // a teacher that is free to ask
  bool teacher_error = false;
  std::string passes;  // dropout, augmented, members; empty: none
  int64_t pass_count = 0;
  bool anything() const {
    return logits || embeddings || head || labelled_logits || teacher || !passes.empty();
  }
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  /// Score of each clip, float64 [M], larger is asked first; nullopt for strategies that choose
  /// sets.
  virtual std::optional<torch::Tensor> score(const PoolScores& scores, Random random) const {
    return std::nullopt;
  }
  /// At most `count` distinct rows, int64, best first. Default: the largest scores, ties by a
  /// random order. Throws Error for NaN in what it uses.
  virtual torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const;
  virtual Needs needs() const { return {}; }
  /// How it takes features before it measures distances, where toolkits differ; empty: nothing to
  /// say.
  virtual std::string distances() const { return ""; }
};

/// Whether it scores clips, or else chooses sets.
bool scores_clips(const Strategy& strategy);

/// Limits around any strategy. A whole video costs as many answers as it has clips, so per_video
/// and gap_s are for ask: clip only.
struct SelectionOptions {
  std::string ask = "clip";        // clip, or video: all its clips at once
  std::string aggregate = "mean";  // asked by video: how the scores of its clips become one: mean,
                                   // max, or the mean of the top_m
  int64_t top_m =
      0;  // largest scores of a video that count; 0: the square root of its clips, rounded up
  std::string unit = "answers";  // what the budget counts: answers, or seconds of video
  std::string fill = "rank";     // rank, or knapsack: by score per second
  int64_t per_video = 0;         // at most this many clips of one video in a round; 0: no limit
  double gap_s =
      0;  // the least time between the starts of two clips of one video in a round; 0: no limit
  bool class_balance = false;  // even numbers of each predicted class, as far as the pool has them
  void visit(OptionVisitor& v) const;
  bool operator==(const SelectionOptions&) const = default;
};

/// What of these options cannot hold together, or not with this strategy, and what would; empty:
/// nothing.
std::string contradiction(const SelectionOptions& options, const Strategy& strategy);

/// Rows to ask, best first; the sum of costs never exceeds `budget` (answers or seconds) and, in
/// answers, meets it exactly while the pool has clips that the limits allow: what does not fit is
/// skipped, the next by rank is tried. Asked by video, a scoring strategy ranks videos by the
/// aggregate of their clips' scores; a set strategy sees one row a video, the mean of its clips'
/// embeddings and probabilities. Set strategies are asked again with what they chose counted as
/// labelled. fill: knapsack ranks by score per second (scores less the smallest of the pool where
/// that is below 0) and takes the best single clip or video first where it is worth more than all
/// of that: at least half of the best possible sum of scores, where no other limit is set (Dantzig,
/// Discrete-variable extremum problems, Operations Research 1957). Throws Error: NaN, a
/// contradiction, a budget below 0, seconds, starts or videos asked for where the pool has none.
torch::Tensor select(const Strategy& strategy, const PoolScores& scores, double budget,
                     const SelectionOptions& options, Random random);

}  // namespace distal
