// A cuboid of one clip pasted into another, labels by the exact share of the voxels:
//
//   x = x_i outside the cuboid, x_j inside,   y = s y_i + (1 - s) y_j,   s = 1 - voxels / (T H W),
//   lambda ~ Beta(alpha, alpha);
//
//   spatial          all frames, each side (1 - lambda)^(1/2) of its own
//   temporal         whole frames, 1 - lambda of them
//   spatio_temporal  each side (1 - lambda)^(1/3)
//
// about a centre drawn evenly, cut off at the clip's borders (so s is at least lambda, but for
// rounding to whole voxels). Which kind is drawn evenly over `cuboid` for each clip.

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_batch.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {

class Cutmix final : public Augmentation {
 public:
  struct Options {
    std::vector<std::string> cuboid = {"spatial", "temporal", "spatio_temporal"};
    double alpha = 1;
    double probability = 1;
    void visit(OptionVisitor& v) const {
      v("cuboid", cuboid, "kinds of cuboid, drawn evenly",
        one_of({"spatial", "temporal", "spatio_temporal"}));
      v("alpha", alpha, "of Beta(alpha, alpha): small cuts little or almost all, 1 evenly",
        between(0.01, 100));
      v("probability", probability, "that a clip is mixed", between(0, 1));
      if (cuboid.empty())
        throw UsageError(fmt::format(
            "{}: cuboid is empty; name spatial, temporal or spatio_temporal", v.place()));
    }
    bool operator==(const Options&) const = default;
  };
  explicit Cutmix(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    const ClipSize size = clip_size(batch);
    return mix_each(batch, options_.probability, random,
                    [&](const float* clip, const float* partner, float* out, Random draw) {
                      const Cuboid cut = cuboid(size, draw);
                      std::copy_n(clip, size.numbers(), out);
                      for (int64_t c = 0; c < 3; ++c) {
                        for (int64_t t = cut.t.first; t < cut.t.end; ++t) {
                          for (int64_t y = cut.y.first; y < cut.y.end; ++y) {
                            const int64_t at =
                                c * size.plane() + t * size.frame() + y * size.width + cut.x.first;
                            std::copy_n(partner + at, cut.x.length(), out + at);
                          }
                        }
                      }
                      return 1 -
                             static_cast<double>(cut.t.length() * cut.y.length() * cut.x.length()) /
                                 static_cast<double>(size.plane());
                    });
  }

 private:
  struct Span {
    int64_t first = 0;
    int64_t end = 0;
    int64_t length() const { return end - first; }
  };
  struct Cuboid {
    Span t, y, x;
  };

  Cuboid cuboid(const ClipSize& size, Random& draw) const {
    const std::string& kind = options_.cuboid[draw.below(std::ssize(options_.cuboid))];
    const double part = 1 - draw.beta(options_.alpha, options_.alpha);
    if (kind == "temporal")
      return {span(size.frames, part, draw), {0, size.height}, {0, size.width}};
    const double side = kind == "spatial" ? std::sqrt(part) : std::cbrt(part);
    const Span t = kind == "spatial" ? Span{0, size.frames} : span(size.frames, side, draw);
    const Span y = span(size.height, side, draw);
    return {t, y, span(size.width, side, draw)};
  }

  static Span span(int64_t length, double part, Random& draw) {
    const int64_t wanted = std::llround(part * static_cast<double>(length));
    const int64_t first = draw.below(length) - wanted / 2;
    return {std::max<int64_t>(first, 0), std::min(first + wanted, length)};
  }
  Options options_;
};

extern const Entry<Augmentation> cutmix;
const Entry<Augmentation> cutmix = entry<Augmentation, Cutmix>(
    "a cuboid of one clip pasted into another, in space, in time or both; labels by its share",
    "S. Yun et al., CutMix, ICCV 2019, arXiv 1905.04899; S. Yun, S. J. Oh, B. Heo, D. Han, J. Kim, "
    "VideoMix: rethinking data augmentation for video "
    "classification, 2020, arXiv 2012.03457");

}  // namespace distal::augmentations
