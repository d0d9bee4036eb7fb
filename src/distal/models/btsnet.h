#pragma once
// BTSNet (Hong, Choi, "Blockwise Temporal-Spatial Pathway Network", ICIP 2021, arXiv 2208.03040;
// published code sghong977/BTSNet): a 3D ResNeXt whose middle convolutions choose, for each channel
// and moment, between views that reach far in time, in space, or in both. A 7x7x7 stem, a max pool,
// four stages of units 1x1x1 -> middle -> 1x1x1 with a shortcut. In stages 1 to 3 the middle has M
// branches, grouped 3x3x3 convolutions F_m of different dilation, and attention over them:
//   U = sum_m F_m,  s = mean of U over H, W,  z = ReLU(BN(W1 s)) [N, d, t],  A = softmax over m of
//   W2 z [N, M, C, t], V = sum_m A_m * F_m,                      d = max(C / 16, 32);  in stage 4
//   it is one plain grouped 3x3x3 convolution.
// Dilations (T, H, W), branch 0 is always (1, 1, 1):
//   ops O2: M 2 (4, 1, 1);  M 3 (4, 1, 1) (1, 4, 4);  M 4 (4, 4, 4) (1, 4, 4) (4, 1, 1);    ops O1:
//   branch m has 1 + m in all
//
// Clips: any number of frames, 16 px and more. With fuse tc the attention has one step for each
// frame of the stage's own map, t = T; the published code fixes t to 15, 8, 4 in stages 1 to 3,
// which are the T of its 30 frames (and 29), so there the two agree (stage 4 would have 2, but has
// no attention). With fuse c the mean runs over T too, t = 1. In training mode a batch of one clip
// is refused (Error) where it leaves a batch norm one value a channel: always with fuse c, with tc
// below 9 frames, or up to 16 frames of 32 px.
//
// Width: planes P = round(128 width), doubled at each stage, are the channels of the stem (P) and
// of a stage's output (2 P of that stage). A group of the middle convolutions has max(1,
// round(planes / 32)) channels and the middle as many times `cardinality`, so that it always
// divides; at width 1 that is the published cardinality * planes / 32.
//
// alias_bug: the published code sums in place, so that F_0 becomes U and V = A_0 * U + sum_{m>=1}
// A_m * F_m. Only weights trained with that code want it. Deviation: U is computed out of place, so
// that it can be trained.
//
// Names as published: basic_conv.0/1, stage_S.B.conv1.0/1, .conv2_sk.convs.M.0/1, .conv2_sk.fc.0/1,
// .conv2_sk.fcs (stage 4: .conv2_sk.conv/bn), .conv3.0/1, .shortcut.0/1, and `classifier`, which is
// `fc` here.

#include <array>
#include <cstdint>
#include <string>

#include "distal/models/layers.h"
#include "distal/models/model_fwd.h"

namespace distal {

class OptionVisitor;
class Random;

struct BtsnetOptions {
  double width = 1;
  int64_t branches = 4;      // M
  int64_t cardinality = 32;  // groups of the middle convolutions
  std::string fuse = "tc";
  std::string ops = "O2";
  bool alias_bug = false;
  double dropout = 0;
  void visit(OptionVisitor& v) const;
  bool operator==(const BtsnetOptions&) const = default;
};

/// With random weights. `name`: of the backbone, for messages; `blocks`: units in each stage.
/// Parameters at width 1, M = 4, cardinality 32, 101 classes: 17,300,837 (26 layers), 31,676,965
/// (50), 66,058,853 (101).
Model btsnet(const char* name, const std::array<int64_t, 4>& blocks, const BtsnetOptions& options,
             int64_t classes, const Random& random);

}  // namespace distal
