#pragma once
// What predict and export have in common: a model's file, whoever wrote it, and the videos on a command line.

#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/clip_reader.h"
#include "data/lists.h"
#include "infer/engine.h"
#include "models/weights.h"

namespace distal {

/// A model that answers. `saved.net` is null for a file of export (.onnx, .xml), whose description stands in FILE.json.
struct OpenedModel {
  SavedModel saved;
  InputOptions input;
  std::unique_ptr<Engine> engine;
};

/// `engine`: libtorch or openvino; empty: OpenVINO where it is built in, or the file needs it.
/// Throws Error as load_model and openvino_engine do; UsageError: an engine that cannot read such a file.
OpenedModel open_model(const std::string& path, const std::string& engine, const std::string& precision);

/// Of a CSV (paths relative to its folder), or of videos as named. Labels are left out.
std::vector<Row> rows_of(const std::string& list, const std::vector<std::string>& videos);

/// A clip for each of them that can be opened.
std::vector<Clip> clips_of(const std::string& list, const std::vector<std::string>& videos, ClipReader& reader, Progress& progress);

}  // namespace distal
