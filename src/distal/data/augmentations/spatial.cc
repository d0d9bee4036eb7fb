// A part of the frame of random area and aspect ratio, scaled to the whole frame, the same for all
// frames of a clip:
//
//   area ~ U(least, 1),   log(width / height) ~ U(-log aspect, log aspect),   place ~ U;
//
// the part must lie within the frame: after ten draws that do not, the whole frame. Optionally
// turned by U(-rotate, rotate). Unlike augment.scales, which cuts squares of a few sizes, it
// stretches; flips, which may need a label map, and colour stay with `augment`. Defaults 0.5
// instead of the paper's 0.08, and aspect 4/3 as there; what is turned in from outside is grey.

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_pixels.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {

class Spatial final : public Augmentation {
 public:
  struct Options {
    double area = 0.5;
    double aspect = 4.0 / 3;
    double rotate_degrees = 0;
    void visit(OptionVisitor& v) const {
      v("area", area, "the least share of the frame that is kept", between(0.05, 1));
      v("aspect", aspect, "the most that a side is stretched over the other", between(1, 3));
      v("rotate_degrees", rotate_degrees, "the most that a clip is turned, either way",
        between(0, 45));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Spatial(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    const ClipSize size = clip_size(batch);
    return change_each(batch, random, [&](const float* clip, float* out, int64_t, Random draw) {
      const Affine from = affine_of(window(size, draw), size);
      for (int64_t t = 0; t < size.frames; ++t) warp_frame(clip, size, t, from, out);
    });
  }

 private:
  Window window(const ClipSize& size, Random& draw) const {
    const Window frame = whole(size);
    Window window = frame;
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double area = frame.wide * frame.high * draw.uniform(options_.area, 1);
      const double ratio =
          std::exp(draw.uniform(-std::log(options_.aspect), std::log(options_.aspect)));
      const double wide = std::sqrt(area * ratio);
      const double high = std::sqrt(area / ratio);
      if (wide > frame.wide || high > frame.high) continue;
      const double left = draw.uniform(0, frame.wide - wide);
      const double top = draw.uniform(0, frame.high - high);
      window = {left + (wide - 1) / 2, top + (high - 1) / 2, wide, high};
      break;
    }
    window.turned_degrees = draw.uniform(-options_.rotate_degrees, options_.rotate_degrees);
    return window;
  }
  Options options_;
};

extern const Entry<Augmentation> spatial;
const Entry<Augmentation> spatial = entry<Augmentation, Spatial>(
    "a part of random area and aspect ratio, the same in all frames, on request turned a little",
    "C. Szegedy et al., Going deeper with convolutions, CVPR 2015, arXiv 1409.4842, section 6");

}  // namespace distal::augmentations
