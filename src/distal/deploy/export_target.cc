#include "distal/deploy/export_target.h"

#include <filesystem>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/infer/openvino.h"
#include "distal/models/saved_model.h"

namespace distal {

void ExportTarget::write_graph(const OnnxModel&, UnfinishedFile&) const {
  expect(false, "a target that holds a graph writes one");
}

void ExportTarget::write_weights(const SavedModel&, const std::string&) const {
  expect(false, "a target that holds weights writes them");
}

torch::Tensor ExportTarget::probabilities(const std::string&, const torch::Tensor&) const {
  return {};
}

FileReader openvino_reader() { return {"openvino", "OpenVINO", openvino_present()}; }

std::unique_ptr<Engine> open_with_openvino(const std::string& path, const OpenOptions& options) {
  OpenvinoOptions openvino;
  openvino.precision = options.precision;
  openvino.clips = options.clips;
  return openvino_file_engine(path, openvino);
}

TargetChoice::TargetChoice(const Named<ExportTarget>& row) : row_(&row) {
  has_options_ = !option_rows([&](OptionVisitor& v) { visit(v); }).empty();
}

void TargetChoice::visit(OptionVisitor& v) const { target_ = row_->entry->make(v, options_); }

std::vector<TargetChoice> export_targets() {
  std::vector<TargetChoice> targets;
  for (const auto& row : catalogue<ExportTarget>()) targets.emplace_back(row);
  return targets;
}

TargetChoice target_of_file(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  for (const TargetChoice& target : export_targets()) {
    if (target->endings()[0] == ending) return target;
  }
  return {};
}

std::string either_of(const std::vector<std::string>& words) {
  if (words.size() < 2) return words.empty() ? "" : words[0];
  return fmt::format("{} or {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

}  // namespace distal
