#include "distal/data/augment.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <numeric>

#include <fmt/ranges.h>

#include "distal/base/clones.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/data/augment_pixels.h"

namespace distal {
namespace {

// Bilinear taps of one axis: out[i] = in[low[i]] * (1 - weight[i]) + in[high[i]] * weight[i],
// half-pixel centres.
struct Taps {
  std::vector<int64_t> low, high;
  std::vector<float> weight;

  Taps(int64_t in, int64_t out, bool reversed) : low(out), high(out), weight(out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    for (int64_t i = 0; i < out; ++i) {
      const double at = std::clamp((static_cast<double>(i) + 0.5) * scale - 0.5, 0.0,
                                   static_cast<double>(in - 1));
      const int64_t to = reversed ? out - 1 - i : i;
      low[to] = static_cast<int64_t>(at);
      high[to] = std::min(low[to] + 1, in - 1);
      weight[to] = static_cast<float>(at - static_cast<double>(low[to]));
    }
  }
};

// Colour as one affine map: out_c = own * in_c + grey * grey(in) + offset, in [-1, 1] units.
struct Colour {
  float own = 1;
  float grey = 0;
  float offset = 0;
};

// Four pixels of a scaled row at a time: as many loads of three colours, then a transposition.
using Four = float __attribute__((vector_size(16)));

Four between(const float* left, const float* right, float weight) {
  Four a, b;
  std::memcpy(&a, left, sizeof(a));
  std::memcpy(&b, right, sizeof(b));
  return a + (b - a) * weight;
}

DISTAL_CLONES void scale_row(const float* row, const Taps& horizontal, float* red, float* green,
                             float* blue) {
  const auto size = std::ssize(horizontal.weight);
  const auto pixel = [&](int64_t x) {
    return between(row + horizontal.low[x] * 3, row + horizontal.high[x] * 3, horizontal.weight[x]);
  };
  int64_t x = 0;
  for (; x + 4 <= size; x += 4) {
    const Four p0 = pixel(x);
    const Four p1 = pixel(x + 1);
    const Four p2 = pixel(x + 2);
    const Four p3 = pixel(x + 3);
    const Four low01 = __builtin_shufflevector(p0, p1, 0, 4, 1, 5);
    const Four low23 = __builtin_shufflevector(p2, p3, 0, 4, 1, 5);
    const Four high01 = __builtin_shufflevector(p0, p1, 2, 6, 3, 7);
    const Four high23 = __builtin_shufflevector(p2, p3, 2, 6, 3, 7);
    const Four reds = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    const Four greens = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    const Four blues = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    std::memcpy(red + x, &reds, sizeof(Four));
    std::memcpy(green + x, &greens, sizeof(Four));
    std::memcpy(blue + x, &blues, sizeof(Four));
  }
  for (; x < size; ++x) {
    const Four one = pixel(x);
    red[x] = one[0];
    green[x] = one[1];
    blue[x] = one[2];
  }
}

DISTAL_CLONES void blend_rows(const uint8_t* above, const uint8_t* below, float weight,
                              int64_t count, float* row) {
  for (int64_t i = 0; i < count; ++i) {
    const float a = above[i];
    const float b = below[i];
    row[i] = (a + (b - a) * weight) * (1 / 127.5f) - 1;
  }
}

// `row` holds a row of the crop and one number more.
void scale_frame(const uint8_t* frame, int64_t row_bytes, const AugmentDraw& draw,
                 const Taps& vertical, const Taps& horizontal, std::vector<float>& row, float* red,
                 float* green, float* blue) {
  const auto size = std::ssize(vertical.weight);
  const uint8_t* corner = frame + draw.top * row_bytes + draw.left * 3;
  for (int64_t y = 0; y < size; ++y, red += size, green += size, blue += size) {
    blend_rows(corner + vertical.low[y] * row_bytes, corner + vertical.high[y] * row_bytes,
               vertical.weight[y], draw.side * 3, row.data());
    scale_row(row.data(), horizontal, red, green, blue);
  }
}

// In [0, 255]: brightness v *= b; contrast v = (v - mean) c + mean, mean the clip's grey after
// brightness; saturation v = grey + (v - grey) s. All three keep or scale grey, so together they
// are one map of (v, grey(v)).
Colour colour_of(const AugmentDraw& draw, const float* clip, int64_t plane) {
  const double gain = draw.brightness * draw.contrast;
  const double mean =
      draw.contrast == 1 ? 0 : (mean_grey(clip, plane) + 1) * draw.brightness;  // in units of 127.5
  const double shift = mean * (1 - draw.contrast);
  return {static_cast<float>(gain * draw.saturation),
          static_cast<float>(gain * (1 - draw.saturation)), static_cast<float>(gain - 1 + shift)};
}

void recolour(float* clip, int64_t plane, const Colour& colour) {
  float* red = clip;
  float* green = clip + plane;
  float* blue = clip + 2 * plane;
  for (int64_t i = 0; i < plane; ++i) {
    const float base =
        colour.grey * (kRed * red[i] + kGreen * green[i] + kBlue * blue[i]) + colour.offset;
    red[i] = std::clamp(colour.own * red[i] + base, -1.f, 1.f);
    green[i] = std::clamp(colour.own * green[i] + base, -1.f, 1.f);
    blue[i] = std::clamp(colour.own * blue[i] + base, -1.f, 1.f);
  }
}

// Whether one of its words is left or right: "swipe_left", "BrushRight", "LEFT", not "upright".
bool names_a_side(const std::string& name) {
  std::string word;
  const auto is_side = [&] { return word == "left" || word == "right"; };
  bool lower = false;
  for (const char letter : name) {
    const auto sign = static_cast<unsigned char>(letter);
    if (!std::isalpha(sign) || (lower && std::isupper(sign))) {
      if (is_side()) return true;
      word.clear();
    }
    if (std::isalpha(sign)) word += static_cast<char>(std::tolower(sign));
    lower = std::islower(sign);
  }
  return is_side();
}

torch::Tensor applied(const FrameView& view, const AugmentDraw& draw, int64_t size_px) {
  auto clip = torch::empty({3, view.size(), size_px, size_px}, torch::kFloat32);
  apply_augment(view, draw, size_px, clip.mutable_data_ptr<float>());
  return clip;
}

}  // namespace

void AugmentOptions::visit(OptionVisitor& v) const {
  v("scales", scales, "crop sides relative to the short side, drawn uniformly; empty: centre crop",
    between(0.05, 1));
  v("flip", flip, "probability of a horizontal flip", between(0, 1));
  v("flip_labels", flip_labels, "pairs of classes that a flip exchanges, such as [\"left:right\"]");
  v("brightness", brightness, "range of the brightness factor around 1", between(0, 1));
  v("contrast", contrast, "range of the contrast factor around 1", between(0, 1));
  v("saturation", saturation, "range of the saturation factor around 1", between(0, 1));
  v("family", family, "what happens to the clips of a batch after that");
}

std::string AugmentOptions::flip_warning(const Classes& classes) const {
  if (flip == 0 || !flip_labels.empty()) return "";
  std::vector<std::string> sided;
  std::copy_if(classes.names.begin(), classes.names.end(), std::back_inserter(sided), names_a_side);
  if (sided.empty()) return "";
  return fmt::format("augment.flip mirrors clips, and the label of {} stays as it is; "
                     "augment.flip_labels says which classes change places.",
                     fmt::join(sided, ", "));
}

void AugmentOptions::resolve(const Classes& classes) {
  flip_map.clear();
  if (flip_labels.empty()) return;
  flip_map.resize(classes.size());
  std::iota(flip_map.begin(), flip_map.end(), 0);
  for (const auto& pair : flip_labels) {
    const auto colon = pair.find(':');
    if (colon == std::string::npos)
      fail("flip_labels: '{}' is not a pair, write two classes as 'left:right'", pair);
    const auto find = [&](const std::string& name) {
      const auto index = classes.index(name);
      if (!index)
        fail("flip_labels: '{}' in '{}' is no class, the classes are {}", name, pair,
             fmt::join(classes.names, ", "));
      if (flip_map[*index] != *index)
        fail("flip_labels: '{}' stands in two pairs, a class can become only one other", name);
      return *index;
    };
    const int64_t a = find(pair.substr(0, colon));
    const int64_t b = find(pair.substr(colon + 1));
    flip_map[a] = b;
    flip_map[b] = a;
  }
}

AugmentDraw draw_augment(int64_t height, int64_t width, const AugmentOptions& options,
                         Random& random) {
  AugmentDraw draw = centre_draw(height, width);
  if (!options.scales.empty()) {
    const double scale = options.scales[random.below(std::ssize(options.scales))];
    draw.side =
        std::clamp<int64_t>(std::llround(scale * static_cast<double>(draw.side)), 1, draw.side);
    draw.top = random.below(height - draw.side + 1);
    draw.left = random.below(width - draw.side + 1);
  }
  draw.flipped = random.uniform() < options.flip;
  draw.brightness = random.uniform(1 - options.brightness, 1 + options.brightness);
  draw.contrast = random.uniform(1 - options.contrast, 1 + options.contrast);
  draw.saturation = random.uniform(1 - options.saturation, 1 + options.saturation);
  return draw;
}

AugmentDraw centre_draw(int64_t height, int64_t width) {
  const int64_t side = std::min(height, width);
  return {(height - side) / 2, (width - side) / 2, side};
}

void apply_augment(const FrameView& frames, const AugmentDraw& draw, int64_t size_px, float* out) {
  expect(draw.side > 0 && draw.top + draw.side <= frames.height &&
             draw.left + draw.side <= frames.width,
         "the crop lies within the frame");
  const Taps vertical(draw.side, size_px, false);
  const Taps horizontal(draw.side, size_px, draw.flipped);
  std::vector<float> row(draw.side * 3 + 1);
  const int64_t pixels = size_px * size_px;
  const int64_t plane = frames.size() * pixels;
  for (int64_t t = 0; t < frames.size(); ++t) {
    float* red = out + t * pixels;
    scale_frame(frames.frames[t], frames.width * 3, draw, vertical, horizontal, row, red,
                red + plane, red + 2 * plane);
  }
  if (draw.brightness != 1 || draw.contrast != 1 || draw.saturation != 1)
    recolour(out, plane, colour_of(draw, out, plane));
}

Augmented augment(const torch::Tensor& frames, int64_t size_px, const AugmentOptions& options,
                  Random& random) {
  const auto view = FrameView::of(frames);
  const auto draw = draw_augment(view.height, view.width, options, random);
  return {applied(view, draw, size_px), draw.flipped};
}

torch::Tensor centre(const torch::Tensor& frames, int64_t size_px) {
  const auto view = FrameView::of(frames);
  return applied(view, centre_draw(view.height, view.width), size_px);
}

bool AugmentOptions::draws_something() const {
  return !scales.empty() || flip > 0 || brightness > 0 || contrast > 0 || saturation > 0;
}

AugmentOptions AugmentOptions::label_safe() const {
  AugmentOptions safe = *this;
  if (!safe.flip_labels.empty()) safe.flip = 0;
  return safe;
}

}  // namespace distal
