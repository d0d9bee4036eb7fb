#include "images.h"

#include <array>

#include <zlib.h>

#include "distal/base/error.h"
#include "distal/data/order.h"

namespace distal::reproduce {
namespace {

constexpr int64_t kBatch = 1000;

std::string unpacked(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file)
    fail("{}: cannot be read; apt install dataset-fashion-mnist, or give its folder with --data",
         path);
  std::string bytes, block(1 << 20, '\0');
  for (;;) {
    const int read = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()));
    int code = 0;
    if (read < 0)
      fail("{}: damaged: {}; install dataset-fashion-mnist again", path,
           gzerror(file.get(), &code));
    if (read == 0) return bytes;
    bytes.append(block, 0, static_cast<size_t>(read));
  }
}

// The idx format: two zeros, 8 for uint8, the number of dimensions, each dimension as 32 bits, then
// the values.
torch::Tensor idx(const std::string& path, int64_t dimensions) {
  const std::string bytes = unpacked(path);
  const auto byte = [&](size_t at) {
    return static_cast<int64_t>(static_cast<unsigned char>(bytes.at(at)));
  };
  const size_t header = 4 + 4 * static_cast<size_t>(dimensions);
  if (bytes.size() < header || byte(2) != 8 || byte(3) != dimensions)
    fail("{}: is no idx file of bytes in {} dimensions; install dataset-fashion-mnist again", path,
         dimensions);
  std::vector<int64_t> shape;
  size_t count = 1;
  for (size_t at = 4; at < header; at += 4) {
    shape.push_back(byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3));
    count *= static_cast<size_t>(shape.back());
  }
  if (bytes.size() != header + count)
    fail("{}: ends after {} of {} values; install dataset-fashion-mnist again", path,
         bytes.size() - header, count);
  auto values = torch::empty(shape, torch::kUInt8);
  std::copy(bytes.begin() + static_cast<int64_t>(header), bytes.end(),
            reinterpret_cast<char*>(values.mutable_data_ptr<uint8_t>()));
  return values;
}

std::array<float, 256> scale() {
  std::array<float, 256> values{};
  for (size_t pixel = 0; pixel < 256; ++pixel)
    values[pixel] = static_cast<float>(pixel) / 127.5f - 1;
  return values;
}

void shift(const uint8_t* from, float* to, int64_t down, int64_t right, bool flip) {
  static const std::array<float, 256> value = scale();
  for (int64_t y = 0; y < kSide; ++y) {
    const int64_t source = y + down;
    for (int64_t x = 0; x < kSide; ++x) {
      const int64_t column = (flip ? kSide - 1 - x : x) + right;
      const bool inside = source >= 0 && source < kSide && column >= 0 && column < kSide;
      to[y * kSide + x] = inside ? value[from[source * kSide + column]] : -1;
    }
  }
}

torch::Tensor as_clips(const torch::Tensor& values) {
  return values.view({-1, 1, 1, kSide, kSide}).expand({-1, 3, -1, -1, -1});
}

torch::Tensor unknown(int64_t rows) { return torch::full({rows, kClasses}, std::nan("")); }

}  // namespace

Images read_images(const std::string& folder, const std::string& part) {
  const auto pixels = idx(folder + "/" + part + "-images-idx3-ubyte.gz", 3);
  const auto labels = idx(folder + "/" + part + "-labels-idx1-ubyte.gz", 1).to(torch::kInt64);
  if (pixels.size(1) != 28 || pixels.size(2) != 28 || pixels.size(0) != labels.size(0))
    fail("{}: {} images of {} x {} with {} labels is not Fashion-MNIST", folder, pixels.size(0),
         pixels.size(1), pixels.size(2), labels.size(0));
  return {torch::constant_pad_nd(pixels, {2, 2, 2, 2}), labels};
}

torch::Tensor balanced_rows(const torch::Tensor& labels, int64_t per_class, Random random) {
  std::vector<torch::Tensor> rows;
  for (int64_t label = 0; label < kClasses; ++label) {
    const auto all = (labels == label).nonzero().flatten();
    if (all.size(0) < per_class)
      fail("class {} has {} images, {} are wanted; lower settings real", label, all.size(0),
           per_class);
    rows.push_back(all.index_select(
        0, torch::tensor(
               random.stream("class", static_cast<uint64_t>(label)).choose(all.size(0), per_class),
               torch::kInt64)));
  }
  const auto drawn = torch::cat(rows);
  return drawn.index_select(
      0, torch::tensor(random.stream("order").permutation(drawn.size(0)), torch::kInt64));
}

torch::Tensor clips_of(const torch::Tensor& pixels) {
  return as_clips(pixels.to(torch::kFloat32).div_(127.5).sub_(1));
}

torch::Tensor stored(const torch::Tensor& values) {
  return ((values + 1) * 127.5).round_().clamp_(0, 255).to(torch::kUInt8);
}

torch::Tensor augmented(const torch::Tensor& pixels, const torch::Tensor& rows, int64_t padding,
                        const Random& random, int64_t first) {
  auto out = torch::empty({rows.size(0), kSide, kSide});
  const uint8_t* from = pixels.const_data_ptr<uint8_t>();
  const int64_t* row = rows.const_data_ptr<int64_t>();
  float* to = out.mutable_data_ptr<float>();
  for (int64_t n = 0; n < rows.size(0); ++n) {
    Random draw = random.stream("augment", static_cast<uint64_t>(first + n));
    const bool flip = draw.below(2) == 1;
    const int64_t down = draw.below(2 * padding + 1) - padding;
    const int64_t right = draw.below(2 * padding + 1) - padding;
    shift(from + row[n] * kSide * kSide, to + n * kSide * kSide, down, right, flip);
  }
  return out;
}

Examples labelled(const Images& images) {
  return {images.pixels, torch::one_hot(images.labels, kClasses).to(torch::kFloat32),
          unknown(images.size())};
}

Examples answered(const torch::Tensor& pixels, const torch::Tensor& teacher) {
  return {pixels, unknown(pixels.size(0)), teacher};
}

BatchStream stream_of(Examples examples, int64_t batch_size, int64_t padding, Random random) {
  BatchStream stream;
  stream.describe = [](const torch::Tensor& rows) {
    return fmt::format("images in rows {} and others", rows[0].item<int64_t>());
  };
  stream.open = [=](int64_t first_step) {
    const auto order =
        std::make_shared<SampleOrder>(examples.pixels.size(0), random.stream("order"));
    const auto ones = torch::ones({batch_size});
    return [=, position = first_step * batch_size]() mutable {
      std::vector<int64_t> picked;
      for (int64_t n = 0; n < batch_size; ++n) picked.push_back(order->at(position + n, 0));
      const auto rows = torch::tensor(picked, torch::kInt64);
      const auto clips = as_clips(augmented(examples.pixels, rows, padding, random, position));
      position += batch_size;
      return Batch{clips, examples.targets.index_select(0, rows), rows, ones,
                   examples.teacher.index_select(0, rows)};
    };
  };
  return stream;
}

torch::Tensor predict(Net& net, const torch::Tensor& pixels) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> probabilities;
  for (const auto& batch : pixels.split(kBatch))
    probabilities.push_back(net.forward(clips_of(batch)).logits.softmax(1));
  return torch::cat(probabilities);
}

double accuracy(Net& net, const Images& images) {
  return 100 * predict(net, images.pixels)
                   .argmax(1)
                   .eq(images.labels)
                   .to(torch::kFloat64)
                   .mean()
                   .item<double>();
}

}  // namespace distal::reproduce
