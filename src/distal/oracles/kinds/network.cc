// A network from elsewhere: an ONNX, OpenVINO, AOTInductor or TorchScript file.

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/oracles/network_teacher.h"

namespace distal::kinds {

class Network final : public Oracle {
 public:
  using Options = NetworkTeacherOptions;
  explicit Network(const Options& options)
      : options_(options), file_(std::make_unique<NetworkTeacherFile>(options)) {}

  OracleTraits traits() const override {
    return {.at_hand = true, .bills_unusable = false, .foreign_code = is_program()};
  }
  std::string missing() const override {
    if (options_.network.file.empty())
      return "oracle.kind = network needs oracle.network.file, such as network: {file: dino.onnx, "
             "size_px: 224}";
    if (options_.zero_shot && options_.zero_shot->embeddings.empty())
      return "oracle.zero_shot needs oracle.zero_shot.embeddings, an .npy of class texts";
    return "";
  }
  std::string contradiction(const std::vector<std::string>&) const override {
    return options_.contradiction();
  }
  std::string line() const override {
    if (!options_.zero_shot) return "network " + options_.network.file;
    return fmt::format("network {}, zero-shot by the texts of {} at temperature {}",
                       options_.network.file, options_.zero_shot->embeddings,
                       options_.zero_shot->temperature);
  }
  std::string answer_options() const override { return options_.decisive(); }
  std::string program() const override {
    return is_program() ? "network.file: " + options_.network.file + " is a program" : "";
  }
  std::string warning() const override { return network_warning(options_.network.file); }
  std::optional<InputOptions> input() const override { return file_->input(); }
  void require_fit(const Classes& classes, const Task& task) const override {
    file_->teacher(classes, task, {});
  }
  OpenedOracle open(const OracleSetup& setup) const override {
    return {answers_at_once(file_->teacher(setup.classes, *setup.task, setup.say)), line()};
  }

 private:
  bool is_program() const { return network_executes_code(options_.network.file); }

  Options options_;
  std::unique_ptr<NetworkTeacherFile> file_;
};

extern const Entry<Oracle> network;
const Entry<Oracle> network = entry<Oracle, Network>(
    "a network from elsewhere (ONNX, OpenVINO, AOTInductor, TorchScript), computed on this machine",
    "G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015; "
    "zero_shot: "
    "A. Radford et al., Learning transferable visual models from natural language supervision, "
    "ICML 2021, arXiv 2103.00020, section 3.1");

}  // namespace distal::kinds
