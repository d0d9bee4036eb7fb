#include "distal/train/task_aware.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/data/augmentation.h"
#include "distal/distill/loss.h"
#include "distal/models/device.h"
#include "distal/models/layers.h"
#include "distal/models/model.h"

namespace distal {
namespace {

class Parts final : public torch::nn::Module {};

// Hands everything on to a net and keeps the features of its first pass: that of the batch.
class Watched final : public Net {
 public:
  explicit Watched(Net& net) : net_(net) {}
  Output forward(const at::Tensor& clips) override {
    const Output output = net_.forward(clips);
    if (!embedding.defined()) embedding = output.embedding;
    return output;
  }
  at::Tensor head(const at::Tensor& features) override { return net_.head(features); }
  int64_t embedding_size() const override { return net_.embedding_size(); }

  at::Tensor embedding;  // [N, D]

 private:
  Net& net_;
};

}  // namespace

TaskAware::TaskAware(Objective& inner, const Augmentation& family, const Net& net, Random random)
    : inner_(inner), weight_(family.head_weight()), extra_(std::make_shared<Parts>()) {
  expect(family.head_classes() > 1, "a family with a head has something to tell");
  if (inner.extra())
    extra_->register_module("inner", std::shared_ptr<torch::nn::Module>(
                                         std::shared_ptr<void>(), inner.extra()));  // not owned
  head_ = extra_->register_module(
      "head", std::make_shared<Linear>(net.embedding_size(), family.head_classes()));
  const torch::NoGradGuard no_grad;
  head_->weight.normal_(0, 0.01, at::make_generator<at::CPUGeneratorImpl>(random()));
  head_->bias.zero_();
  head_->to(device_of(net));
}

Losses TaskAware::losses(Net& net, const Batch& batch) {
  expect(batch.transform.defined(), "the family says which transformation each clip went through");
  Watched watched(net);
  Losses all = inner_.losses(watched, batch);
  expect(watched.embedding.defined(), "an objective looks at the batch");
  const c10::impl::ExcludeDispatchKeyGuard full_precision(c10::autocast_dispatch_keyset);
  const auto logits = head_->forward(at_least_float32(watched.embedding));
  all.emplace_back("transform", weight_ * at::cross_entropy_loss(logits, batch.transform));
  return all;
}

}  // namespace distal
