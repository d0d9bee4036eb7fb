#pragma once
// Draws of whole videos, where people answer about all clips of a video at once
// (OracleTraits::by_video): all clips of a video are drawn, or none.

#include <cstdint>
#include <vector>

#include "distal/base/nouns.h"

namespace distal {

class Random;
struct Dataset;
struct Study;

/// The clips of each video. Videos and clips keep their order.
std::vector<ClipRefs> by_video(const ClipRefs& clips);

/// The clips of videos in an order drawn from `random`, `count` clips at most (-1: all). A video
/// that does not fit is skipped.
std::vector<Clip> draw_videos(const ClipRefs& clips, int64_t count, Random random);

/// The clips of videos that hold `count` clips or more, one video of each group in turn, in the
/// order of `clips`. The same for every seed. A smaller draw is part of a larger one.
std::vector<Clip> draw_test_videos(const std::vector<Clip>& clips, int64_t count);

/// Throws Error: the initial clips, or a round, of an arm are fewer than the shortest video has.
void require_whole_videos(const Study& study, const Dataset& dataset);

}  // namespace distal
