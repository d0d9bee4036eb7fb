#pragma once
// TaCo (Bai, Fan, Misra, Venkatesh, Lu, Zhou, Yu, Chandra, Yuille, "Can Temporal Information Help
// with Contrastive Self-Supervised Learning?", 2020, arXiv 2011.13046): temporal transformations as
// augmentation *and* as the label of a task. Of each clip a query view is transformed by task t
// with a drawn label y, a key view is not (variant A; or by a draw of its own, variant B):
//
//   h = f(query);   L = sum_t [ L_con,t( g_t(h), g'_t(f'(key)) ) + lambda_t L_t( c_t(h), y ) ]
//
// with a projection head g_t (Mlp), a task head c_t (one linear layer on h) and a space of its own
// for each task; f', g' are the momentum encoder and its heads, or f, g themselves, as the
// contrastive learner wants (pretext/contrast.h). The paper has no code: details are reconstructed,
// and these are choices of ours. draw: all is the sum above at the cost of every task; draw: one
// shares the batch out over the tasks, and the losses are means over the batch, so a K-th of it. In
// mode augment there is one space for all transformations. A task that makes several clips of a
// view (clip_order, overlap) contrasts the mean of their features.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/pretext/heads.h"
#include "distal/pretext/options.h"
#include "distal/train/fit.h"

namespace distal {

class Taco final : public Objective {
 public:
  /// For clips of `frames` frames out of a pool of `clips`. `twin` builds another network like
  /// `net`; it is called where the contrastive learner has a momentum encoder, which starts from
  /// the weights of `net`. The heads depend on `random` alone. All of it is put where `net` lies.
  Taco(PretextOptions options, const Net& net, const std::function<Model()>& twin, int64_t frames,
       int64_t clips, const Random& random);

  /// Draws and transforms: from a batch of views (clips, and second where it contrasts, float32 [N,
  /// 3, S, H, W] with S at least options.view_frames; rows: the clips of the pool) what `losses`
  /// wants: clips, the queries [.., 3, T, H, W] task by task; second, the keys; targets float32 [M,
  /// 1], the drawn labels; rows [M] of the queries. M: N, or with draw: all N for each task. A
  /// function of its arguments alone. Views and what comes back lie on the CPU.
  Batch prepare(const Batch& views, const Random& random) const;

  /// `contrast`, and a part for each task under its name.
  Losses losses(Net& net, const Batch& prepared) override;
  torch::nn::Module* extra() override { return extra_.get(); }
  void stepped(Net& net, int64_t step, int64_t steps) override;

  /// Each part's recent mean beside what chance would have, for people: "contrast 2.31,
  /// rotation 1.02 (chance 1.39)".
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
