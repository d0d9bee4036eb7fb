#include "distal/oracles/teacher.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <future>

#include <fmt/ranges.h>
#include <torch/utils.h>

#include "distal/base/error.h"
#include "distal/infer/engine.h"
#include "distal/models/model.h"

namespace distal {
namespace {

class ModelTeacher final : public Teacher {
 public:
  ModelTeacher(Model model, std::string version, LabelSpace labels)
      : model_(std::move(model)), version_(std::move(version)), labels_(labels) {
    model_->eval();
  }

  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    const torch::NoGradGuard no_grad;
    const auto clip = clips.sizes().slice(1).vec();
    if (!engine_ || clip != clip_)
      engine_ = quicker_engine(model_, clip, kMany, /*worth_freezing=*/0, nullptr);
    clip_ = clip;
    const int64_t together = engine_->company_counts() ? 1 : engine_->batch();  // see teacher.h
    std::vector<std::future<Output>> answers;
    for (const auto& part : clips.split(together)) answers.push_back(engine_->submit(part));
    std::vector<torch::Tensor> logits;
    for (auto& answer : answers) logits.push_back(answer.get().logits);
    return checked_answer(torch::cat(logits), /*logits=*/true, clips.size(0), labels_,
                          "teacher model");
  }
  std::string version() const override { return version_; }

 private:
  static constexpr int64_t kMany = 1 << 20;
  Model model_;
  std::string version_;
  LabelSpace labels_;
  std::unique_ptr<Engine> engine_;
  std::vector<int64_t> clip_;  // [3, T, H, W] that it takes
};

class AnswersAtOnce final : public OpenOracle {
 public:
  explicit AnswersAtOnce(std::unique_ptr<Teacher> teacher) : teacher_(std::move(teacher)) {}

  void submit(OracleRequest request) override { waiting_.push_back(std::move(request)); }

  std::vector<OracleReply> collect(Wait) override {
    if (waiting_.empty()) return {};
    const OracleRequest request = std::move(waiting_.front());
    waiting_.pop_front();  // before the work: what throws is not held any more
    OracleReply reply{request.key};
    try {
      reply.answers = teacher_->answer(request.frames, request.key);
      reply.remark = teacher_->remark();
    } catch (const TooLarge& error) {
      reply.outcome = OracleReply::Outcome::too_large;
      reply.remark = error.what();
    } catch (const Unusable& error) {
      reply.outcome = OracleReply::Outcome::unusable;
      reply.remark = error.what();
    }
    return {reply};
  }

  bool holds(const std::string& key) const override {
    const auto is = [&](const OracleRequest& request) { return request.key == key; };
    return std::any_of(waiting_.begin(), waiting_.end(), is);
  }

  std::string version() const override { return teacher_->version(); }

 private:
  std::unique_ptr<Teacher> teacher_;
  std::deque<OracleRequest> waiting_;
};

}  // namespace

std::unique_ptr<OpenOracle> answers_at_once(std::unique_ptr<Teacher> teacher) {
  expect(teacher != nullptr, "answers_at_once needs a teacher");
  return std::make_unique<AnswersAtOnce>(std::move(teacher));
}

std::unique_ptr<Teacher> teacher_of(Model model, std::string version, LabelSpace labels) {
  expect(model != nullptr, "teacher_of needs a model");
  return std::make_unique<ModelTeacher>(std::move(model), std::move(version), labels);
}

torch::Tensor checked_answer(const torch::Tensor& answer, bool logits, int64_t clips,
                             LabelSpace labels, const std::string& place, std::string* remark,
                             const std::string& if_logits) {
  const Task& task = *labels.task;
  if (answer.dim() != 2 || answer.size(0) != clips || answer.size(1) != labels.outputs())
    fail("{}: answered shape {} instead of [{}, {}] (clips, classes); it must know the classes of "
         "this data, in this order",
         place, fmt::join(answer.sizes(), "x"), clips, labels.outputs());
  const auto p = answer.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  const auto finite_values = torch::isfinite(p);
  const auto finite = finite_values.all(1);
  if (const auto bad = finite_values.logical_not().nonzero(); remark != nullptr && bad.numel() > 0)
    *remark = fmt::format("clip {} of the batch: value {} is {}", bad[0][0].item<int64_t>(),
                          bad[0][1].item<int64_t>(), p[bad[0][0]][bad[0][1]].item<double>());
  const auto none = torch::full_like(p, std::nan(""));
  if (logits)
    return torch::where(finite.unsqueeze(1), task.probabilities(p), none).to(torch::kFloat32);
  if (const auto found = task.invalid(p))
    fail("{}: clip {} of the batch: {}; if these are logits, {}", place, found->row, found->reason,
         if_logits);
  return torch::where(finite.unsqueeze(1), task.normalised(p), none).to(torch::kFloat32);
}

}  // namespace distal
