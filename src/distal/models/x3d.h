#pragma once
// X3D (Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR 2020,
// arXiv 2004.04730): a narrow 3D residual network that keeps the frame rate. Blocks widen 2.25
// times around a depthwise 3x3x3 convolution; every other one has squeeze-excitation; swish follows
// the depthwise convolution. XS, S and M are one network (3,794,274 parameters for 400 classes),
// published for clips of different length and size; it takes any. Names as in PyTorchVideo
// (blocks.B...; the classifier blocks.5.proj is `fc` here), whose stem calls the spatial
// convolution conv_t and the temporal one conv_xy. The embedding is what enters blocks.5.proj.
// Deviation: the head's mean covers the whole map; PyTorchVideo's has the size of the published
// crop and slides over larger pictures.

#include "distal/models/backbone.h"

namespace distal {

class OptionVisitor;
class Random;

class X3dBackbone : public Backbone {
 public:
  struct Options {
    double width = 1;
    double dropout = 0.5;
    void visit(OptionVisitor& v) const;
    bool operator==(const Options&) const = default;
  };
  Model build(int64_t classes, Random random) const override;

 protected:
  /// `name`: of the backbone, for errors.
  X3dBackbone(const char* name, const Options& options) : name_(name), options_(options) {}

 private:
  const char* name_;
  Options options_;
};

}  // namespace distal
