#pragma once
// TaCo (Bai, Fan, Misra, Venkatesh, Lu, Zhou, Yu, Chandra, Yuille, "Can Temporal Information Help
// with Contrastive Self-Supervised Learning?", 2020, arXiv 2011.13046). Temporal transformations
// serve as augmentation and as labels of tasks. Each clip has a query view and a key view. Task t
// transforms the query view by a drawn label y. The key view is not transformed (variant A), or
// transformed by a draw of its own (variant B):
//
//   h = f(query);   L = sum_t [ L_con,t( g_t(h), g'_t(f'(key)) ) + lambda_t L_t( c_t(h), y ) ]
//
// Each task has a projection head g_t (Mlp), a task head c_t (one linear layer on h) and a
// projection space. f' and g' are the momentum encoder and its heads, or f and g themselves. The
// contrastive learner decides which (pretext/contrast.h).
//
// The paper has no code. These details are choices of distal. `draw: all` is the sum above and
// evaluates every task for every clip. `draw: one` divides the batch among the K tasks. Its losses
// are means over the batch, so they are a K-th of the sum. `mode: augment` has one projection space
// for all transformations. A task that makes several clips of a view (clip_order, overlap)
// contrasts the mean of their features.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/models/model_fwd.h"
#include "distal/pretext/contrast.h"
#include "distal/pretext/heads.h"
#include "distal/pretext/options.h"
#include "distal/train/fit.h"

namespace distal {

class Linear;
class PretextTask;
class Random;

class Taco final : public Objective {
 public:
  /// For clips of `frames` frames of a pool of `clips` clips. `twin` builds a second network like
  /// `net`. It is called if the contrastive learner has a momentum encoder, which starts with the
  /// weights of `net`. The heads depend only on `random`. All modules are on the device of `net`.
  Taco(PretextOptions options, const Net& net, const std::function<Model()>& twin, int64_t frames,
       int64_t clips, const Random& random);

  /// Draws labels and transforms a batch of views for `losses`. A pure function. All tensors are on
  /// the CPU.
  ///
  /// `views.clips`, and with a contrastive loss `views.second`, are float32 [N, 3, S, H, W] with S
  /// at least options.view_frames. `views.rows` are the clips of the pool. In the result, `clips`
  /// are the queries [.., 3, T, H, W], task by task, and `second` the keys. `targets` are the drawn
  /// labels, float32 [M, 1]. `rows` [M] are those of the queries. M is N, and with `draw: all` N
  /// times the number of tasks.
  Batch prepare(const Batch& views, const Random& random) const;

  /// The parts are `contrast` and one part for each task under its name.
  Losses losses(Net& net, const Batch& prepared) override;
  torch::nn::Module* extra() override { return extra_.get(); }
  void stepped(Net& net, int64_t step, int64_t steps) override;

  /// A text with the recent mean of each part and its value at chance: "contrast 2.31, rotation
  /// 1.02 (chance 1.39)".
  std::string account() const;

 private:
  struct Branch {
    std::shared_ptr<Mlp> projection,
        key_projection;  // the latter follows the former; null without a momentum encoder
    std::shared_ptr<ContrastBranch> contrast;
  };
  struct Group {  // the share of a task in a prepared batch
    size_t task = 0;
    int64_t first = 0;
    int64_t samples = 0;
    int64_t first_clip = 0;
  };
  std::vector<Group> groups(int64_t samples) const;
  int64_t views_of(int64_t samples) const;  // N of a prepared batch's M
  std::vector<torch::Tensor> features(const torch::Tensor& embedding,
                                      const std::vector<Group>& groups) const;
  torch::Tensor key_features(Net& net, const Batch& batch, const std::vector<Group>& groups);
  torch::Tensor contrast(Net& net, const Batch& batch, const std::vector<Group>& groups,
                         const std::vector<torch::Tensor>& features);
  torch::Tensor contrast_in(const Branch& branch, const torch::Tensor& queries,
                            const torch::Tensor& keys, const torch::Tensor& positive,
                            const torch::Tensor& clips) const;
  void add_branch(const std::string& name, int64_t embedding, int64_t clips, const Random& random);
  void note(const std::string& part, const torch::Tensor& mean);

  PretextOptions options_;
  int64_t frames_;
  bool all_;  // draw: all
  std::vector<std::shared_ptr<const PretextTask>>
      tasks_;  // that transform; NoTask alone in mode contrast
  std::shared_ptr<torch::nn::Module> extra_;
  Model encoder_;                               // null without a momentum encoder
  std::vector<Branch> branches_;                // one for each task, or one for all
  std::vector<std::shared_ptr<Linear>> heads_;  // one for each task where they are learned
  std::map<std::string, double> recent_;
};

}  // namespace distal
