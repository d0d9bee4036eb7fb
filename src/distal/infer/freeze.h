#pragma once
// A network as a graph: its evaluation is traced (torch::jit::tracer) with batches of two and of
// three clips, which tells the batch from the other sizes, and every aten operation becomes one or
// two of ONNX. Batch norms are folded into the convolutions before them: the weight of each output
// channel times g / sqrt(variance + epsilon), the bias accordingly (Jacob et al., "Quantization and
// Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, arXiv
// 1712.05877, eq. 14).

#include <cstdint>

#include "distal/infer/onnx.h"

namespace distal {

class Net;

/// The graph of `net` (on the processor) in evaluation mode for clips [3, T, H, W]. No other thread
/// may use the net meanwhile; its mode and its parameters are left as they were. Weights are shared
/// with the net where nothing was folded into them. Nodes are called by modules:
/// `layer1.0.conv1/Conv`, and `layer1.0.conv1/Relu` behind it. Throws Error: a clip the net cannot
/// take, or an operation without a counterpart, by its name.
OnnxModel freeze(Net& net, const std::vector<int64_t>& clip);

/// Folds each BatchNormalization whose input is a convolution that nothing else reads.
void fold_batch_norms(OnnxModel& model);

}  // namespace distal
