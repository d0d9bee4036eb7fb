#pragma once
// For tests of what learns: small videos as labelled clips, networks compared.

#include "distal/data/testing.h"
#include "distal/models/model.h"

namespace distal {

/// `count` videos of 32 px, left and right in turn, each one clip of class 0 or 1.
inline std::vector<Clip> small_clips(const TemporaryFolder& folder, int count, int64_t frames = 8) {
  SyntheticOptions video;
  video.frames = frames;
  video.width = video.height = 32;
  std::vector<Clip> clips;
  for (int i = 0; i < count; ++i) {
    const std::string path = folder / fmt::format("{}.mp4", i);
    write_motion(path, motions()[i % 2], i, video);
    const VideoInfo info = probe(path);
    clips.push_back({path, info.id, 0, info.duration_s, info.id, i % 2});
  }
  return clips;
}

inline std::vector<float> truth_of(const Clip& clip) {
  return clip.label == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1};
}

/// Equal weights, of parameters whose names begin with `prefix`.
inline bool same(const Net& a, const Net& b, const std::string& prefix = "") {
  const auto of_a = state(a);
  const auto of_b = state(b);
  for (size_t i = 0; i < of_a.size(); ++i) {
    if (of_a[i].first.starts_with(prefix) && !of_a[i].second.equal(of_b[i].second)) return false;
  }
  return true;
}

}  // namespace distal
