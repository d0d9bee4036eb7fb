#pragma once
// What the two ECO networks share (Zolfaghari, Singh, Brox, "ECO: Efficient Convolutional Network
// for Online Video Understanding", ECCV 2018, arXiv 1804.09066): BN-Inception (Ioffe, Szegedy, ICML
// 2015, arXiv 1502.03167) up to the double 3x3 branch of inception_3c on each frame, and a 3D
// residual tail over the stacked frames. Names are the layers' names in the published Caffe graphs
// (the classifier fc8 or fc8N is `fc` here). Identity shortcuts carry the sum before its batch
// norm, strided shortcuts are 3x3x3 convolutions of the activated map; every convolution has a
// bias; pools round up.

#include <map>
#include <string>

#include "distal/models/classifier.h"
#include "distal/models/layers.h"

namespace distal {

class OptionVisitor;

struct EcoOptions {
  double width = 1;
  double dropout = 0.3;
  void visit(OptionVisitor& v) const;
  bool operator==(const EcoOptions&) const = default;
};

class EcoNet : public Classifier {
 protected:
  struct Branches {  // output channels of an inception block
    int64_t single, reduce, triple, double_reduce, double_triple, pool;
  };
  struct FrameMaps {
    torch::Tensor
        inception_3b;      // [N*T, 320, h, w], a row per frame; h and w an eighth of the picture
    torch::Tensor shared;  // [N*T, 96, h, w], what both paths go on with
  };
  enum class Pool { mean, max };

  /// Registers what is shared. `name`: of the backbone, for errors.
  EcoNet(const char* name, double width);
  int64_t scaled(int64_t channels) const;

  /// clips as Net::forward takes them; throws Error unless T is a multiple of 4.
  FrameMaps per_frame(const torch::Tensor& clips);
  /// `shared` of `clips` clips to [N, 512].
  torch::Tensor residual_tail(const torch::Tensor& shared, int64_t clips);

  /// A convolution and, unless `norm` is "none", a batch norm of that name (empty: the
  /// convolution's with _bn).
  void conv(int dims, const std::string& name, int64_t in, int64_t out, int64_t kernel,
            int64_t stride = 1, const std::string& norm = "");
  /// Convolution, batch norm, ReLU.
  torch::Tensor unit(const std::string& name, const torch::Tensor& x);
  /// NAME_double_3x3_reduce and NAME_double_3x3_1.
  void add_double(const std::string& name, int64_t in, int64_t reduce, int64_t out);
  torch::Tensor doubled(const std::string& name, const torch::Tensor& x);
  /// The inception block NAME: 1x1, 3x3, double 3x3, and a pool before a 1x1. Returns its output
  /// channels.
  int64_t add_inception(const std::string& name, int64_t in, const Branches& b);
  torch::Tensor inception(const std::string& name, const torch::Tensor& x, Pool pool = Pool::mean);
  static torch::Tensor tapped(const std::string& name, const torch::Tensor& x);

 private:
  void add_norm(const std::string& name, int64_t channels);
  void add_residual(const std::string& name, int64_t in, int64_t out, bool strided);
  torch::Tensor activated(const std::string& norm, const torch::Tensor& x);
  torch::Tensor residual(const std::string& name, const std::string& before,
                         const torch::Tensor& sum);

  const char* name_;
  double width_;
  std::map<std::string, std::shared_ptr<Conv>> convs_;
  std::map<std::string, std::shared_ptr<BatchNorm>> norms_;
};

}  // namespace distal
