#pragma once
// Int8: convolutions and the last linear layer compute on whole numbers of eight bits. Weights are
// symmetric with a scale per output channel; what enters a layer has one scale for the whole
// tensor, unsigned where it is never negative, else symmetric. Written as QuantizeLinear and
// DequantizeLinear around float operations, which OpenVINO and ONNX Runtime both fuse (Jacob et
// al., CVPR 2018, arXiv 1712.05877; ranges: Wu et al., "Integer Quantization for Deep Learning
// Inference", 2020, arXiv 2004.09602, section 4).

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "distal/infer/onnx.h"
#include "distal/tasks/task.h"

namespace distal {

class OptionVisitor;
class Progress;

struct QuantiseOptions {
  std::string range = "percentile";  // of what enters a layer, seen on the calibration clips
  double percentile = 99.99;
  double tolerance = 0.01;    // what may change, see Quantised::change
  double accuracy_loss = -1;  // 0 or more: what may be lost instead, share of the labelled clips
  int64_t weight_bits = 0;    // 0: as many as this processor adds without overflow
  void visit(OptionVisitor& v) const;
  bool operator==(const QuantiseOptions&) const = default;
};

struct Quantised {
  OnnxModel model;
  int64_t layers = 0;             // in eight bits
  std::vector<std::string> left;  // layers left in float, those that change most first
  double change =
      0;  // mean over the calibration clips of half the sum over classes of |p_int8 - p_float|
  double flipped = 0;  // share of the calibration clips whose class is another
  // on the labelled ones; NaN where there are none
  double accuracy = std::numeric_limits<double>::quiet_NaN();
  double float_accuracy = accuracy;
};

/// `clips` [M, 3, T, H, W] of the pool: what enters each layer is measured on them; `labels` int64
/// [M], below 0 where unknown, or undefined. All layers are quantised; if `change` is then above
/// the tolerance (or with accuracy_loss, if more accuracy than that is lost), each layer is tried
/// alone, on up to 32 of the clips, and as few of those that change most are left in float as meet
/// it (found by halving, on all clips). Accuracy on clips that the network was trained on says
/// little. Needs OpenVINO. Throws Error: no clip, accuracy_loss without a label, logits that are
/// not finite, or the bound cannot be met with any layer quantised; Interrupted.
Quantised quantise(const OnnxModel& model, const torch::Tensor& clips,
                   const QuantiseOptions& options, int64_t threads, Progress& progress,
                   const torch::Tensor& labels = {}, const Task& task = default_task());

/// How one tensor of values becomes whole numbers: x / scale, rounded, between low and high.
struct Grid {
  float scale = 1;
  // 0 and 255 where nothing is negative
  int64_t low = -127;
  int64_t high = 127;
};
/// A grid for values between `least` and `most` with the histogram `counts` (float64 [B], equal
/// bins between them).
Grid grid_for(double least, double most, const torch::Tensor& counts,
              const QuantiseOptions& options);

}  // namespace distal
