#include "distal/train/taught.h"

#include <c10/core/impl/LocalDispatchKeySet.h>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/models/device.h"
#include "distal/models/layers.h"
#include "distal/models/model.h"

namespace distal {
namespace {

// While it lives, autocast is off: losses and teachers compute in float32 beside a student in bf16.
using FullPrecision = c10::impl::ExcludeDispatchKeyGuard;

Output look(Net& net, const torch::Tensor& clips, Maps* maps) {
  if (!maps) return net.forward(clips);
  Taps taps;
  const Output output = net.forward(clips);
  *maps = std::move(taps.maps);
  return output;
}

}  // namespace

Taught::Taught(std::shared_ptr<const DistillLoss> loss, double label_smoothing, Model teacher,
               const Task& task)
    : loss_(std::move(loss)),
      label_smoothing_(label_smoothing),
      teacher_(std::move(teacher)),
      task_(task) {
  expect(loss_ != nullptr, "a teacher's answers are learned by a loss");
  expect(teacher_ || !loss_->needs_teacher_network(),
         "a loss that compares features has the teacher's network");
  if (teacher_) teacher_->eval();
}

void Taught::prepare(Net& net, const Batch& example, int64_t samples, Random random) {
  const torch::NoGradGuard no_grad;
  net.eval();
  const torch::Device device = device_of(net);
  if (teacher_) teacher_->to(device);
  Lesson first = lesson(net, example.to(device));
  parts_ = loss_->parts(first, samples, random);
  if (parts_) parts_->to(device);
  first.parts = parts_.get();
  loss_->losses(first);
}

Losses Taught::losses(Net& net, const Batch& batch) {
  const Lesson now = lesson(net, batch);
  const FullPrecision full(c10::autocast_dispatch_keyset);
  Losses all = loss_->losses(now);
  if (!loss_->teaches_classes()) {
    for (const auto& part : answer_losses(now)) all.push_back(part);
  }
  const torch::NoGradGuard no_grad;
  loss_->remember(now);
  return all;
}

Lesson Taught::lesson(Net& net, const Batch& batch) const {
  Lesson lesson;
  lesson.task = &task_;
  lesson.student = look(net, batch.clips, loss_->needs_maps() ? &lesson.student_maps : nullptr);
  lesson.teacher = batch.teacher;
  lesson.truth = task_.smoothed(batch.targets, label_smoothing_);
  lesson.weights = batch.weights;
  lesson.rows = batch.rows;
  lesson.progress = progress_;
  lesson.parts = parts_.get();
  if (teacher_) add_teacher(lesson, batch);
  return lesson;
}

void Taught::add_teacher(Lesson& lesson, const Batch& batch) const {
  const torch::NoGradGuard no_grad;
  const FullPrecision full(c10::autocast_dispatch_keyset);
  const Output seen =
      look(*teacher_, batch.clips, loss_->needs_maps() ? &lesson.teacher_maps : nullptr);
  expect(seen.logits.sizes() == batch.teacher.sizes(), "the teacher knows the classes of the data");
  lesson.teacher_embedding = seen.embedding;
  const auto now = task_.probabilities(seen.logits.to(torch::kFloat64))
                       .to(batch.teacher.scalar_type());  // as a cached answer is made
  lesson.teacher = torch::where(known_rows(batch.teacher).unsqueeze(1), now, batch.teacher);
}

}  // namespace distal
