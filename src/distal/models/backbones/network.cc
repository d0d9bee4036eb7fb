// A network of others with a head of ours (models/feature_head.h). The network is a file
// (networks/network.h), and nothing trains it. The embedding of a clip is its features [N, D].

#include <ATen/ATen.h>

#include "distal/base/catalogue.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/backbone.h"
#include "distal/models/device.h"
#include "distal/models/feature_head.h"
#include "distal/models/opened_network.h"

namespace distal::backbones {
namespace {

class NetworkNet final : public FeatureHead {
 public:
  NetworkNet(std::shared_ptr<ForeignNetwork> network, const HeadOptions& options, int64_t classes)
      : FeatureHead(network->width(), options, classes), network_(std::move(network)) {}

  Output forward(const at::Tensor& clips) override {
    const at::Tensor features = network_->run(on_cpu(clips)).to(device_of(*this));
    return {head(features), features};
  }
  ForeignNetwork* network() const override { return network_.get(); }

 private:
  std::shared_ptr<ForeignNetwork> network_;
};

class NetworkBackbone final : public Backbone {
 public:
  struct Options {
    NetworkOptions network;
    HeadOptions head;
    void visit(OptionVisitor& v) const {
      v("network", network, "the file of the network and what its input is");
      head.visit(v);
    }
    bool operator==(const Options&) const = default;
  };
  explicit NetworkBackbone(const Options& options) : options_(options) {}
  Model build(int64_t classes, Random random) const override {
    const auto net =
        std::make_shared<NetworkNet>(opened_network(options_.network), options_.head, classes);
    net->initialise_all(random);
    return net;
  }
  const NetworkOptions* network() const override { return &options_.network; }
  bool linear_head() const override { return options_.head.linear(); }
  bool probe() const override { return options_.head.probe(); }

 private:
  Options options_;
};

}  // namespace

extern const Entry<Backbone> network;
const Entry<Backbone> network = entry<Backbone, NetworkBackbone>(
    "a network of others from a file, frozen, with a head that is trained on its features",
    "any ONNX, OpenVINO, AOTInductor or TorchScript file; for example Oquab et al., DINOv2: "
    "Learning Robust Visual Features without Supervision, TMLR 2024, arXiv 2304.07193");

}  // namespace distal::backbones
