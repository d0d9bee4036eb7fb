#pragma once
// Strategies choose the clips of the pool to ask about. The input of a strategy is scores. It never
// sees pixels or labels of the pool. Strategies are a family with one file each in strategies/.
// Letters: M clips of the pool, K classes, D features, L labelled clips, P forward passes.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/interned.h"
#include "distal/tasks/task.h"

namespace distal {

class OptionVisitor;
class Random;

struct PoolScores {
  const Task* task = &default_task();  // what logits and targets are
  torch::Tensor logits;                // float32 [M, K]
  torch::Tensor embeddings;            // float32 [M, D]
  torch::Tensor passes;       // float32 [P, M, K], logits of several forward passes or networks
  torch::Tensor teacher;      // float32 [M, K], probabilities of a free teacher
  torch::Tensor head_weight;  // float32 [K, D], weight of the linear layer that gives the logits
  torch::Tensor labelled_embeddings;  // float32 [L, D]; L may be 0, or the tensor undefined
  // float32 [l, K] for the first l <= L labelled clips; targets are probabilities
  torch::Tensor labelled_logits, labelled_targets;
  // share of wrong answers of the teacher on labelled clips; -1: unknown
  double teacher_error = -1;
  torch::Tensor duration_s, start_s;  // float64 [M], seconds; start_s within the video
  torch::Tensor person_s;             // float64 [M], seconds of people's time that an answer takes
  std::vector<Interned> video;        // [M], the video of each clip
  // the clips chosen earlier in this round, also the last rows of labelled_embeddings; null: none
  std::shared_ptr<const PoolScores> chosen;
  // the clips, if a row is a whole video; null: the rows are clips
  std::shared_ptr<const PoolScores> clips;
  // int64 [clips], the row of each of `clips`; -1: none of these rows
  torch::Tensor row_of_clip;
  int64_t size() const;  // M, from the first defined field
};

/// The scores of the given rows. The scores of labelled clips stay.
PoolScores subset(const PoolScores& scores, const std::vector<int64_t>& rows);

/// The scores that a strategy requires. Other scores are not computed.
struct Needs {
  bool logits = true;
  bool embeddings = false;  // of the labelled clips too
  // embeddings of any network serve, not only those of the student that gives the other scores
  bool any_embeddings = false;
  bool head = false;             // head_weight
  bool labelled_logits = false;  // and labelled_targets
  bool teacher = false;          // probabilities of a free teacher
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
  /// The score of each clip, float64 [M]. Larger scores are asked first. nullopt if the strategy
  /// chooses sets of clips instead.
  virtual std::optional<torch::Tensor> score(const PoolScores& scores, Random random) const;
  /// At most `count` distinct rows, int64, best first. The default takes the largest scores and
  /// breaks ties at random. Throws Error for NaN in the scores that it uses.
  virtual torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const;
  virtual Needs needs() const { return {}; }
  /// A note for the user on the normalisation of features, in which toolkits differ. Empty: no
  /// note.
  virtual std::string distances() const { return ""; }
};

/// Whether the strategy scores clips. If not, it chooses sets.
bool scores_clips(const Strategy& strategy);

/// Limits on the choice of any strategy. per_video and gap_s apply only to ask: clip. A whole video
/// costs as many answers as it has clips.
struct SelectionOptions {
  std::string ask = "clip";  // clip, or video: all its clips at once
  // with ask: video, the score of a video: the mean of the scores of its clips, their max, or
  // top_m: the mean of the top_m largest
  std::string aggregate = "mean";
  int64_t top_m = 0;  // 0: the square root of the number of clips, rounded up
  // what the budget counts: answers, seconds of video, or minutes of people's time
  std::string unit = "answers";
  std::string fill = "rank";  // rank, or knapsack: by score per second or minute
  int64_t per_video = 0;      // at most this many clips of one video in a round; 0: no limit
  // least time between the starts of two clips of one video in a round; 0: no limit
  double gap_s = 0;
  bool class_balance = false;  // equally many clips of each predicted class, if the pool has them
  void visit(OptionVisitor& v) const;
  bool operator==(const SelectionOptions&) const = default;
};

/// The message about options that contradict each other or the strategy, with the fix. Empty: there
/// is no contradiction.
std::string contradiction(const SelectionOptions& options, const Strategy& strategy);

/// Chooses rows of the pool, best first. The sum of their costs never exceeds `budget` (answers,
/// seconds or minutes). In answers it equals the budget as long as the pool has clips that the
/// limits allow. A clip that does not fit is skipped, and the next clip by rank is tried.
///
/// With ask: video, a scoring strategy ranks videos by the aggregate of the scores of their clips.
/// A set strategy gets one row per video: the mean of the embeddings and of the probabilities of
/// its clips. A set strategy is called repeatedly, with its earlier choices counted as labelled.
///
/// fill: knapsack ranks by score per second or minute. If the smallest score of the pool is below
/// 0, it is subtracted first. If the best single clip or video has a larger score than the sum of
/// this choice, it is taken first. Without other limits, the sum of scores is at least half of the
/// optimum (Dantzig, Discrete-variable extremum problems, Operations Research 1957).
///
/// Throws Error: NaN, a contradiction, a budget below 0, or an option that needs seconds, people's
/// time, starts or videos that the pool does not have.
torch::Tensor select(const Strategy& strategy, const PoolScores& scores, double budget,
                     const SelectionOptions& options, Random random);

}  // namespace distal
