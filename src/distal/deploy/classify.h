#pragma once
// All clips of a list through a model, decoding beside the network.

#include <string>
#include <vector>

#include "distal/deploy/model_file.h"

namespace distal {

struct ClassifyOptions {
  std::string engine;              // engine_of
  std::string precision = "auto";  // engine_of
};

/// Of the clips that could be read; the others are in the quarantine of the reader.
struct Classified {
  torch::Tensor probabilities;  // float64 [M, K], on the CPU
  torch::Tensor predicted;      // int64 [M]
  std::vector<int64_t> rows;    // [M], rising: which clips
};

/// `reader` was made with model.input. Throws Error: the model's answers are not finite;
/// Interrupted.
Classified classify(const OpenedModel& model, ClipReader& reader, const std::vector<Clip>& clips,
                    const ClassifyOptions& options, Progress& progress);

}  // namespace distal
