#pragma once
// Active Mixup: the pool is every pair of N unlabelled images or clips, and what is asked of the
// teacher is a mix
//
//   x_ij(lambda) = lambda x_i + (1 - lambda) x_j,     lambda in {0.30, 0.34, ..., 0.70},
//
// of which the student S is least confident:
//
//   c1       every mix is a candidate, C1 = max_y P_S(y | x_ij(lambda)): one pair may give several
//   c2       every pair is one, C2 = min over lambda of max_y P_S(y | x_ij(lambda)): one mix a
//   pair, the one at that lambda random   distinct pairs and lambdas of the grid by chance, without
//   a student: the control
//
// D. Wang, Y. Li, L. Wang, B. Gong, Neural Networks Are More Productive Teachers Than Human Raters:
// Active Mixup for Data-Efficient Knowledge Distillation from a Blackbox Model, CVPR 2020, arXiv
// 2003.13960, section 3.2; pairs and grid as in the published code (dwang181/active-mixup), which
// keeps both images of every pair in memory: 49 GB at N = 2,000. Here the candidates are a stream:
// two clips are blended when they are scored, and only the best are kept. A selection holds one
// batch of mixes, the mixes it returns, and one bit a pair (c1: a mix), 250 KB at N = 2,000.
//
// Letters: N clips, P pairs, L lambdas, K classes, M mixes.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/tasks/task.h"
namespace distal {

class OptionVisitor;
class Random;

/// lambda x_i + (1 - lambda) x_j. score: the student's confidence, smaller is asked first (random:
/// 0; unixkd: see there).
struct Mix {
  int64_t i = 0;
  int64_t j = 0;
  double lambda = 0;
  double score = 0;
};

struct MixupOptions {
  std::string criterion = "c2";
  double lambda_low = 0.3;
  double lambda_high = 0.7;
  double lambda_step = 0.04;
  double fade = 0;
  int64_t pairs = 0;
  int64_t batch = 2048;
  std::string uncertainty = "least_confidence";  // of criterion unixkd, below
  void visit(OptionVisitor& v) const;
  bool operator==(const MixupOptions&) const = default;
  std::vector<double> lambdas() const;  // the grid, rising
};

/// The mixes themselves, float32 [M, ...]. clips: [N, ...] of any type, blended in its own scale.
/// With fade > 0 (FadeMixUp: T. Kim et al., Learning Temporally Invariant and Localizable Features
/// via Data Augmentation for Video Recognition, ECCV workshops 2020, arXiv 2008.05721) clips are
/// [N, C, T, H, W] and lambda runs over the frames from lambda - a to lambda + a, a = fade
/// min(lambda, 1 - lambda). The paper draws a and its sign; here both are fixed, so that what was
/// scored is what is asked.
torch::Tensor blend(const torch::Tensor& clips, const std::vector<Mix>& mixes, double fade = 0);

/// How sure a student is of mixes (Task::confidence), of B pairs at L lambdas, float32 [B, L]; i, j
/// int64 [B], lambdas float32 [L].
using Confidence = std::function<torch::Tensor(const torch::Tensor& i, const torch::Tensor& j,
                                               const torch::Tensor& lambdas)>;

/// From a student that gives probabilities [M, K] for mixes [M, ...]: blends, then asks. The first
/// layers, as far as they are affine (a convolution with its bias, no ReLU), need not be computed
/// for every mix: with `clips` their output for the clips and `student` the layers after them, the
/// confidences are the same up to rounding.
Confidence confidence_of(torch::Tensor clips,
                         std::function<torch::Tensor(const torch::Tensor& mixes)> student,
                         double fade = 0, const Task& task = default_task());

struct MixSelection {
  std::vector<Mix> mixes;  // best first
  int64_t forwards = 0;    // mixes the student was asked about: the hidden cost
};

/// The pairs (k, k + s mod N) for the shifts s = 1 .. floor((N - 1) / 2), and which of them are
/// still to be had. For even N the N / 2 antipodal pairs are missing, as in the published code: N =
/// 1,000 gives 499,000.
class MixPool {
 public:
  /// Throws Error: fewer than 3 clips; criterion unixkd, which has no pool.
  MixPool(int64_t clips, const MixupOptions& options);
  int64_t pairs() const { return pairs_; }                 // P
  std::pair<int64_t, int64_t> pair(int64_t number) const;  // of 0 .. P-1, by shift, then by k
  int64_t left() const;                                    // pairs that may still give a mix

  /// At most `count` mixes that have not been excluded. With options.pairs > 0 only so many pairs,
  /// drawn without repetition, are looked at; with -1, 20 for each mix wanted, which is enough for
  /// the choice to bite. Equal scores go by pair, then by lambda. A pure function of the arguments
  /// and of what was excluded; `confidence` is not used by random. Throws Error: a score is NaN.
  MixSelection select(const Confidence& confidence, int64_t count, Random random) const;
  /// What was asked is never chosen again: the pair, or with c1 the mix.
  void exclude(const std::vector<Mix>& mixes);

 private:
  void visit_open(int64_t wanted, Random random,
                  const std::function<void(int64_t pair)>& see) const;
  MixSelection draw(int64_t count, Random random) const;
  torch::Tensor scores_of(const Confidence& confidence,
                          const std::vector<int64_t>& numbers) const;  // float32 [B, L]
  bool open(int64_t pair) const;
  Mix mix(int64_t candidate, double score) const;

  int64_t clips_, pairs_, slots_;  // slots_: bits a pair, L with c1, else 1
  MixupOptions options_;
  std::vector<double> lambdas_;
  std::vector<bool> used_;  // [pairs_ * slots_]
};

/// UNIXKD, the cheap substitute: of a batch's N student probabilities [N, K] the `count` rows of
/// the largest uncertainty, each mixed with another row of the batch. Row i of the result is the
/// uncertain one, score its uncertainty; best first. uncertainty: random, least_confidence (1 -
/// p1), margin (p2 - p1, p1 >= p2 the largest) or entropy. G. Xu, Z. Liu, C. C. Loy,
/// Computation-Efficient Knowledge Distillation via Uncertainty-Aware Mixup, 2020, arXiv
/// 2012.09413. Deviation: lambda is drawn from the grid of `options`. Throws Error: a NaN, fewer
/// than 2 rows or classes.
std::vector<Mix> unixkd(const torch::Tensor& probabilities, int64_t count,
                        const std::string& uncertainty, const MixupOptions& options, Random random,
                        const Task& task = default_task());

}  // namespace distal
