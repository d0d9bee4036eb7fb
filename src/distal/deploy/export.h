#pragma once
// Export of a trained model for other programs. The network is frozen, put into eight bits where
// that is wanted, written, read back and compared; only then the file takes its name. The command
// `distal export` does this.

#include <optional>
#include <string>
#include <vector>

#include "distal/deploy/export_target.h"
#include "distal/infer/quantise.h"

namespace distal {

class Progress;

/// Videos of the pool, in which the values that enter each layer are measured: `list` or `videos`.
struct Int8Options {
  QuantiseOptions quantise;
  std::string list;  // CSV with a column path, relative to its folder
  std::vector<std::string> videos;
  int64_t most_clips = 128;  // so many at most are read, spread evenly
  int64_t threads = 0;       // 0: all
};

struct ExportOptions {
  std::string model;                // a .safetensors with its description
  std::string out;                  // the file to write
  TargetChoice target;              // none: what the ending of `out` says
  std::optional<Int8Options> int8;  // absent: float32
  bool frames = true;  // frames enter and probabilities leave (deploy/frame_input.h); else clips
                       // and logits
  std::string sample;  // prefix of _frames.npy and _probabilities.npy, or of _clips.npy and
                       // _logits.npy; empty: none
};

/// What quantise() found (infer/quantise.h).
struct Int8Report {
  int64_t layers = 0;             // in eight bits
  std::vector<std::string> left;  // layers left in float32
  double change = 0;              // of the probabilities, the mean
  double flipped = 0;             // share of the clips
  double accuracy = 0;            // NaN without labels
  double float_accuracy = 0;      // NaN without labels
  int64_t clips = 0;              // calibrated on
  int64_t unreadable = 0;         // videos
  std::string first_reason;       // why the first of them is unreadable
};

/// The written file beside the network.
struct ReadBack {
  FileReader reader;
  double error = 0;              // relative, of the logits
  int64_t clips = 0;             // compared on
  std::optional<double> change;  // largest of a probability, from frames on; absent: not compared
};

struct ExportReport {
  std::string path;
  std::vector<int64_t> clip;  // [3, T, H, W] of the network's clips; empty for weights
  bool takes_frames = false;  // the graph takes frames
  bool any_batch = true;      // the graph takes any number of clips
  std::optional<Int8Report> int8;
  std::optional<ReadBack> read_back;  // absent: weights, or the reader is not there
};

/// The target of `--out FILE`. Throws UsageError: no target has such files.
TargetChoice target_for(const std::string& out);

/// Throws UsageError, in the flags of the command: eight bits or a sample that the target cannot
/// hold, a list beside videos, or neither.
void require_consistent(const ExportOptions& options);

/// Writes the files of the target and the description beside them; beside a graph NAME also the
/// model card NAME.md and the program NAME.py (deploy/export_description.h). The graph's metadata
/// hold the description. What stood there is replaced in the end, and stays where this throws.
/// Draws no random number of the program. Throws UsageError as require_consistent does, and for
/// accuracy_loss without a list; Error: a missing folder, a model that cannot be loaded or frozen,
/// no video that can be read, a bound of int8 that cannot be met, a file that answers unlike the
/// network; Interrupted.
ExportReport export_model(const ExportOptions& options, Progress& progress);

}  // namespace distal
