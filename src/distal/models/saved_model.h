#pragma once
// Models in files: weights (models/weights.h) and a side JSON.
//
// The side JSON of a model is its description in a file of the same stem. The weight file also
// contains it in its metadata (`__metadata__`, name `distal`), which other readers of safetensors
// ignore. Weights and description are therefore replaced in one rename.

#include <optional>
#include <string>
#include <vector>

#include "distal/base/document.h"
#include "distal/base/error.h"
#include "distal/models/model_fwd.h"
#include "distal/models/model_options.h"
#include "distal/models/weights.h"

namespace distal {

/// Makes the side JSON: {"model": options as YAML text, "classes": [names], "input": options as
/// YAML text}. If the backbone is a network of others, "model" names its file by the absolute path,
/// and "network" is its id (ForeignNetwork::id). `training`, an object as JSON text, says what the
/// weights were learned from, for the model card of an export; empty: unknown. Readers of the
/// network ignore it.
std::string side_json(const ModelOptions& options, const std::vector<std::string>& classes,
                      const std::string& input_yaml, const std::string& training = "");

/// Writes model.safetensors with the side JSON, then model.json for people and other programs. A
/// kill at any instruction leaves the old model or the new model. model.json may then be missing.
/// load_model does not need it. `training` is the fingerprint of the training, kept in the metadata
/// of the weight file; empty: none.
void save_model(const std::string& path, const Net& net, const std::string& side_json,
                const std::string& training = "");

/// The weights of the file that save_model wrote at `path` with this fingerprint; none where there
/// is no such file, it is damaged, or its training was another.
std::optional<Tensors> weights_trained_as(const std::string& path, const std::string& training);

struct SavedModel {
  Model net;                         // in evaluation mode
  ModelOptions options;              // init, init_keys and freeze are empty
  std::vector<std::string> classes;  // names, in the order of the logits
  std::string input_yaml;            // how clips were prepared
  std::string network;               // id of the network of others in it; empty: none is
  std::string side_json;             // the whole text
};
/// Reads the YAML options of a description in the file `place`. Throws Error, not UsageError,
/// because the file is wrong and not the recipe.
template <class T>
void read_described(T& options, const std::string& yaml, const std::string& place) {
  try {
    read_options(options, yaml, place);
  } catch (const UsageError& error) {
    fail("{}; give the description that was written with the model", error.what());
  }
}

/// Builds the network from the side JSON and loads the weights. If there is no side JSON, it uses
/// the description in the weight file. Throws Error: no weight file, no description, an invalid
/// file, two descriptions that differ in "model", "classes" or "input", weights that do not fit the
/// network, or weights that are not finite. The file of a network of others is looked for where the
/// description says, then beside the model. Throws Error if it is missing or has changed. The
/// weight file of another program may have no description.
SavedModel load_model(const std::string& path);
/// Reads only the side JSON of a file. Builds no network. Throws Error: missing or invalid.
SavedModel load_description(const std::string& path);

}  // namespace distal
