#pragma once
// Options of pre-training on clips without labels: the section `pretext` of a recipe. Each task of
// `tasks` may have a section of its own name.
//
//   pretext: {mode: both, contrast: moco, tasks: [rotation, reverse, shuffle, speed],
//             speed: {strides: [1, 2, 4]}, training: {...}}

#include <memory>
#include <string>
#include <vector>

#include "distal/base/choice.h"
#include "distal/data/augment.h"
#include "distal/train/fit.h"

namespace distal {

class Contrast;
class OptionVisitor;
class PretextTask;

struct TaskChoice {
  std::string name;
  double weight = 1;                                // lambda_t
  mutable std::shared_ptr<const PretextTask> task;  // made by `visit`, with its options
  void visit(OptionVisitor& v) const;               // the task's own fields stand beside these
  bool operator==(const TaskChoice& other) const;
 private:
  mutable std::shared_ptr<const void> options_;
};

struct PretextOptions {
  std::string mode = "both";  // both, tasks, augment, contrast
  Choice<Contrast> contrast{"moco"};
  std::vector<std::string> tasks = {"rotation", "reverse", "shuffle", "speed"};
  mutable std::vector<TaskChoice> chosen;  // one for each of `tasks`; made by `visit`
  std::string draw = "one";                // one task per clip, or all
  std::string key = "plain";  // the key view: plain (variant A) or transformed (variant B)
  // of projection heads; as published for video: 128 and 2048
  int64_t dim = 128;
  int64_t hidden = 256;
  int64_t stride = 1;  // video frames from one frame of a view to the next
  TrainingOptions training;
  AugmentOptions augment;  // of each view by itself
  PretextOptions();
  /// Throws UsageError: the mode needs a task and there is none, a task is named twice, or an
  /// option of `training` or `augment` needs labels.
  void visit(OptionVisitor& v) const;
  bool operator==(const PretextOptions&) const = default;

  bool contrasts() const { return mode != "tasks"; }      // a contrastive loss, so a second view
  bool transforms() const { return mode != "contrast"; }  // clips are transformed
  bool asks() const { return mode == "both" || mode == "tasks"; }  // the tasks are learned
  /// The number of frames of a view for clips of `frames` frames: the maximum over `tasks`. It does
  /// not depend on the mode, so recipes that differ only in the mode use the same views. Throws
  /// Error: the clips are too short for a task.
  int64_t view_frames(int64_t frames) const;
};

}  // namespace distal
