#include "distal/oracles/teacher.h"

#include <cmath>

#include <fmt/ranges.h>
#include <torch/utils.h>

#include "distal/base/error.h"
#include "distal/infer/engine.h"

namespace distal {
namespace {

class ModelTeacher final : public Teacher {
 public:
  ModelTeacher(Model model, std::string version, int64_t classes) : model_(std::move(model)), version_(std::move(version)), classes_(classes) {
    model_->eval();
  }

  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    const torch::NoGradGuard no_grad;
    const auto clip = clips.sizes().slice(1).vec();
    if (!engine_ || clip != clip_) engine_ = quicker_engine(model_, clip, kMany, /*worth_freezing=*/0, nullptr);
    clip_ = clip;
    const int64_t together = engine_->company_counts() ? 1 : engine_->batch();  // see teacher.h
    std::vector<std::future<Output>> answers;
    for (const auto& part : clips.split(together)) answers.push_back(engine_->submit(part));
    std::vector<torch::Tensor> logits;
    for (auto& answer : answers) logits.push_back(answer.get().logits);
    return checked_answer(torch::cat(logits), /*logits=*/true, clips.size(0), classes_, "teacher model");
  }
  std::string version() const override { return version_; }

 private:
  static constexpr int64_t kMany = 1 << 20;
  Model model_;
  std::string version_;
  int64_t classes_;
  std::unique_ptr<Engine> engine_;
  std::vector<int64_t> clip_;  // [3, T, H, W] that it takes
};

}  // namespace

void TeacherOptions::visit(OptionVisitor& v) {
  v("kind", kind, "who answers: a benchmark's hidden labels, a model, a TorchScript file, an HTTP endpoint", one_of({"truth", "teacher", "model", "torchscript", "http"}));
  v("path", path, "model.safetensors, or the TorchScript file");
  v("url", url, "http://host:port/v2/models/NAME[/versions/V] of an Open Inference Protocol v2 server");
  v("input", input, "name of the endpoint's input tensor");
  v("output", output, "name of the endpoint's output tensor");
  v("logits", logits, "the answer is logits: softmax is applied here");
  v("price", price, "money an answer costs", at_least(0));
  v("requests_per_s", requests_per_s, "at most this many requests a second; 0: no limit", at_least(0));
  v("timeout_s", timeout_s, "how long a request, or a batch of a TorchScript file, may take as a whole, in seconds", at_least(0.001));
  v("retries", retries, "tries after the first, on 408, 409, 425, 429, 5xx and broken connections", between(0, 100));
  v("backoff_s", backoff_s, "wait before the first retry, in seconds; doubles with each", at_least(0));
  v("batch_size", batch_size, "clips per request", between(1, 65536));
  v("ask_again", ask_again, "asks anew for what was answered unusably before and counts as spent; it may be billed again");
  v("token_env", token_env, "environment variable that holds a bearer token; empty: none is sent");
}

std::unique_ptr<Teacher> teacher_of(Model model, std::string version, int64_t classes) {
  expect(model != nullptr, "teacher_of needs a model");
  return std::make_unique<ModelTeacher>(std::move(model), std::move(version), classes);
}

torch::Tensor checked_answer(const torch::Tensor& answer, bool logits, int64_t clips, int64_t classes, const std::string& place, std::string* remark) {
  if (answer.dim() != 2 || answer.size(0) != clips || answer.size(1) != classes)
    fail("{}: answered shape {} instead of [{}, {}] (clips, classes); it must know the classes of this data, in this order", place, fmt::join(answer.sizes(), "x"), clips, classes);
  auto p = answer.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  const auto finite_values = torch::isfinite(p), finite = finite_values.all(1);
  if (const auto bad = finite_values.logical_not().nonzero(); remark != nullptr && bad.numel() > 0)
    *remark = fmt::format("clip {} of the batch: value {} is {}", bad[0][0].item<int64_t>(), bad[0][1].item<int64_t>(), p[bad[0][0]][bad[0][1]].item<double>());
  const auto none = torch::full_like(p, std::nan(""));
  if (logits) return torch::where(finite.unsqueeze(1), p.softmax(1), none).to(torch::kFloat32);
  const auto first = [&](const torch::Tensor& good) {  // row that is finite and not good; -1: none
    const auto bad = good.logical_not().logical_and(finite).nonzero();
    return bad.numel() > 0 ? bad[0][0].item<int64_t>() : -1;
  };
  if (const int64_t row = first((p >= -1e-3).all(1)); row >= 0)
    fail("{}: clip {} of the batch: probabilities lie below 0, the least is {:g}; if these are logits, set oracle.logits: true", place, row, p[row].min().item<double>());
  if (const int64_t row = first((p.sum(1) - 1).abs() <= 1e-3); row >= 0)
    fail("{}: clip {} of the batch: probabilities do not sum to 1 but to {:g}; if these are logits, set oracle.logits: true", place, row, p[row].sum().item<double>());
  p = p.clamp_min(0);
  return torch::where(finite.unsqueeze(1), p / p.sum(1, /*keepdim=*/true), none).to(torch::kFloat32);
}

}  // namespace distal
