// A model file of ours: NAME.safetensors with NAME.json beside it.

#include <fmt/ranges.h>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/oracles/teacher.h"

namespace distal::kinds {

class ModelFile final : public Oracle {
 public:
  struct Options {
    std::string path;
    void visit(OptionVisitor& v) const {
      v("path", path, "model.safetensors, with its JSON beside it");
    }
    bool operator==(const Options&) const = default;
  };
  explicit ModelFile(Options options) : path_(std::move(options.path)) {}

  OracleTraits traits() const override {
    return {.at_hand = true, .bills_unusable = false, .network = true};
  }
  std::string missing() const override {
    return path_.empty() ? "oracle.kind = model needs oracle.path, the file of who answers" : "";
  }
  std::string line() const override { return "model " + path_; }
  std::string network_file(const std::string&) const override { return path_; }
  std::optional<InputOptions> input() const override {
    InputOptions input;
    read_described(input, load_model(path_).input_yaml, path_ + " (input)");
    return input;
  }

  void require_fit(const Classes& classes, const Task&) const override {
    require_classes(load_model(path_), classes.names);
  }

  OpenedOracle open(const OracleSetup& setup) const override {
    const SavedModel saved = load_model(path_);
    require_classes(saved, setup.classes.names);
    auto teacher = teacher_of(saved.net, content_id(path_), setup.labels());
    return {answers_at_once(std::move(teacher)), line()};
  }

 private:
  void require_classes(const SavedModel& saved, const std::vector<std::string>& names) const {
    if (saved.classes != names) {
      fail("oracle.path: {}: its classes ({}) are not those of the lists ({}); a teacher must know "
           "them all, in the same order",
           path_, fmt::join(saved.classes, ", "), fmt::join(names, ", "));
    }
  }

  std::string path_;
};

extern const Entry<Oracle> model;
const Entry<Oracle> model = entry<Oracle, ModelFile>(
    "a model file of distal, computed on this machine",
    "G. Hinton, O. Vinyals, J. Dean, Distilling the knowledge in a neural network, 2015");

}  // namespace distal::kinds
