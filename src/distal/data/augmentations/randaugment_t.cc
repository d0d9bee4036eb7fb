// RandAugment whose magnitudes move over time: `operations` of the list are drawn for each clip,
// one after another; an operation has a magnitude for the first and one for the last frame, and in
// between they are interpolated evenly. Level l = magnitude / 10 in [0, 1], s a sign, W and H the
// frame:
//
//   brightness   (v + 1) (1 + 0.9 s l) - 1             translate_x, _y   by 0.3 s l W, 0.3 s l H
//   contrast     about the clip's grey, 1 + 0.9 s l    scale             1 + 0.3 s l times as large
//   saturation   about a pixel's grey, 1 + 0.9 s l     rotate            by 15 s l degrees
//   solarise     v > 1 - 2 l becomes -v                cutout            a grey square of side l
//   min(H, W) / 2
//
// sign and the square's place are drawn once per clip. Deviations: both magnitudes are drawn evenly
// up to `magnitude` (paper: given); rotation, translation and cutout are smaller; operations on
// histograms and bits (equalise, autocontrast, posterise), sharpness and shears are left out. What
// comes from outside the frame is mid-grey.

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_pixels.h"
#include "distal/data/augmentation.h"

namespace distal::augmentations {
namespace {

struct Moment {  // of one operation on one clip
  const float* clip;
  float* out;
  ClipSize size;
  int64_t t = 0;
  double level = 0;
  double sign = 1;
  double grey = 0;  // the clip's mean
  // a place in the frame, in [0, 1)
  double x = 0;
  double y = 0;
};

// out = change(v, grey of the pixel), for each channel of the frame.
template <class Change>
void recolour(const Moment& m, Change change) {
  const int64_t plane = m.size.plane();
  const int64_t first = m.t * m.size.frame();
  for (int64_t i = first; i < first + m.size.frame(); ++i) {
    const float grey =
        kRed * m.clip[i] + kGreen * m.clip[i + plane] + kBlue * m.clip[i + 2 * plane];
    for (int64_t c = 0; c < 3; ++c)
      m.out[i + c * plane] = std::clamp(change(m.clip[i + c * plane], grey), -1.f, 1.f);
  }
}

float factor(const Moment& m) { return static_cast<float>(1 + 0.9 * m.sign * m.level); }

void brightness(const Moment& m) {
  recolour(m, [f = factor(m)](float v, float) { return (v + 1) * f - 1; });
}
void contrast(const Moment& m) {
  recolour(m, [f = factor(m), mean = static_cast<float>(m.grey)](float v, float) {
    return mean + (v - mean) * f;
  });
}
void saturation(const Moment& m) {
  recolour(m, [f = factor(m)](float v, float grey) { return grey + (v - grey) * f; });
}
void solarise(const Moment& m) {
  recolour(m, [threshold = static_cast<float>(1 - 2 * m.level)](float v, float) {
    return v > threshold ? -v : v;
  });
}

void warp(const Moment& m, const Window& window) {
  warp_frame(m.clip, m.size, m.t, affine_of(window, m.size), m.out);
}

void translate_x(const Moment& m) {
  Window window = whole(m.size);
  window.x -= 0.3 * m.sign * m.level * window.wide;
  warp(m, window);
}
void translate_y(const Moment& m) {
  Window window = whole(m.size);
  window.y -= 0.3 * m.sign * m.level * window.high;
  warp(m, window);
}
void scale(const Moment& m) {
  Window window = whole(m.size);
  window.wide /= 1 + 0.3 * m.sign * m.level;
  window.high /= 1 + 0.3 * m.sign * m.level;
  warp(m, window);
}
void rotate(const Moment& m) {
  Window window = whole(m.size);
  window.turned_degrees = 15 * m.sign * m.level;
  warp(m, window);
}

void cutout(const Moment& m) {
  const auto& [frames, height, width] = m.size;
  const int64_t side = std::llround(m.level * static_cast<double>(std::min(height, width)) / 2);
  const int64_t left = static_cast<int64_t>(m.x * static_cast<double>(width)) - side / 2;
  const int64_t top = static_cast<int64_t>(m.y * static_cast<double>(height)) - side / 2;
  for (int64_t c = 0; c < 3; ++c) {
    const int64_t first = c * m.size.plane() + m.t * m.size.frame();
    std::copy_n(m.clip + first, m.size.frame(), m.out + first);
    for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + side, height); ++y) {
      for (int64_t x = std::max<int64_t>(left, 0); x < std::min(left + side, width); ++x)
        m.out[first + y * width + x] = 0;
    }
  }
}

