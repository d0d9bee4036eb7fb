#include "distal/train/precision.h"

namespace distal {

Precision::Precision(Net& net, const std::string& wanted) : net_(net), bf16_(wanted == "bf16" || (wanted == "auto" && cpu_has_bf16())) {}

void Precision::prepare(const torch::Tensor& clips) {
  if (bf16_ && !report_ && clips.dim() == 5) report_ = gate(net_, clips.sizes().vec());
}

std::unique_ptr<Bf16Scope> Precision::scope() const { return bf16_ ? std::make_unique<Bf16Scope>() : nullptr; }

std::string Precision::text() const { return bf16_ ? "bf16; " + (report_ ? report_->text() : "no convolutions") : "f32"; }

}  // namespace distal
