// video/probe.h, video/decoder.h, and what shows a video to people (video/browser.h,
// video/pictures.h, video/copy.h): files of any container.
#include <filesystem>

#include "distal/base/testing.h"
#include "distal/video/browser.h"
#include "distal/video/copy.h"
#include "distal/video/decoder.h"
#include "distal/video/pictures.h"

#include "target.h"

using namespace distal;

namespace {

constexpr int64_t kShortSide_px = 16;
constexpr int64_t kMostFrames = 12;
constexpr int64_t kCopied = 4;

void show(const VideoInfo& info) {
  why_not_in_browser(info);
  Pictures pictures(info);
  fuzz::require(pictures.at(info.duration_s / 2, kShortSide_px).jpeg.starts_with("\xff\xd8"),
                "a picture is a JPEG");
  const int64_t last = info.frames();
  const FrameSpan span{std::max<int64_t>(0, last - kCopied), last};
  const TemporaryFolder folder;
  const std::string copy = folder / "copy.mp4";
  write_copy(info, span, copy, {.short_side_px = kShortSide_px, .for_browser = true});
  fuzz::require(std::filesystem::file_size(copy) > 0, "a copy that was written is there");
}

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
    if (info.seekable) show(info);
  });
}
