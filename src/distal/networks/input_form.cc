#include "distal/networks/input_form.h"

#include <array>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr std::array<const char*, 5> kLayouts = {"nchw", "nhwc", "ncthw", "nthwc", "ntchw"};

bool is_picture_type(const std::string& type) {
  constexpr std::array<const char*, 6> kTypes = {"", "f32", "f16", "bf16", "f64", "u8"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

bool may_be_pictures(const NetworkPort& port) {
  return is_picture_type(port.type) &&
         (port.shape.empty() || port.shape.size() == 4 || port.shape.size() == 5);
}

std::string ports_text(const std::vector<NetworkPort>& ports) {
  std::vector<std::string> texts;
  for (const auto& port : ports) texts.push_back(port_text(port));
  return fmt::format("{}", fmt::join(texts, "; "));
}

// The port of a name; null: none.
const NetworkPort* port_called(const std::vector<NetworkPort>& ports, const std::string& name) {
  const auto at = std::find_if(ports.begin(), ports.end(),
                               [&](const NetworkPort& port) { return port.name == name; });
  return at == ports.end() ? nullptr : &*at;
}

// Where a letter stands in a layout; -1: nowhere.
int64_t dimension(const std::string& layout, char letter) {
  const size_t at = layout.find(letter);
  return at == std::string::npos ? -1 : static_cast<int64_t>(at);
}

// What a layout has at a letter of a shape; -1: any size, or the file does not say.
int64_t size_at(const std::string& layout, char letter, const std::vector<int64_t>& shape) {
  const int64_t at = dimension(layout, letter);
  return shape.empty() || at < 0 ? -1 : shape[static_cast<size_t>(at)];
}

std::string wanted_layout(const NetworkOptions& options, const NetworkPort& port,
                          const std::string& place) {
  if (options.layout.empty()) {
    const std::string layout = layout_of(port.shape);
    if (!layout.empty()) return layout;
    if (port.shape.empty())
      fail(
          "{}: {} does not say the layout of its input; give {}.layout: nchw for frames, ncthw for "
          "clips, or {}",
          place, options.file, place, fmt::join(kLayouts.begin() + 1, kLayouts.end(), ", "));
    fail("{}: {} takes {}, and its layout cannot be told from that; give {}.layout: {}", place,
         options.file, port_text(port), place, fmt::join(kLayouts, ", "));
  }
  const std::string& layout = options.layout;
  const bool fits =
      port.shape.empty() ||
      (port.shape.size() == layout.size() &&
       (size_at(layout, 'c', port.shape) == 3 || size_at(layout, 'c', port.shape) == -1));
  if (!fits) {
    const std::string says = layout_of(port.shape);
    fail("{}.layout: {} takes {}, which is not {}; {}", place, options.file, port_text(port),
         layout,
         says.empty() ? "distal gives RGB, in a tensor of four or five dimensions"
                      : "leave layout out, or say " + says);
  }
  return layout;
}

int64_t wanted_size(const NetworkOptions& options, const NetworkPort& port,
                    const std::string& layout, const std::string& place) {
  const int64_t height = size_at(layout, 'h', port.shape);
  const int64_t width = size_at(layout, 'w', port.shape);
  if (height > 0 && width > 0 && height != width)
    fail("{}: {} takes {}, pictures {} high and {} wide; distal gives squares: export it for those",
         place, options.file, port_text(port), height, width);
  const int64_t says = std::max(height, width);
  if (says <= 0 && options.size_px <= 0)
    fail("{}: {} takes pictures of any size, or does not say which; give {}.size_px, such as 224",
         place, options.file, place);
  if (says > 0 && options.size_px > 0 && says != options.size_px)
    fail("{}.size_px: {} takes {}, so pictures of {} pixels, and not of {}", place, options.file,
         port_text(port), says, options.size_px);
  return says > 0 ? says : options.size_px;
}

int64_t wanted_frames(const NetworkOptions& options, const NetworkPort& port,
                      const std::string& layout, const std::string& place) {
  if (dimension(layout, 't') < 0) {
    if (options.frames > 1)
      fail("{}.frames: {} takes single frames ({}), and not {} at a time; say 1, or leave it out",
           place, options.file, port.shape.empty() ? layout : port_text(port), options.frames);
    return 1;
  }
  const int64_t says = size_at(layout, 't', port.shape);
  if (says <= 0 && options.frames <= 0)
    fail("{}: {} takes any number of frames, or does not say how many; give {}.frames, such as 16",
         place, options.file, place);
  if (says > 0 && options.frames > 0 && says != options.frames)
    fail("{}.frames: {} takes {}, so {} frames, and not {}", place, options.file, port_text(port),
         says, options.frames);
  return says > 0 ? says : options.frames;
}

bool has_default_normalisation(const NetworkOptions& options) {
  const NetworkOptions fresh;
  return options.mean == fresh.mean && options.std == fresh.std && options.range == fresh.range;
}

// In [0, 1], [0, 255] or [-1, 1]: a pixel in [-1, 1] times the first, plus the second.
std::pair<double, double> into_range(const std::string& range) {
  if (range == "byte") return {127.5, 127.5};
  if (range == "signed") return {1, 0};
  return {0.5, 0.5};
}

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(size < 0 ? "any" : std::to_string(size));
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

std::string port_text(const NetworkPort& port) {
  std::string text = port.name.empty() ? "" : excerpt(port.name, 80) + ": ";
  if (port.type.empty() && port.shape.empty()) return text + "not said";
  return text + port.type + (port.type.empty() ? "" : " ") + shape_text(port.shape);
}

NetworkPort picture_port(const std::vector<NetworkPort>& inputs, const std::string& name,
                         const std::string& place) {
  if (inputs.empty()) return {name, "", {}};
  if (!name.empty()) {
    if (const auto* port = port_called(inputs, name)) return *port;
    fail("{}.input: the file has no input '{}'; it takes {}", place, excerpt(name),
         ports_text(inputs));
  }
  if (inputs.size() == 1) return inputs[0];
  std::vector<NetworkPort> pictures;
  for (const auto& port : inputs) {
    if (may_be_pictures(port) && port.shape.size() >= 4) pictures.push_back(port);
  }
  if (pictures.size() == 1) return pictures[0];
  fail("{}: the file takes several inputs: {}; name the one for pictures in {}.input", place,
       ports_text(inputs), place);
}

NetworkPort answer_port(const std::vector<NetworkPort>& outputs, const std::string& name,
                        const std::string& place) {
  if (outputs.empty()) return {name, "", {}};
  if (!name.empty()) {
    if (const auto* port = port_called(outputs, name)) return *port;
    fail("{}.output: the file has no output '{}'; it gives {}", place, excerpt(name),
         ports_text(outputs));
  }
  if (outputs.size() == 1) return outputs[0];
  fail("{}: the file gives several outputs: {}; name one in {}.output", place, ports_text(outputs),
       place);
}

std::string layout_of(const std::vector<int64_t>& shape) {
  std::vector<std::string> fitting;
  for (const std::string layout : kLayouts) {
    if (layout.size() == shape.size() && size_at(layout, 'c', shape) == 3)
      fitting.push_back(layout);
  }
  return fitting.size() == 1 ? fitting[0] : "";
}

InputForm::InputForm(const NetworkOptions& options, const NetworkPort& port,
                     const std::string& place) {
  if (!may_be_pictures(port))
    fail("{}: {} takes {}; distal gives pictures, float or uint8, in four or five dimensions",
         place, options.file, port_text(port));
  layout_ = wanted_layout(options, port, place);
  size_px_ = wanted_size(options, port, layout_, place);
  frames_ = wanted_frames(options, port, layout_, place);
  batch_ = std::max<int64_t>(0, size_at(layout_, 'n', port.shape));
  as_bytes_ = port.type == "u8";
  if (as_bytes_ && !has_default_normalisation(options))
    fail("{}: {} takes {}: bytes as they are, and normalises them itself; leave out {}.mean, std "
         "and "
         "range",
         place, options.file, port_text(port), place);
  interleaved_ = layout_.back() == 'c';
  frames_first_ = layout_ == "ntchw";
  for (const char letter : layout_.substr(1))
    item_.push_back(letter == 'c' ? 3 : letter == 't' ? frames_ : size_px_);
  const auto [scale, shift] = into_range(as_bytes_ ? "byte" : options.range);
  for (size_t c = 0; c < 3; ++c) {
    const double std = as_bytes_ ? 1 : options.std[c];
    const double mean = as_bytes_ ? 0 : options.mean[c];
    scale_[c] = static_cast<float>(scale / std);
    shift_[c] = static_cast<float>((shift - mean) / std);
    position_[c] = static_cast<int>(options.channels == "bgr" ? 2 - c : c);
  }
}

int64_t InputForm::item_bytes() const {
  return 3 * frames_ * size_px_ * size_px_ * (as_bytes_ ? 1 : static_cast<int64_t>(sizeof(float)));
}

void InputForm::require(const torch::Tensor& clips, const std::string& place) const {
  const bool fits = clips.dim() == 5 && clips.size(1) == 3 && clips.size(2) > 0 &&
                    (frames_ == 1 || clips.size(2) == frames_) && clips.size(3) == size_px_ &&
                    clips.size(4) == size_px_;
  if (!fits)
    fail(
        "{}: the network takes clips [N, 3, {}, {}, {}] and gets {}; set frames and size_px of the "
        "input to those",
        place, frames_ == 1 ? "T" : std::to_string(frames_), size_px_, size_px_,
        shape_text(clips.sizes().vec()));
  expect(clips.scalar_type() == torch::kFloat32 && clips.device().is_cpu(),
         "a network gets float32 clips on the CPU");
}

int64_t InputForm::items(const torch::Tensor& clips) const {
  return frames_ == 1 ? clips.size(0) * clips.size(2) : clips.size(0);
}

namespace {

// Of one channel of one frame. `stride` is 3 where channels are interleaved.
template <int stride>
void write_floats(const float* from, int64_t count, float scale, float shift, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i * stride] = from[i] * scale + shift;
}

template <int stride>
void write_bytes(const float* from, int64_t count, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i)
    to[i * stride] =
        static_cast<uint8_t>(std::min(255.0F, std::max(0.0F, from[i] * 127.5F + 128.0F)));
}

}  // namespace

