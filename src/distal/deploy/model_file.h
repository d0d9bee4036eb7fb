#pragma once
// Opens model files, and makes clips of the videos of a command line. The commands predict and
// export use it.

#include <memory>
#include <string>
#include <vector>

#include "distal/data/clip_reader.h"
#include "distal/infer/engine.h"
#include "distal/lists/lists.h"
#include "distal/models/saved_model.h"
#include "distal/tasks/task.h"

namespace distal {

class Progress;

/// An opened model file. saved.net is null if the file holds a graph (deploy/export_target.h). Its
/// description is then in a file beside it.
struct OpenedModel {
  std::string path;
  SavedModel saved;
  InputOptions input;
  const Task* task = &default_task();  // no description names another
};
/// Throws Error as load_model does, and for a model without classes.
OpenedModel open_model(const std::string& path);

/// The size [3, T, H, W] of the clips that a model takes.
std::vector<int64_t> clip_sizes(const InputOptions& input);

/// The engine that evaluates a model on `clips` clips. `engine` is libtorch, openvino or empty.
/// Empty selects the faster engine for this number of clips, or the only one that reads the file.
/// `at_once` is the number of clips in flight; 0: many. `note` (may be null) gets the reason if the
/// faster engine cannot be used. Throws UsageError: the engine cannot read the file or lacks the
/// precision. Throws Error as openvino_engine does.
std::unique_ptr<Engine> engine_of(const OpenedModel& model, const std::string& engine,
                                  const std::string& precision, int64_t clips, int64_t at_once,
                                  std::string* note);

/// The rows of a CSV, with paths relative to its folder, or one row per video. Labels are omitted
/// unless `labelled`.
std::vector<Row> rows_of(const std::string& list, const std::vector<std::string>& videos,
                         bool labelled = false);

/// A clip for each row that can be opened, and the videos that cannot. Labels must be in `classes`.
/// Without classes, labels are omitted.
ClipList clips_of(const std::string& list, const std::vector<std::string>& videos,
                  ClipReader& reader, Progress& progress, const Classes& classes = {});

}  // namespace distal
