#pragma once
// Export targets, a family: one file each in targets/. A target is a file format that other
// programs read. The ending of a file's name says which target it is. Most targets hold the frozen
// graph of a network (infer/freeze.h); some hold its weights. Any thread.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distal/base/catalogue.h"
#include "distal/base/files.h"
#include "distal/infer/engine.h"
#include "distal/infer/onnx.h"

namespace distal {

struct SavedModel;

/// What evaluates the files of a target in this program.
struct FileReader {
  std::string engine;  // as `predict --engine` and reports as JSON name it
  std::string title;   // as reports for people name it
  bool present;        // in this build, on this machine
};

struct OpenOptions {
  std::string precision = "auto";  // as in OpenvinoOptions
  int64_t clips = 0;               // that will be asked about in all, or at a time; 0: many
};

class ExportTarget {
 public:
  virtual ~ExportTarget() = default;

  /// The format's name as people write it.
  virtual std::string title() const = 0;
  /// What help says of a file, in brackets; empty: nothing.
  virtual std::string remark() const { return ""; }

  /// The ending of each file that is written, with its point. The user names the first file, whose
  /// ending is no other target's. The others stand beside it and differ in the ending alone. What
  /// is new here is listed in base/leftovers.cc too, or a killed export leaves it behind, as it
  /// does with a new ending of a plugin.
  virtual std::vector<std::string> endings() const = 0;
  /// The file that holds the description of a model (side_json) for the file `path`.
  virtual std::string description_of(const std::string& path) const { return path + ".json"; }

  /// Whether it holds a graph. It holds weights otherwise: distal loads them as it loads those of
  /// a run, nothing is frozen, and no sample is written.
  virtual bool holds_graph() const { return true; }
  /// Whether the graph may be one in eight bits (infer/quantise.h).
  virtual bool carries_int8() const { return holds_graph(); }
  /// Whether the graph takes any number of clips; it takes one otherwise.
  virtual bool takes_any_batch() const { return true; }

  /// Writes a graph. `files`: one for each of endings(). They are published, and described, after
  /// they were read back. Throws Error: not built in, disk full. For targets that hold a graph.
  virtual void write_graph(const OnnxModel& graph, UnfinishedFile& files) const;
  /// Writes weights and their description under their final names, each whole or not at all.
  /// Throws Error as save_model does. For targets that hold weights.
  virtual void write_weights(const SavedModel& saved, const std::string& path) const;

  virtual FileReader reader() const = 0;
  /// The engine of a file that was written; it takes clips, whatever the file takes. Throws Error:
  /// the reader is absent, or cannot read the file.
  virtual std::unique_ptr<Engine> open(const std::string& path,
                                       const OpenOptions& options) const = 0;
  /// float32 [N, K]: what a file that takes frames says of frames uint8 [N, T, H, W, 3]. Undefined:
  /// nothing here runs the whole of it. Throws Error as open() does.
  virtual torch::Tensor probabilities(const std::string& path, const torch::Tensor& frames) const;
  /// |logits of the file - logits of the network| <= tolerance() * |logits of the network|, as
  /// 2-norms over a few clips, where nothing is in eight bits. What differs by more is refused.
  virtual double tolerance() const { return 1e-3; }
};

/// The reader of most graphs.
FileReader openvino_reader();
std::unique_ptr<Engine> open_with_openvino(const std::string& path, const OpenOptions& options);

/// A target of the catalogue with its own options, which start at their defaults.
class TargetChoice {
 public:
  TargetChoice() = default;  // none
  explicit TargetChoice(const Named<ExportTarget>& row);

  const std::string& name() const { return row_->name; }
  bool in_plugin() const { return !row_->plugin.empty(); }
  bool has_options() const { return has_options_; }
  void visit(OptionVisitor& v) const;

  explicit operator bool() const { return target_ != nullptr; }
  const ExportTarget& operator*() const { return *target_; }
  const ExportTarget* operator->() const { return target_.get(); }

 private:
  const Named<ExportTarget>* row_ = nullptr;
  bool has_options_ = false;
  mutable std::shared_ptr<const void> options_;  // made by `visit`, with the target
  mutable std::shared_ptr<const ExportTarget> target_;
};

/// All targets, sorted by name.
std::vector<TargetChoice> export_targets();
/// The target whose first file ends as `path` does; none where there is no such target.
TargetChoice target_of_file(const std::string& path);

/// `a`, `a or b`, `a, b or c`.
std::string either_of(const std::vector<std::string>& words);

}  // namespace distal