void InputForm::write(const torch::Tensor& clips, int64_t i, void* to) const {
  const int64_t clip_frames = clips.size(2);
  const int64_t clip = frames_ == 1 ? i / clip_frames : i;
  const int64_t first = frames_ == 1 ? i % clip_frames : 0;
  const int64_t plane = size_px_ * size_px_;
  const float* pixels = clips.const_data_ptr<float>() + clip * 3 * clip_frames * plane;
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t t = 0; t < frames_; ++t) {
      const float* from = pixels + (c * clip_frames + first + t) * plane;
      const int64_t position = position_[c];
      const int64_t at = interleaved_    ? t * plane * 3 + position
                         : frames_first_ ? (t * 3 + position) * plane
                                         : (position * frames_ + t) * plane;
      if (as_bytes_ && interleaved_)
        write_bytes<3>(from, plane, static_cast<uint8_t*>(to) + at);
      else if (as_bytes_)
        write_bytes<1>(from, plane, static_cast<uint8_t*>(to) + at);
      else if (interleaved_)
        write_floats<3>(from, plane, scale_[c], shift_[c], static_cast<float*>(to) + at);
      else
        write_floats<1>(from, plane, scale_[c], shift_[c], static_cast<float*>(to) + at);
    }
  }
}

}  // namespace distal
