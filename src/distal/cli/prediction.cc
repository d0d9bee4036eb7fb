#include "distal/cli/prediction.h"

#include "distal/base/error.h"
#include "distal/lists/csv.h"

namespace distal {

std::string as_line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

int64_t PredictionFormat::best_of(const torch::Tensor& probabilities) const {
  return task.predicted(probabilities).item<int64_t>();
}

std::string PredictionFormat::header(std::string text) const {
  if (json) return "";
  text += ",class,probability,problem";
  for (const auto& name : classes) text += all ? "," + csv_field(name) : "";
  return text + "\n";
}

std::string PredictionFormat::csv(std::string text, const torch::Tensor& probabilities,
                                  int64_t label, const std::string& problem) const {
  const float* p = probabilities.defined() ? probabilities.const_data_ptr<float>() : nullptr;
  const int64_t shown = p && label == kNoClass ? best_of(probabilities) : label;
  const std::string name = label == kNoClass ? "" : classes[static_cast<size_t>(label)];
  const std::string probability = p ? fmt::format("{:.6f}", p[shown]) : "";
  text += fmt::format(",{},{},{}", csv_field(name), probability, csv_field(problem));
  for (int64_t k = 0; all && k < std::ssize(classes); ++k)
    text += p ? fmt::format(",{:.6f}", p[k]) : ",";
  return text + "\n";
}

std::string PredictionFormat::object(nlohmann::ordered_json object,
                                     const torch::Tensor& probabilities, int64_t label) const {
  const float* p = probabilities.const_data_ptr<float>();
  const int64_t shown = label == kNoClass ? best_of(probabilities) : label;
  object["class"] = nullptr;
  if (label != kNoClass) object["class"] = classes[static_cast<size_t>(label)];
  object["probability"] = p[shown];
  for (int64_t k = 0; all && k < std::ssize(classes); ++k)
    object["probabilities"][classes[static_cast<size_t>(k)]] = p[k];
  return as_line(object);
}

torch::Tensor probabilities_of(const torch::Tensor& logits, const OpenedModel& model) {
  if (!logits.isfinite().all().item<bool>())
    fail("{}: its answers are NaN or infinite; the file is damaged or its training failed: export "
         "it again",
         model.path);
  return model.task->probabilities(logits).contiguous();
}

}  // namespace distal
