// The arrow of time: a clip runs forward or backward; two classes. Nothing can be learned from
// clips whose motion is as frequent one way as the other (a set of left and right in equal shares).

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/random.h"
#include "distal/pretext/task.h"

namespace distal::tasks {

class Reverse final : public PretextTask {
 public:
  int64_t outputs() const override { return 2; }

  torch::Tensor transform(const torch::Tensor& views, const torch::Tensor& labels, int64_t frames,
                          Random& random) const override {
    const torch::Tensor forward =
        draw_windows(views, std::vector<int64_t>(views.size(0), 1), frames, random);
    return pick_frames(views, torch::where(labels.unsqueeze(1) > 0, forward.flip(1), forward));
  }
};

extern const Entry<PretextTask> reverse;
const Entry<PretextTask> reverse =
    entry<PretextTask, Reverse>("tells whether a clip runs forward or backward",
                                "Wei, Lim, Zisserman, Freeman, Learning and Using the Arrow of "
                                "Time, CVPR 2018; in TaCo, arXiv 2011.13046");

}  // namespace distal::tasks
