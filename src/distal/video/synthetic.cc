#include "distal/video/synthetic.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <exception>
#include <filesystem>
#include <map>
#include <numbers>
#include <thread>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/hash.h"
#include "distal/base/interrupted.h"
#include "distal/base/leftovers.h"
#include "distal/base/random.h"
#include "distal/video/writer.h"

namespace distal {
namespace {

using Colour = std::array<double, 3>;
constexpr double kTurn = 2 * std::numbers::pi;

// ---- motions ----------------------------------------------------------------

struct Motion {
  // in units of speed
  double right = 0;
  double down = 0;
  double turn = 0;  // clockwise
};

const std::map<std::string, Motion>& motion_table() {
  static const std::map<std::string, Motion> table = {
      {"left", {-1, 0, 0}}, {"right", {1, 0, 0}},     {"up", {0, -1, 0}},
      {"down", {0, 1, 0}},  {"clockwise", {0, 0, 1}}, {"counterclockwise", {0, 0, -1}}};
  return table;
}

/// Everything a still could show is drawn without looking at the motion: the blob's place and angle
/// are uniform (on a torus) at every moment whatever moves, so a single frame carries no
/// information about the class.
struct Scene {
  Colour background, light, dark;
  double x, y, angle;        // place as a fraction of width and height, radians
  double speed, turn_speed;  // fraction of the side, radians; per frame
  double radius;             // fraction of the shorter side
  double stripes;            // periods across the blob
  double grain;              // amplitude of the background's texture
};

Colour colour(Random& random, double low, double high) {
  return {random.uniform(low, high), random.uniform(low, high), random.uniform(low, high)};
}

Scene draw_scene(uint64_t seed) {
  Random random = Random(seed).stream("scene");
  const bool on_dark = random.uniform() < 0.5;
  Scene s;
  s.background = on_dark ? colour(random, 15, 85) : colour(random, 120, 190);
  s.light = on_dark ? colour(random, 170, 245) : colour(random, 215, 250);
  s.dark = on_dark ? colour(random, 95, 150) : colour(random, 10, 70);
  s.x = random.uniform();
  s.y = random.uniform();
  s.angle = random.uniform(0, kTurn);
  s.speed = random.uniform(0.015, 0.04);
  s.turn_speed = random.uniform(6, 14) * kTurn / 360;
  s.radius = random.uniform(0.18, 0.28);
  s.stripes = random.uniform(1.0, 2.0);
  s.grain = random.uniform(5, 20);
  return s;
}

std::vector<float> draw_texture(uint64_t seed, int64_t pixels, double amplitude) {
  Random random = Random(seed).stream("texture");
  std::vector<float> texture(static_cast<size_t>(pixels));
  for (float& value : texture) value = static_cast<float>(random.uniform(-amplitude, amplitude));
  return texture;
}

/// Signed distance from `to` to `from` on a circle of length `length`.
double around(double from, double to, double length) { return std::remainder(from - to, length); }

/// A disc whose one half is lighter, with stripes along the border of the halves: every angle looks
/// different.
const Colour* blob_at(const Scene& scene, double right, double down, double radius_px,
                      double cosine, double sine) {
  if (right * right + down * down > radius_px * radius_px) return nullptr;
  const double along = (right * cosine + down * sine) / radius_px;
  const double across = (down * cosine - right * sine) / radius_px;
  const bool stripe = std::sin(along * scene.stripes * kTurn) > 0.5;
  return (across > 0) != stripe ? &scene.light : &scene.dark;
}

void paint_motion(const Scene& scene, const Motion& motion, int64_t frame,
                  const std::vector<float>& texture, const SyntheticOptions& options,
                  std::vector<uint8_t>& rgb) {
  const auto width = static_cast<double>(options.width);
  const auto height = static_cast<double>(options.height);
  const auto t = static_cast<double>(frame);
  const double x = (scene.x + motion.right * scene.speed * t) * width;
  const double y = (scene.y + motion.down * scene.speed * t) * height;
  const double angle = scene.angle + motion.turn * scene.turn_speed *
                                         t;  // y points down: growing angles turn clockwise
  const double radius_px = scene.radius * std::min(width, height);
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  size_t at = 0;
  for (int64_t row = 0; row < options.height; ++row) {
    const double down = around(static_cast<double>(row) + 0.5, y, height);
    for (int64_t column = 0; column < options.width; ++column, ++at) {
      const double right = around(static_cast<double>(column) + 0.5, x, width);
      const Colour* blob = blob_at(scene, right, down, radius_px, cosine, sine);
      const Colour& base = blob ? *blob : scene.background;
      const double grain = blob ? 0 : texture[at];
      for (size_t c = 0; c < 3; ++c)
        rgb[3 * at + c] = static_cast<uint8_t>(std::clamp(base[c] + grain, 0.0, 255.0));
    }
  }
}

// ---- numbers ----------------------------------------------------------------

constexpr int64_t kCells =
    5;  // a grid of 5 x 5 cells: 4 corners that show which way is up, 16 bits, 5 check bits
constexpr std::array<uint8_t, 3> kOne = {230, 200, 60};
constexpr std::array<uint8_t, 3> kZero = {30, 40, 120};

bool is_corner(int64_t cell) {
  return cell == 0 || cell == kCells - 1 || cell == kCells * (kCells - 1) ||
         cell == kCells * kCells - 1;
}

std::array<bool, kCells * kCells> cells_of(int64_t number) {
  const uint64_t bits =
      static_cast<uint64_t>(number) | (mix64(static_cast<uint64_t>(number) + 1) & 31) << 16;
  std::array<bool, kCells * kCells> cells{};
  cells[0] = true;  // upper left; the other corners are dark
  int bit = 0;
  for (int64_t cell = 0; cell < kCells * kCells; ++cell) {
    if (!is_corner(cell)) cells[static_cast<size_t>(cell)] = (bits >> bit++ & 1) != 0;
  }
  return cells;
}

void paint_number(int64_t number, int64_t height, int64_t width, std::vector<uint8_t>& rgb) {
  const auto cells = cells_of(number);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const auto& paint =
          cells[static_cast<size_t>(y * kCells / height * kCells + x * kCells / width)] ? kOne
                                                                                        : kZero;
      std::copy(paint.begin(), paint.end(), rgb.begin() + 3 * (y * width + x));
    }
  }
}

