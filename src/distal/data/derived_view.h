#pragma once
// What is made of filmed clips before a network or a teacher sees them, always the same for the
// same key: a mix of two (Active Mixup for clips, active/mixup.h) and fixed views of one, so that
// what was answered is what is learned. Pure functions.

#include "distal/data/frame_view.h"

namespace distal {

class Random;

/// lambda a + (1 - lambda) b frame by frame, rounded, of the centre squares: T frames of S x S, S
/// the least side of both. With fade > 0 lambda runs over the frames from lambda - x to lambda + x,
/// x = fade min(lambda, 1 - lambda) (blend of active/mixup.h). Throws Error: a and b have other
/// numbers of frames.
FrameView mix_views(const FrameView& a, const FrameView& b, double lambda, double fade);

/// A square of 3/4 to all of the short side, anywhere: drawn once for all frames. Not flipped: that
/// may change the class.
FrameView cut_view(const FrameView& a, Random random);

}  // namespace distal
