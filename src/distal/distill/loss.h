#pragma once
// Distillation losses, a family: one file each in losses/. A loss sees a Lesson: a batch as the
// student, the truth and a teacher know it. A teacher far away gives *probabilities*; a temperature
// is re-created from them exactly: softmax(z / tau) = normalise(softmax(z)^(1 / tau)). One at hand
// looks at the same view and shows its features too. A loss holds no state: what it trains or keeps
// beside the networks is a module that the loop owns. Any thread.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/models/model.h"

namespace distal {

/// Named parts of a loss; what is minimised is their sum.
using Losses = std::vector<std::pair<std::string, torch::Tensor>>;
torch::Tensor total(const Losses& losses);

/// Intermediate maps by their published names (models/layers.h, Taps): [N, C, T, H, W], or frame by
/// frame [N * T, C, H, W].
using Maps = std::map<std::string, torch::Tensor>;

struct Lesson {
  Output student;         // logits float32 [N, K], embedding float32 [N, D]
  torch::Tensor teacher;  // float32 [N, K] probabilities; NaN rows where it did not answer
  torch::Tensor truth;    // float32 [N, K] one-hot or soft; NaN rows where unknown
  torch::Tensor weights;  // float32 [N]
  torch::Tensor rows;   // int64 [N], which of the samples each clip is; undefined where nothing is
                        // kept by sample
  double progress = 0;  // share of the training that is done, in [0, 1)
  torch::Tensor teacher_embedding;     // float32 [N, D'] of the same view; undefined unless the
                                       // teacher's network is at hand
  Maps student_maps, teacher_maps;     // empty unless the loss needs them
  torch::nn::Module* parts = nullptr;  // what DistillLoss::parts made
};

class DistillLoss {
 public:
  virtual ~DistillLoss() = default;
  /// Each part is a scalar: the weighted mean over the clips it applies to, 0 without any; a clip
  /// of weight w counts as w clips. `truth` is what labels say, everything else comes from the
  /// teacher: a row of NaN in `teacher` learns from its truth alone, a row without either counts
  /// nowhere. No gradient into the teacher. float64 stays float64; half precision is computed in
  /// float32. Throws Error: a map that the network does not leave.
  virtual Losses losses(const Lesson& lesson) const = 0;

  /// False: teacher-free, it has something to say about truth alone.
  virtual bool needs_teacher() const { return true; }
  /// Whether it wants teacher_embedding, and the maps of both sides.
  virtual bool needs_teacher_network() const { return false; }
  virtual bool needs_maps() const { return false; }
  /// Whether it trains the classifier. One that compares features alone does not: `answer_losses`
  /// are then learned beside it.
  virtual bool teaches_classes() const { return !needs_teacher_network(); }

  /// Regressors, projections (parameters), memory banks (buffers): trained and checkpointed beside
  /// the net, in float32; null: nothing. They are made on the CPU; who asked takes them to the
  /// networks' device. `example`: a lesson of one clip with the right sizes; `samples`: how many
  /// clips there are to learn from.
  virtual std::shared_ptr<torch::nn::Module> parts(const Lesson& example, int64_t samples,
                                                   Random random) const {
    return nullptr;
  }
  /// After the `losses` of each batch of a training, under no_grad: puts the batch into a memory
  /// bank.
  virtual void remember(const Lesson& lesson) const {}
};

/// What is learned of the answers: tau^2 CE(p_t^tau, softmax(z / tau)) as `teacher`, and CE with
/// the truth as `truth` for clips without a teacher's word.
Losses answer_losses(const Lesson& lesson, double tau = 1);

/// -sum_k p_k log q_k, weighted mean over rows; rows of NaN are left out (0 when none is left).
/// Label smoothing epsilon moves p to (1 - eps) p + eps / K.
torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& probabilities,
                                 const torch::Tensor& weights, double smoothing = 0);

/// (1 - eps) p + eps / K: label smoothing as in Szegedy et al., CVPR 2016, arXiv 1512.00567,
/// section 7 (others spread eps over the K - 1 wrong classes). Rows of NaN stay NaN.
torch::Tensor smoothed(const torch::Tensor& probabilities, double smoothing);

/// p^(1/tau) normalised, p clamped to >= 1e-8.
torch::Tensor retemper(const torch::Tensor& probabilities, double tau);

/// Rows of [N, K] without NaN, bool [N].
torch::Tensor known_rows(const torch::Tensor& rows);

/// sum(w v) over the rows of `values` [N] where `applies` (bool [N]), over the sum of w where
/// `counted`; 0, with a gradient of 0, where that is none. Parts of one loss count the same rows,
/// so that every row weighs the same in their sum.
torch::Tensor weighted_mean(const torch::Tensor& values, const torch::Tensor& weights,
                            const torch::Tensor& applies, const torch::Tensor& counted);

/// -sum_k p_k log_softmax(logits)_k, [N]; 0 for rows of NaN in `probabilities`. Logits come as
/// float32 or float64.
torch::Tensor cross_entropy_rows(const torch::Tensor& logits, const torch::Tensor& probabilities);

/// KL(p || softmax(logits)), [N], under the same terms.
torch::Tensor divergence_rows(const torch::Tensor& logits, const torch::Tensor& probabilities);

/// The class of each row, int64 [N]: the truth's largest entry where it is known, else the
/// teacher's (0 where neither is).
torch::Tensor likely_classes(const Lesson& lesson);

/// Half precision to float32, everything else as it is.
torch::Tensor at_least_float32(const torch::Tensor& logits);

}  // namespace distal
