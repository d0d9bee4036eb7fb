// Playback speed: as many frames, but every first, second, fourth or eighth of the view; one class
// for each stride. Strides as in CSTP (arXiv 2112.08913); Pace (arXiv 2008.05861) has 1, 2, 3, 4. A
// view is (T - 1) times the largest stride long, so that much of each clip is decoded: leave the
// large strides out where clips are short.

#include <set>

#include <fmt/ranges.h>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/pretext/task.h"

namespace distal::tasks {

class Speed final : public PretextTask {
 public:
  struct Options {
    std::vector<int64_t> strides = {1, 2, 4, 8};
    void visit(OptionVisitor& v) const {
      v("strides", strides, "distances of the frames of a clip in the view, one class each",
        between(1, 64));
      if (strides.size() < 2 ||
          std::set<int64_t>(strides.begin(), strides.end()).size() < strides.size())
        throw UsageError(
            fmt::format("{}: strides = [{}]; give at least two different ones, such as [1, 2, 4]",
                        v.place(), fmt::join(strides, ", ")));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Speed(const Options& options) : options_(options) {}

  int64_t view_frames(int64_t frames) const override {
    if (frames < 2)
      fail("speed: a clip of one frame has no speed; give input.sampling.frames at least 2");
    return (frames - 1) * *std::max_element(options_.strides.begin(), options_.strides.end()) + 1;
  }

  int64_t outputs() const override { return std::ssize(options_.strides); }

  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override {
    std::vector<int64_t> strides;
    for (int64_t i = 0; i < views.size(0); ++i)
      strides.push_back(options_.strides.at(labels[i].item<int64_t>()));
    return pick_frames(views, draw_windows(views, strides, frames, random));
  }

 private:
  Options options_;
};

extern const Entry<PretextTask> speed;
const Entry<PretextTask> speed = entry<PretextTask, Speed>(
    "tells how fast a clip plays",
    "Benaim et al., SpeedNet, CVPR 2020, arXiv 2004.06130; Wang, Jiao, Liu, Pace Prediction, ECCV "
    "2020, arXiv 2008.05861; in TaCo, arXiv 2011.13046");

}  // namespace distal::tasks
