#include <filesystem>

#include "distal/deploy/export_target.h"
#include "distal/models/saved_model.h"

namespace distal::targets {
namespace {

class Safetensors final : public ExportTarget {
 public:
  std::string title() const override { return "safetensors"; }
  std::vector<std::string> endings() const override { return {".safetensors"}; }
  std::string description_of(const std::string& path) const override {
    return std::filesystem::path(path).replace_extension(".json").string();
  }
  bool holds_graph() const override { return false; }
  void write_weights(const SavedModel& saved, const std::string& path) const override {
    save_model(path, *saved.net, saved.side_json);
  }
  FileReader reader() const override { return {"libtorch", "LibTorch", true}; }
  std::unique_ptr<Engine> open(const std::string& path, const OpenOptions&) const override {
    return libtorch_engine(load_model(path).net);
  }
  double tolerance() const override { return 0; }
};

}  // namespace

extern const Entry<ExportTarget> safetensors;
const Entry<ExportTarget> safetensors = entry<ExportTarget, Safetensors>(
    "the weights, to train from or to predict with", "huggingface/safetensors");

}  // namespace distal::targets
