// Changes of time that no class minds (but one that lasts a few frames, or is told by its pace):
// the clip is played at a mildly other speed and moved in time, then single frames are lost:
//
//   map[i] = clamp(round(m + shift + speed (i - m))),   m = (T - 1) / 2,   speed ~ U(slowest,
//   fastest),   shift ~ U(-jitter T, jitter T);
//
// then each frame but the first is, with probability `drop`, the one that stands before it. It
// works on the T frames there are: a clip played faster holds its first and last frame, one played
// slower repeats some in between. Jitter over the whole video is input.sampling's.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_frames.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {

class TemporalSafe final : public Augmentation {
 public:
  struct Options {
    double jitter = 0.1;
    double slowest = 0.8;
    double fastest = 1.25;
    double drop = 0.1;
    void visit(OptionVisitor& v) const {
      v("jitter", jitter, "the most that a clip is moved in time, either way, as a share of it",
        between(0, 0.5));
      v("slowest", slowest, "the least speed", between(0.5, 1));
      v("fastest", fastest, "the greatest speed", between(1, 2));
      v("drop", drop, "probability that a frame is lost and the one before it is shown again",
        between(0, 0.9));
    }
    bool operator==(const Options&) const = default;
  };
  explicit TemporalSafe(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    const ClipSize size = clip_size(batch);
    return change_each(batch, random, [&](const float* clip, float* out, int64_t, Random draw) {
      pick_frames(clip, size, map(size.frames, draw), out);
    });
  }

 private:
  FrameMap map(int64_t frames, Random draw) const {
    const double speed = draw.uniform(options_.slowest, options_.fastest);
    const double most = options_.jitter * static_cast<double>(frames);
    const FrameMap pace = paced(frames, speed, draw.uniform(-most, most));
    const FrameMap shown = dropped(frames, options_.drop, draw.stream("drop"));
    FrameMap map;
    for (const int64_t i : shown) map.push_back(pace[i]);
    return map;
  }
  Options options_;
};

extern const Entry<Augmentation> temporal_safe;
const Entry<Augmentation> temporal_safe = entry<Augmentation, TemporalSafe>(
    "jitter, mild changes of speed and lost frames, which leave the class as it is",
    "Y. Zou, J. Choi, Q. Wang, J.-B. Huang, Learning representational invariances for "
    "data-efficient action recognition, CVIU 2023, arXiv 2103.16565 "
    "(TemporalCutOut: lost frames)");

}  // namespace distal::augmentations
