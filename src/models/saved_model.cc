#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/weights.h"

namespace distal {
namespace {

std::string side_path(const std::string& path) { return std::filesystem::path(path).replace_extension(".json").string(); }

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: missing; a model is a .safetensors file with the .json written beside it", path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string side_json(const ModelOptions& options, const std::vector<std::string>& classes, const std::string& input_yaml) {
  ModelOptions built = options;
  built.init.clear();
  built.freeze.clear();
  return nlohmann::ordered_json{{"model", resolved(built)}, {"classes", classes}, {"input", input_yaml}}.dump(2) + "\n";
}

void save_model(const std::string& path, const Net& net, const std::string& side_json) {
  write_atomically(side_path(path), side_json);
  save_safetensors(path, state(net), {{"format", "pt"}});
}

SavedModel load_model(const std::string& path) {
  const std::string side = side_path(path);
  SavedModel saved;
  saved.side_json = text_of(side);
  try {
    const auto json = nlohmann::json::parse(saved.side_json);
    read_options(saved.options, json.at("model").get<std::string>(), side + " (model)");
    saved.classes = json.at("classes").get<std::vector<std::string>>();
    saved.input_yaml = json.at("input").get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    fail("{}: cannot be read ({}); it holds \"model\", \"classes\" and \"input\"", side, error.what());
  }
  saved.net = saved.options.build(static_cast<int64_t>(saved.classes.size()), Random(0));
  const auto account = load_into(*saved.net, load_safetensors(path));
  if (!account.missing.empty() || !account.unused.empty()) {
    fail("{}: not the weights of the model in {} ({}); give the pair that was written together", path, side, account.text());
  }
  saved.net->eval();
  return saved;
}

}  // namespace distal
