#pragma once
// Convolutions as the CPU likes them: the same sums as LibTorch's, in another order.
//  - Where a clip is shorter than the temporal kernel, time goes into the channels: a 2D
//  convolution of C*T to O*T' channels whose weight
//    holds the taps that meet a frame. LibTorch's conv3d multiplies the padding too, three times
//    the work where T is 1, and its bf16 weight gradients are wrong where 1 < T < kernel
//    (oneDNN 3.12; models/gate.h).
//  - A depthwise convolution without bias, of 16 channels or more, is ours where it is of clips or
//  in bf16 with a spatial stride
//    (models/depthwise.h). Others with a spatial stride compute in float32 even on bf16 (LibTorch's
//    bf16 gradients are many times slower).
// While a graph is traced, and on other devices, it is LibTorch's own convolution.

#include <torch/types.h>

namespace distal {

/// x [N, C, (T,) H, W], weight [O, C / groups, (kT,) kH, kW] in x's dtype or float32 beside x in
/// bfloat16, bias [O] or undefined; one stride and one padding per dimension. Output in x's dtype;
/// gradients in the dtypes of what they are of. On a processor any other pair of dtypes is a bug of
/// the caller (expect).
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       at::IntArrayRef stride, at::IntArrayRef padding, int64_t groups);

}  // namespace distal
