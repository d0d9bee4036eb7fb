#pragma once
// Depthwise convolution of clips, forth and back, as X3D trains it (C. Feichtenhofer, CVPR 2020,
// arXiv 2004.04730): each of output, gradient of the input and gradient of the weight in one pass
// over channels-last memory, with sums in float32. LibTorch 2.13 is slower with three dimensions,
// with dilations, and with a spatial stride in bf16 (steps of whole networks: bench/README.md).

#include <torch/types.h>

namespace distal {

/// Whether `depthwise` computes it: on a processor, x [N, C, T, H, W] or [N, C, H, W] in float32 or
/// bfloat16 with 16 channels or more, one channel a group.
bool depthwise_fits(const at::Tensor& x, const at::Tensor& weight, int64_t groups);

/// x, weight [C, 1, (kT,) kH, kW] in x's dtype or float32 beside bfloat16, one stride, one padding
/// (of zeros) and one dilation (empty: 1) a dimension. Output in x's dtype, channels last;
/// gradients in the dtypes of what they are of. Sums run in one order, whatever the number of
/// threads.
at::Tensor depthwise(const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef stride,
                     at::IntArrayRef padding, at::IntArrayRef dilation = {});

}  // namespace distal