struct Operation {
  const char* name;
  void (*apply)(const Moment&);
};
constexpr Operation kOperations[] = {
    {"brightness", brightness},   {"contrast", contrast},       {"saturation", saturation},
    {"translate_x", translate_x}, {"translate_y", translate_y}, {"scale", scale},
    {"rotate", rotate},           {"solarise", solarise},       {"cutout", cutout}};

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (const Operation& operation : kOperations) names.push_back(operation.name);
  return names;
}

}  // namespace

class RandAugmentT final : public Augmentation {
 public:
  struct Options {
    int64_t operations = 2;
    double magnitude = 10;
    std::vector<std::string> of = operation_names();
    void visit(OptionVisitor& v) const {
      v("operations", operations, "operations one after another", between(1, 9));
      v("magnitude", magnitude, "the greatest at either end of a clip", between(0, 10));
      v("of", of, "the operations, drawn evenly", one_of(operation_names()));
      if (of.empty())
        throw UsageError(fmt::format("{}: of is empty; name at least one operation", v.place()));
    }
    bool operator==(const Options&) const = default;
  };
  explicit RandAugmentT(const Options& options) : options_(options) {}

  Batch apply(const Batch& batch, Random random) const override {
    const ClipSize size = clip_size(batch);
    std::vector<float> before(size.numbers());
    return change_each(batch, random, [&](const float* clip, float* out, int64_t, Random draw) {
      for (int64_t i = 0; i < options_.operations; ++i) {
        std::copy_n(i == 0 ? clip : out, size.numbers(), before.data());
        operate(before.data(), size, draw.stream("operation", i), out);
      }
    });
  }

 private:
  void operate(const float* clip, const ClipSize& size, Random draw, float* out) const {
    const std::string& name = options_.of[draw.below(std::ssize(options_.of))];
    const auto operation = std::find_if(std::begin(kOperations), std::end(kOperations),
                                        [&](const Operation& o) { return o.name == name; });
    Moment m{clip, out, size};
    m.sign = draw.uniform() < 0.5 ? -1 : 1;
    const double first = draw.uniform(0, options_.magnitude) / 10;
    const double last = draw.uniform(0, options_.magnitude) / 10;
    m.x = draw.uniform();
    m.y = draw.uniform();
    m.grey = mean_grey(clip, size.plane());
    for (m.t = 0; m.t < size.frames; ++m.t) {
      m.level = first + (last - first) * static_cast<double>(m.t) /
                            static_cast<double>(std::max<int64_t>(size.frames - 1, 1));
      operation->apply(m);
    }
  }
  Options options_;
};

extern const Entry<Augmentation> randaugment_t;
const Entry<Augmentation> randaugment_t = entry<Augmentation, RandAugmentT>(
    "a few operations of colour and shape whose magnitudes move over time",
    "T. Kim et al., Learning temporally invariant and localizable features via data augmentation "
    "for video recognition, ECCV workshops 2020, "
    "arXiv 2008.05721; E. D. Cubuk, B. Zoph, J. Shlens, Q. V. Le, RandAugment, CVPRW 2020, arXiv "
    "1909.13719");

}  // namespace distal::augmentations
