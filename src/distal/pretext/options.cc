#include "distal/pretext/options.h"

#include <set>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/pretext/task.h"

namespace distal {
namespace {

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const auto& row : catalogue<PretextTask>()) names.push_back(row.name);
  return names;
}

// One for each name, with the options it had.
std::vector<TaskChoice> choices(const std::vector<std::string>& names,
                                const std::vector<TaskChoice>& before) {
  std::vector<TaskChoice> chosen;
  for (const auto& name : names) {
    const auto kept = std::find_if(before.begin(), before.end(),
                                   [&](const TaskChoice& task) { return task.name == name; });
    chosen.push_back(kept != before.end() ? *kept : TaskChoice{});
    chosen.back().name = name;
  }
  return chosen;
}

void require_no_labels(const PretextOptions& options, const std::string& place) {
  const TrainingOptions& training = options.training;
  const auto refuse = [&](const char* option) {
    throw UsageError(
        fmt::format("{}: {} is about labels, which pre-training does not look at; leave it out",
                    place, option));
  };
  if (training.class_balanced) refuse("training.class_balanced");
  if (training.class_weights) refuse("training.class_weights");
  if (training.label_smoothing > 0) refuse("training.label_smoothing");
  if (!options.augment.flip_labels.empty()) refuse("augment.flip_labels");
  if (options.augment.family.name != "none") refuse("augment.family");
}

}  // namespace

void TaskChoice::visit(OptionVisitor& v) const {
  v("weight", weight, "weight of the loss of this task; the contrastive loss has weight 1",
    at_least(0));
  for (const auto& row : catalogue<PretextTask>()) {
    if (row.name == name) task = row.entry->make(v, options_);
  }
  expect(task != nullptr, "the task is known");
}

bool TaskChoice::operator==(const TaskChoice& other) const {
  return name == other.name && resolved(*this) == resolved(other);
}

PretextOptions::PretextOptions() {
  training.steps = 400;
  training.batch_size = 32;
  training.learning_rate = 0.05;
  training.weight_decay = 1e-4;
  augment.scales = {1, 0.875, 0.75, 0.66};
  augment.brightness = augment.contrast = augment.saturation = 0.4;
}

void PretextOptions::visit(OptionVisitor& v) const {
  v("mode", mode,
    "both: contrastive loss and tasks; tasks: only tasks; augment: contrastive loss of transformed "
    "clips, no tasks; contrast: contrastive loss of plain clips",
    one_of({"both", "tasks", "augment", "contrast"}));
  v("contrast", contrast, "the contrastive learner");
  v("tasks", tasks, "the tasks; the section with the name of a task has its options",
    one_of(task_names()));
  if (std::set<std::string>(tasks.begin(), tasks.end()).size() < tasks.size())
    throw UsageError(fmt::format("{}: tasks names one twice; keep one", v.place()));
  if (tasks.empty() && transforms())
    throw UsageError(fmt::format("{}: tasks is empty, which leaves mode {} nothing to do; name "
                                 "one, or choose mode: contrast",
                                 v.place(), mode));
  chosen = choices(tasks, chosen);
  for (const TaskChoice& task : chosen) v(task.name.c_str(), task, "options of the task");
  v("draw", draw, "one: one task for each clip; all: every task for every clip, which takes longer",
    one_of({"one", "all"}));
  v("key", key, "the key view of a clip: plain, or transformed by its own draw",
    one_of({"plain", "transformed"}));
  v("dim", dim, "dimension of the projection space", between(2, 8192));
  v("hidden", hidden, "width of the hidden layer of the heads", between(2, 8192));
  v("stride", stride, "video frames from one frame of a view to the next", between(1, 1000));
  v("training", training, "how it is trained");
  v("augment", augment, "augmentation of each view");
  require_no_labels(*this, v.place());
}

int64_t PretextOptions::view_frames(int64_t frames) const {
  int64_t longest = frames;
  for (const TaskChoice& task : chosen) longest = std::max(longest, task.task->view_frames(frames));
  return longest;
}

}  // namespace distal
