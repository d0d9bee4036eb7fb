#pragma once
// Fashion-MNIST in memory, and what fit() needs of it. Images are padded from 28 x 28 to 32 x 32
// with zeros, the size that LeNet-5 takes. One thread uses a stream; the rest are pure functions.

#include <string>

#include <torch/types.h>

#include "distal/base/random.h"
#include "distal/models/model.h"
#include "distal/train/fit.h"

namespace distal::reproduce {

constexpr int64_t kClasses = 10;
constexpr int64_t kSide = 32;

struct Images {
  torch::Tensor pixels;  // uint8 [N, 32, 32]
  torch::Tensor labels;  // int64 [N]
  int64_t size() const { return pixels.size(0); }
  Images rows(const torch::Tensor& rows) const {
    return {pixels.index_select(0, rows), labels.index_select(0, rows)};
  }
};

/// `part` train (60,000) or t10k (10,000), from the four idx files of Debian's
/// dataset-fashion-mnist. H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, arXiv 1708.07747.
/// Throws Error: a file is missing or damaged.
Images read_images(const std::string& folder, const std::string& part);

/// `per_class` rows of every class, drawn; int64, in random order. Throws Error: a class has fewer.
torch::Tensor balanced_rows(const torch::Tensor& labels, int64_t per_class, Random random);

/// x / 127.5 - 1 of images [N, 32, 32], as the network takes it: float32 [N, 3, 1, 32, 32], the
/// channels all one.
torch::Tensor clips_of(const torch::Tensor& pixels);
/// Back to what is stored: float32 [N, 32, 32] in [-1, 1] to uint8, rounded.
torch::Tensor stored(const torch::Tensor& values);

/// Those rows flipped by chance and shifted by -padding .. padding pixels in each direction:
/// float32 [N, 32, 32] in [-1, 1]. What happens to the n-th depends on (random, first + n) alone.
torch::Tensor augmented(const torch::Tensor& pixels, const torch::Tensor& rows, int64_t padding,
                        const Random& random, int64_t first);

/// What is learned from. NaN rows where unknown.
struct Examples {
  torch::Tensor pixels;   // uint8 [N, 32, 32]
  torch::Tensor targets;  // float32 [N, 10], the truth
  torch::Tensor teacher;  // float32 [N, 10], probabilities
};
Examples labelled(const Images& images);
Examples answered(const torch::Tensor& pixels, const torch::Tensor& teacher);

/// Every epoch each example once in a fresh order, flipped and shifted anew.
BatchStream stream_of(Examples examples, int64_t batch_size, int64_t padding, Random random);

/// Probabilities float32 [N, 10], in evaluation mode.
torch::Tensor predict(Net& net, const torch::Tensor& pixels);
/// Per cent right.
double accuracy(Net& net, const Images& images);

}  // namespace distal::reproduce
