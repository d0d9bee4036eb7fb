#pragma once
// Which clips of the pool to ask about. A strategy sees scores only, never pixels or labels of the pool. Strategies are a
// family: one file each in strategies/.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "base/catalogue.h"
#include "base/random.h"

namespace distal {

struct PoolScores {
  torch::Tensor logits;               // float32 [M, K]
  torch::Tensor embeddings;           // float32 [M, D]
  torch::Tensor labelled_embeddings;  // float32 [L, D]; L may be 0, or the tensor undefined
  torch::Tensor chosen_logits;        // float32 [B, K] of the last B labelled rows: chosen earlier in this round; may be undefined
  torch::Tensor duration_s;           // float64 [M]
  std::vector<std::string> video;     // [M], the video each clip belongs to
  int64_t size() const;               // M, from the first field that is there
};

/// The pool of those rows alone; what is labelled stays.
PoolScores subset(const PoolScores& scores, const std::vector<int64_t>& rows);

class Strategy {
 public:
  virtual ~Strategy() = default;
  /// Score of each clip, float64 [M], larger is asked first; nullopt for strategies that choose sets.
  virtual std::optional<torch::Tensor> score(const PoolScores& scores, Random random) const { return std::nullopt; }
  /// At most `count` distinct rows, int64, best first. Default: the largest scores, ties by a random order.
  /// Throws Error for NaN in what it uses.
  virtual torch::Tensor select(const PoolScores& scores, int64_t count, Random random) const;
  virtual bool needs_logits() const { return true; }
  virtual bool needs_embeddings() const { return false; }
};

/// Limits around any strategy. A whole video costs as many answers as it has clips, so per_video is for ask: clip only.
struct SelectionOptions {
  std::string ask = "clip";             // clip, or video: all its clips at once, by the mean of their scores
  std::string unit = "answers";         // what the budget counts: answers, or seconds of video
  int64_t per_video = 0;                // at most this many clips of one video in a round; 0: no limit
  bool class_balance = false;           // even numbers of each predicted class, as far as the pool has them
  void visit(OptionVisitor& v);
};

/// Rows to ask, best first; the sum of costs never exceeds `budget` (answers or seconds) and, in answers, meets it exactly
/// while the pool has clips that the limits allow: what does not fit is skipped, the next by rank is tried. Asked by video,
/// a scoring strategy ranks videos by the mean score of their clips; a set strategy sees one row a video, the mean of its
/// clips' embeddings and probabilities. Set strategies are asked again with what they chose counted as labelled.
/// Throws Error: NaN, a budget below 0, seconds or videos asked for where the pool has none.
torch::Tensor select(const Strategy& strategy, const PoolScores& scores, double budget, const SelectionOptions& options, Random random);

}  // namespace distal
