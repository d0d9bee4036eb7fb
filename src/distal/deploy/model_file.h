#pragma once
// What predict and export have in common: a model's file, whoever wrote it, and the videos on a
// command line.

#include <memory>
#include <string>
#include <vector>

#include "distal/base/progress.h"
#include "distal/data/clip_reader.h"
#include "distal/infer/engine.h"
#include "distal/lists/lists.h"
#include "distal/models/weights.h"

namespace distal {

/// `net` is null for a file that holds a graph (deploy/export_target.h), whose description stands
/// beside it.
struct OpenedModel {
  std::string path;
  SavedModel saved;
  InputOptions input;
};
/// Throws Error as load_model does; it knows no classes.
OpenedModel open_model(const std::string& path);

/// [3, T, H, W] of the clips that a model takes.
std::vector<int64_t> clip_sizes(const InputOptions& input);

/// Who answers about so many clips. `engine`: libtorch or openvino; empty: the quicker for so many,
/// or the only one that reads the file. `at_once`: clips that come at once, no more under way; 0:
/// many. `note` (may be null): why not the quicker. Throws UsageError: an engine that cannot read
/// such a file, a precision it does not have; Error as openvino_engine does.
std::unique_ptr<Engine> engine_of(const OpenedModel& model, const std::string& engine,
                                  const std::string& precision, int64_t clips, int64_t at_once,
                                  std::string* note);

/// Of a CSV (paths relative to its folder), or of videos as named. Labels are left out unless
/// `labelled`.
std::vector<Row> rows_of(const std::string& list, const std::vector<std::string>& videos,
                         bool labelled = false);

/// A clip for each of them that can be opened, and those that cannot. `classes`: what the labels of
/// a list must be; none: they are left out.
ClipList clips_of(const std::string& list, const std::vector<std::string>& videos,
                  ClipReader& reader, Progress& progress, const Classes& classes = {});

}  // namespace distal
