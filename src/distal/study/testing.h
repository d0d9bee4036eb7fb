#pragma once
// For tests of this room: a teacher whose answers follow the picture, recipes of a few lines.

#include "distal/learn/testing.h"
#include "distal/oracles/teacher.h"
#include "distal/study/recipe.h"

namespace distal {

class BrightTeacher final : public Teacher {
 public:
  torch::Tensor answer(const torch::Tensor& clips, const std::string&) override {
    const auto bright = torch::sigmoid(clips.mean({1, 2, 3, 4})).unsqueeze(1);
    return torch::cat({bright, 1 - bright}, 1);
  }
  std::string version() const override { return "bright:1"; }
};

/// A recipe of these lines, with lists that nobody opens.
inline Study study_of(const std::string& yaml) {
  return read_study(
      Document::text("data: {pool: {csv: p.csv}, test: {csv: t.csv}}\n" + yaml, "r.yaml"), "r");
}
/// A recipe of these lines over generated videos of 0.32 s, 20 in the pool, that are not there yet;
/// `more` may name a further list.
inline Study generated_study(const TemporaryFolder& folder, const std::string& yaml,
                             const std::string& more = "") {
  const std::string common = fmt::format(
      "data: {{root: {0}, synthetic: {{classes: [left, right], train: 4, pool: 20, test: 4, "
      "frames: 8, size_px: 32}}, "
      "pool: {{csv: pool.csv}}, test: {{csv: test.csv}}{1}}}\ncache: {{folder: {0}/frames}}\n",
      folder.path(), more);
  return read_study(Document::text(common + yaml, "r.yaml"), "r");
}
/// Why it is refused; empty if it is not.
inline std::string refusal(const std::string& yaml) {
  return error_of([&] { study_of(yaml); });
}

}  // namespace distal
