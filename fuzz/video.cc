// video/probe.h and video/decoder.h: files of any container.
#include "distal/video/decoder.h"

#include "target.h"

using namespace distal;

namespace {

constexpr int64_t kShortSide_px = 16;
constexpr int64_t kMostFrames = 12;

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  const fuzz::MemoryFile file(input);
  fuzz::attempt(input, [&] {
    const VideoInfo info = probe(file.path());
    fuzz::require(info.frames() > 0 && info.pts.size() == info.time_s.size() &&
                      info.key.size() == info.time_s.size(),
                  "a video has frames, each with its time");
    fuzz::require(std::is_sorted(info.time_s.begin(), info.time_s.end()) && info.time_s[0] == 0,
                  "times ascend from 0");
    std::vector<int64_t> wanted;
    for (int64_t i = 0; i < std::min(info.frames(), kMostFrames); ++i)
      wanted.push_back(info.frames() - 1 - i);
    wanted.push_back(0);
    Decoder decoder(info);
    const Frames frames = decoder.at_frames(wanted, {kShortSide_px});
    fuzz::require(frames.frames.size(0) == std::ssize(wanted), "each frame asked for comes");
  });
}