/// Mean brightness of the middle half of a cell, 0 .. 255.
double brightness(const uint8_t* rgb, int64_t height, int64_t width, int64_t row, int64_t column) {
  const auto edge = [](int64_t length, int64_t cell, int quarter) {
    return length * (4 * cell + quarter) / (4 * kCells);
  };
  const int64_t top = edge(height, row, 1);
  const int64_t left = edge(width, column, 1);
  const int64_t bottom = std::max(top + 1, edge(height, row, 3));
  const int64_t right = std::max(left + 1, edge(width, column, 3));
  double sum = 0;
  for (int64_t y = top; y < bottom; ++y) {
    for (int64_t x = left; x < right; ++x) {
      const uint8_t* p = rgb + 3 * (y * width + x);
      sum += 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    }
  }
  return sum / static_cast<double>((bottom - top) * (right - left));
}

// ---- sets -------------------------------------------------------------------

std::string fingerprint(const SyntheticSet& set) {
  const SyntheticOptions& o = set.video;
  return fmt::format(
      "{:08x}", fnv1a(fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {}", set.seed, o.frames,
                                  o.rate, o.width, o.height, o.variable_rate, o.b_frames, o.gop,
                                  o.open_gop, o.first_s, o.rotation, o.codec, o.audio, o.crf)) &
                    0xffffffffU);
}

const char* const kLists[] = {"train", "pool", "test"};

std::filesystem::path list_path(const std::string& folder, const std::string& list) {
  return std::filesystem::path(folder) / (list + ".csv");
}

std::string list_text(const SyntheticSet& set, const std::string& list) {
  std::string text = "path,label,group\n";
  for (const SyntheticVideo& v : motion_list(set, list))
    text += fmt::format("{},{},{}\n", v.path, v.label, v.group);
  return text;
}

