#pragma once
// For tests of what reads clips: small videos, and the numbers of their frames.

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "distal/base/testing.h"
#include "distal/data/clip_reader.h"
#include "distal/video/synthetic.h"
#include "distal/video/testing.h"

namespace distal {

/// A video of numbered frames.
inline std::string numbered(const TemporaryFolder& folder, const std::string& name,
                            int64_t frames = 32) {
  SyntheticOptions options;
  options.frames = frames;
  write_numbered(folder / name, options);
  return folder / name;
}

inline std::vector<int64_t> numbers(const FrameView& view) {
  std::vector<int64_t> all;
  for (const uint8_t* frame : view.frames)
    all.push_back(read_number(frame, view.height, view.width));
  return all;
}

}  // namespace distal
