#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/json.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/models/model.h"
#include "distal/models/model_options.h"
#include "distal/models/opened_network.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTraining = "distal_training";  // its fingerprint, in the metadata
constexpr const char* kDescription = "distal";  // name of the side JSON in a weight file's metadata
constexpr int64_t kMostDescriptionBytes = int64_t{64} << 20;
constexpr size_t kMostClasses = 1'000'000;

std::string side_path(const std::string& path) {
  return std::filesystem::path(path).replace_extension(".json").string();
}

std::optional<std::string> text_of(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::exists(path, unknown) && !unknown) return std::nullopt;
  return read_file(path, kMostDescriptionBytes);
}

// The value of a key of the description, in the type it is written in.
template <class T>
T value_of(const nlohmann::json& json, const char* key, const std::string& place) {
  constexpr const char* kCure =
      "the description of a model holds \"model\" and \"input\", texts, and \"classes\", a list of "
      "texts; take the one that run or export wrote";
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (!json.is_object() || found == json.end())
    fail("{}: its JSON has no \"{}\"; {}", place, key, kCure);
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception&) {
    fail("{}: \"{}\" in its JSON is of another type; {}", place, key, kCure);
  }
}

// Everything but the net. `place` is the file that holds the text.
SavedModel described(const std::string& text, const std::string& place) {
  SavedModel saved;
  saved.side_json = text;
  const auto json = parse_json(text, place);
  saved.classes = value_of<std::vector<std::string>>(json, "classes", place);
  saved.input_yaml = value_of<std::string>(json, "input", place);
  if (saved.classes.empty() || saved.classes.size() > kMostClasses)
    fail("{}: {} classes; a model has 1 to {}", place, saved.classes.size(), kMostClasses);
  read_described(saved.options, value_of<std::string>(json, "model", place), place + " (model)");
  if (saved.options.network()) saved.network = value_of<std::string>(json, "network", place);
  return saved;
}

// With the file of its network of others, wherever that lies now.
ModelOptions with_network_found(const SavedModel& saved, const std::string& path) {
  const fs::path written = saved.options.network()->file;
  const fs::path beside = fs::path(path).parent_path() / written.filename();
  std::string changed;
  for (const fs::path& file : {written, beside}) {
    std::error_code unknown;
    if (!fs::exists(file, unknown)) continue;
    ModelOptions options = saved.options.with_network_file(file.string());
    if (network_id(*options.network()) == saved.network) return options;
    changed = file.string();
  }
  if (changed.empty())
    fail("{}: the network under its head, {}, is missing; put the file back, or copy it beside the "
         "model",
         path, written.string());
  fail("{}: {} is not the network that its head was trained on: the content differs; put the old "
       "file back or beside the model, or train the head again",
       path, changed);
}

bool alike(SavedModel a, SavedModel b) {
  return resolved(a.options) == resolved(b.options) && a.classes == b.classes &&
         a.input_yaml == b.input_yaml;
}

SavedModel description(const std::string& path, const std::string& side, const Metadata& metadata) {
  const auto beside = text_of(side);
  const auto inside = metadata.find(kDescription);
  if (!beside && inside == metadata.end())
    fail("{}: missing; a model is a .safetensors file with the .json written beside it", side);
  if (!beside) return described(inside->second, path);
  const SavedModel saved = described(*beside, side);
  if (inside != metadata.end() && !alike(saved, described(inside->second, path))) {
    fail("{}: not the description that {} was written with; put back the right one, or remove it: "
         "the weight file holds its own",
         side, path);
  }
  return saved;
}

}  // namespace

std::string side_json(const ModelOptions& options, const std::vector<std::string>& classes,
                      const std::string& input_yaml, const std::string& training) {
  ModelOptions built = options;
  built.init.clear();
  built.init_keys.clear();
  built.freeze.clear();
  nlohmann::ordered_json json;
  const NetworkOptions* network = options.network();
  if (network)
    built = built.with_network_file(fs::absolute(network->file).lexically_normal().string());
  json["model"] = resolved(built);
  json["classes"] = classes;
  json["input"] = input_yaml;
  if (network) json["network"] = opened_network(*network)->id();
  if (!training.empty()) json["training"] = nlohmann::ordered_json::parse(training);
  return json_text(json, 2) + "\n";
}

void save_model(const std::string& path, const Net& net, const std::string& side_json,
                const std::string& training) {
  for (const std::string& written : {path, side_path(path)}) require_place_for(written);
  std::error_code nothing_there;
  std::filesystem::remove(
      side_path(path), nothing_there);  // the old description never stands beside the new weights
  Metadata metadata = {{"format", "pt"}, {kDescription, side_json}};
  if (!training.empty()) metadata[kTraining] = training;
  save_checked(path, state(net), metadata);
  write_atomically(side_path(path), side_json);
}

std::optional<Tensors> weights_trained_as(const std::string& path, const std::string& training) {
  std::error_code unknown;
  if (!std::filesystem::exists(path, unknown)) return std::nullopt;
  try {
    Metadata metadata;
    Tensors tensors = load_safetensors(path, &metadata);
    const auto known = metadata.find(kTraining);
    if (known == metadata.end() || known->second != training) return std::nullopt;
    require_finite(path, tensors);
    return tensors;
  } catch (const Error&) {
    return std::nullopt;
  }
}

SavedModel load_description(const std::string& path) {
  const auto text = text_of(path);
  if (!text)
    fail("{}: missing; the description of a model lies beside it, as export or run wrote it", path);
  return described(*text, path);
}

SavedModel load_model(const std::string& path) {
  Metadata metadata;
  const Tensors tensors = load_safetensors(path, &metadata);
  require_finite(path, tensors);
  const std::string side = side_path(path);
  SavedModel saved = description(path, side, metadata);
  if (saved.options.network()) saved.options = with_network_found(saved, path);
  saved.net = saved.options.build(static_cast<int64_t>(saved.classes.size()), Random(0));
  const auto account = load_into(*saved.net, tensors);
  if (!account.missing.empty() || !account.unused.empty()) {
    fail("{}: not the weights of the model in {} ({}); give the pair that was written together",
         path, side, account.text());
  }
  saved.net->eval();
  return saved;
}

}  // namespace distal
