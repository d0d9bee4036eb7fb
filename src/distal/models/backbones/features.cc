// Features that somebody else computed, in files, with a head of ours. There is no backbone: the
// trainer looks up the features of a clip (lists/feature_table.h), and no video is decoded.

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/feature_files.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/feature_head.h"

namespace distal::backbones {
namespace {

class FeaturesNet final : public FeatureHead {
 public:
  FeaturesNet(FeatureFiles files, const HeadOptions& options, int64_t classes)
      : FeatureHead(feature_width(files), options, classes), files_(std::move(files)) {}
  Output forward(const at::Tensor&) override {
    fail("features: this student reads rows of {}, and no video; a student that shall predict "
         "videos needs the network that computed them (model.name: network)",
         files_.features);
  }

 private:
  FeatureFiles files_;
};

class FeaturesBackbone final : public Backbone {
 public:
  struct Options {
    FeatureFiles files;
    HeadOptions head;
    void visit(OptionVisitor& v) const {
      files.visit(v);
      head.visit(v);
    }
    bool operator==(const Options&) const = default;
  };
  explicit FeaturesBackbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    const auto net = std::make_shared<FeaturesNet>(options_.files, options_.head, classes);
    net->initialise_all(random);
    return net;
  }
  const FeatureFiles* feature_files() const override { return &options_.files; }
  bool linear_head() const override { return options_.head.linear(); }
  bool probe() const override { return options_.head.probe(); }

 private:
  Options options_;
};

}  // namespace

extern const Entry<Backbone> features;
const Entry<Backbone> features = entry<Backbone, FeaturesBackbone>(
    "features that somebody else computed, a row of a .npy file for each clip, with a head that is "
    "trained on them; no video is decoded",
    "G. Alain, Y. Bengio, Understanding intermediate layers using linear classifier probes, ICLR "
    "workshop 2017, arXiv 1610.01644");

}  // namespace distal::backbones
