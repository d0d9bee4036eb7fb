// Which way is up: every frame of a clip is turned by the same 0, 90, 180 or 270 degrees,
// counter-clockwise; four classes. Solved from single frames where scenes have an up and a down,
// from the direction of motion where only that has.

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/pretext/task.h"

namespace distal::tasks {

class Rotation final : public PretextTask {
 public:
  int64_t outputs() const override { return 4; }

  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override {
    expect(views.size(3) == views.size(4), "a network's input is square");
    const torch::Tensor clips = NoTask().transform(views, labels, frames, random);
    const torch::Tensor turned = torch::empty_like(clips);
    for (int64_t i = 0; i < clips.size(0); ++i)
      turned[i].copy_(at::rot90(clips[i], labels[i].item<int64_t>(), {2, 3}));
    return turned;
  }
};

extern const Entry<PretextTask> rotation;
const Entry<PretextTask> rotation = entry<PretextTask, Rotation>(
    "tells by how many quarter turns a clip was turned",
    "Jing, Yang, Liu, Tian, Self-Supervised Spatiotemporal Feature Learning via Video Rotation "
    "Prediction, 2018, arXiv 1811.11387; in TaCo, arXiv 2011.13046");

}  // namespace distal::tasks