void write_videos(const std::filesystem::path& folder, const std::vector<SyntheticVideo>& videos,
                  const SyntheticOptions& options) {
  std::atomic<size_t> next = 0;
  std::array<std::exception_ptr, 2> errors;
  const auto work = [&](std::exception_ptr& error) {
    try {
      for (size_t i = next++; i < videos.size(); i = next++) {
        check_interrupted();
        const auto path = folder / videos[i].path;
        if (!std::filesystem::exists(path))
          write_motion(path.string(), videos[i].label, videos[i].seed, options);
      }
    } catch (...) {
      error = std::current_exception();
      next = videos.size();
    }
  };
  std::thread other(work, std::ref(errors[1]));
  work(errors[0]);
  other.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace

const std::vector<std::string>& motions() {
  static const std::vector<std::string> names = {"left", "right",     "up",
                                                 "down", "clockwise", "counterclockwise"};
  return names;
}

void write_motion(const std::string& path, const std::string& motion, uint64_t seed,
                  const SyntheticOptions& options) {
  const auto found = motion_table().find(motion);
  if (found == motion_table().end())
    fail("{}: no motion is called {}; use one of {}", path, motion, fmt::join(motions(), ", "));
  const Scene scene = draw_scene(seed);
  const auto texture = draw_texture(seed, options.height * options.width, scene.grain);
  std::vector<uint8_t> rgb(static_cast<size_t>(3 * options.height * options.width));
  VideoWriter writer(path, options);
  for (int64_t frame = 0; frame < options.frames; ++frame) {
    paint_motion(scene, found->second, frame, texture, options, rgb);
    writer.add(rgb);
  }
  writer.finish();
}

void write_numbered(const std::string& path, const SyntheticOptions& options) {
  std::vector<uint8_t> rgb(static_cast<size_t>(3 * options.height * options.width));
  VideoWriter writer(path, options);
  for (int64_t frame = 0; frame < options.frames; ++frame) {
    paint_number(frame, options.height, options.width, rgb);
    writer.add(rgb);
  }
  writer.finish();
}

int64_t read_number(const uint8_t* rgb, int64_t height, int64_t width) {
  if (height < kCells || width < kCells) return -1;
  std::array<bool, kCells * kCells> cells{};
  int64_t number = 0;
  int bit = 0;
  for (int64_t cell = 0; cell < kCells * kCells; ++cell) {
    const bool one = brightness(rgb, height, width, cell / kCells, cell % kCells) > 120;
    cells[static_cast<size_t>(cell)] = one;
    if (!is_corner(cell) && bit < 16) number |= static_cast<int64_t>(one) << bit++;
  }
  return cells == cells_of(number) ? number : -1;
}

std::vector<SyntheticVideo> motion_list(const SyntheticSet& set, const std::string& list) {
  if (set.classes.empty())
    fail("generated videos: the set needs at least one class of {}", fmt::join(motions(), ", "));
  const int64_t count = list == "train" ? set.train : list == "pool" ? set.pool : set.test;
  std::vector<SyntheticVideo> videos;
  const std::string mark = fingerprint(set);
  for (int64_t i = 0; i < count; ++i) {
    const std::string group = fmt::format("{}_{:04}_{}", list, i, mark);
    const auto& label = set.classes[static_cast<size_t>(i) %
                                    set.classes.size()];  // classes take turns: lists are balanced
    // The label enters the name's hash: another list of classes makes other files, and a name says
    // nothing about its class.
    const std::string name = fmt::format("{}_{:06x}", group, fnv1a(label, set.seed) & 0xffffffU);
    videos.push_back({"videos/" + name + ".mp4", label, group,
                      Random(set.seed).stream(list, static_cast<uint64_t>(i))()});
  }
  return videos;
}

void require_own_lists(const std::string& folder, const SyntheticSet& set) {
  for (const char* list : kLists) {
    const auto path = list_path(folder, list);
    if (std::filesystem::exists(path) && read_if_there(path) != list_text(set, list))
      fail("{}: holds another list than the one to generate; name another folder (--data; the "
           "demo: --out), or move the list away",
           path.string());
  }
}

void write_motion_set(const std::string& folder, const SyntheticSet& set) {
  require_own_lists(folder, set);
  const std::string videos_folder = (std::filesystem::path(folder) / "videos").string();
  make_folder(videos_folder);
  clear_leftovers(videos_folder);
  std::vector<SyntheticVideo> all;
  for (const char* list : kLists) {
    const auto videos = motion_list(set, list);
    all.insert(all.end(), videos.begin(), videos.end());
  }
  write_videos(folder, all, set.video);
  for (const char* list : kLists) {
    if (const auto path = list_path(folder, list); !std::filesystem::exists(path))
      write_atomically(path, list_text(set, list));
  }
}

}  // namespace distal
