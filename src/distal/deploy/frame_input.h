#pragma once
// What stands before and behind the network in an exported graph, so that other programs feed
// pictures and read probabilities.
//
// Frames uint8 [N, T, H, W, 3] enter, RGB, of any H and W. The graph scales the short side to
// S = InputOptions::cached_short_side_px(), by a triangle filter (the area where both sides shrink
// below half), as video/convert.h does, and rounds to whole numbers. It crops the square in the
// centre, scales it to size_px as apply_augment does (data/augment.h), and makes it x / 127.5 - 1.
// Frames whose short side is S already pass the first step unchanged, so frames that were scaled by
// video/convert.h give the clip of ClipReader, to rounding. swscale scales before it converts to
// RGB, in whole numbers: frames of another size come close to that and no closer.

#include "distal/infer/onnx.h"

namespace distal {

struct InputOptions;

/// Makes a model that takes clips one that takes frames and gives `probabilities`, the softmax of
/// its logits. A broken promise: the model takes frames already, or clips of another size than
/// `input`.
void take_frames(OnnxModel& model, const InputOptions& input);

}  // namespace distal
