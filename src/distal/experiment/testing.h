#pragma once
// For tests of this room: small videos as labelled clips, a teacher whose answers follow the picture, networks compared.

#include "distal/data/testing.h"
#include "distal/experiment/recipe.h"
#include "distal/oracles/teacher.h"

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

inline std::vector<float> truth_of(const Clip& clip) { return clip.label == 0 ? std::vector<float>{1, 0} : std::vector<float>{0, 1}; }

class BrightTeacher final : public Teacher {
 public:
  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    const auto bright = torch::sigmoid(clips.mean({1, 2, 3, 4})).unsqueeze(1);
    return torch::cat({bright, 1 - bright}, 1);
  }
  std::string version() const override { return "bright:1"; }
};

/// Equal weights, of parameters whose names begin with `prefix`.
inline bool same(const Net& a, const Net& b, const std::string& prefix = "") {
  const auto of_a = state(a), of_b = state(b);
  for (size_t i = 0; i < of_a.size(); ++i)
    if (of_a[i].first.starts_with(prefix) && !of_a[i].second.equal(of_b[i].second)) return false;
  return true;
}

/// A recipe of these lines, with lists that nobody opens.
inline Experiment experiment_of(const std::string& yaml) {
  return read_experiment(Document::text("data: {pool: {csv: p.csv}, test: {csv: t.csv}}\n" + yaml, "r.yaml"), "r");
}
/// A recipe of these lines over generated videos of 0.32 s, 20 in the pool, that are not there yet; `more` may name a further list.
inline Experiment generated_experiment(const TemporaryFolder& folder, const std::string& yaml, const std::string& more = "") {
  const std::string common = fmt::format("data: {{root: {0}, synthetic: {{classes: [left, right], train: 4, pool: 20, test: 4, frames: 8, size_px: 32}}, "
                                         "pool: {{csv: pool.csv}}, test: {{csv: test.csv}}{1}}}\ncache: {{folder: {0}/frames}}\n", folder.path(), more);
  return read_experiment(Document::text(common + yaml, "r.yaml"), "r");
}
/// Why it is refused; "accepted" if it is not.
inline std::string refusal(const std::string& yaml) {
  const std::string error = error_of([&] { experiment_of(yaml); });
  return error.empty() ? "accepted" : error;
}

}  // namespace distal
