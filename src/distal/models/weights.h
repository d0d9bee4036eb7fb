#pragma once
// Weight files: safetensors (8-byte little-endian header length, JSON header, raw little-endian
// tensors; format of huggingface/safetensors) with a side JSON of the same stem. Writing is atomic
// (temporary file, fsync, rename). A model's weight file carries its side JSON in its metadata too
// (`__metadata__`, name `distal`; other readers of safetensors pass over it), so that weights and
// description are replaced in one rename.

#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/models/model.h"

namespace distal {

class Fingerprint;

using Tensors = std::vector<std::pair<std::string, torch::Tensor>>;
using Metadata = std::map<std::string, std::string>;  // a file's own remarks, name to text

/// Tensors in the order of the file, mapped into memory (private: writing to them does not reach
/// the file) and read when touched; where the file has a checksum, all are read and compared with
/// it, and it is left out of `metadata`. Throws Error: missing, truncated, header not JSON, unknown
/// dtype, sizes that do not add up, holes, overlaps, not what was written.
Tensors load_safetensors(const std::string& path, Metadata* metadata = nullptr);
void save_safetensors(const std::string& path, const Tensors& tensors,
                      const Metadata& metadata = {});

/// With checksum_of(tensors, metadata) in the metadata. load_checked throws Error for a file
/// without one, too.
void save_checked(const std::string& path, const Tensors& tensors, Metadata metadata = {});
Tensors load_checked(const std::string& path);

/// Of names, dtypes, shapes and bytes of the tensors, in whatever order, and of the metadata: 16
/// hexadecimal digits.
std::string checksum_of(const Tensors& tensors, const Metadata& metadata);

/// Adds their names and bytes, in their order. Like checksum_of it does not tell on which device
/// they lie.
void add_tensors(Fingerprint& print, const Tensors& tensors);

/// Throws Error with the first tensor that holds NaN or infinity, `path: tensor ...; cure`.
void require_finite(const std::string& path, const Tensors& tensors);

/// Our name of a published tensor: without the prefixes `module.` and `base_model.`, without the
/// `.net` of a shifted convolution, and `fc` for a last layer named `new_fc`, `fc8`, `fc8N`,
/// `blocks.5.proj`, `logits` or `classifier`.
std::string our_name(const std::string& theirs);

/// Copies tensors into the net by name: through `map` (ours from theirs) where listed, else through
/// our_name. Shapes must agree but for trailing ones ([1001, 1280, 1, 1] fits [1001, 1280]). What
/// did not fit is listed; `num_batches_tracked` is passed over.
struct Account {
  std::vector<std::string> matched, missing,
      unused;                // missing: ours without a source; unused: theirs; shapes in brackets
  std::string text() const;  // counts, and the first ten of each side
};
Account load_into(Net& net, const Tensors& tensors,
                  const std::map<std::string, std::string>& ours_from_theirs = {});

/// The side JSON: {"model": options as YAML text, "classes": [names], "input": options as YAML
/// text}.
std::string side_json(const ModelOptions& options, const std::vector<std::string>& classes,
                      const std::string& input_yaml);

/// model.safetensors, which holds the side JSON too, then model.json for people and other programs.
/// A kill at any instruction leaves the old model or the new one, perhaps without its .json, which
/// load_model does not need.
void save_model(const std::string& path, const Net& net, const std::string& side_json);

struct SavedModel {
  Model net;                         // in evaluation mode
  ModelOptions options;              // init, init_keys and freeze are empty
  std::vector<std::string> classes;  // names, in the order of the logits
  std::string input_yaml;            // how clips were prepared
  std::string side_json;             // the whole text
};
/// Reads the options that a description holds as YAML; `place`: the file it stands in. Throws
/// Error: it is the file that is wrong.
template <class T>
void read_described(T& options, const std::string& yaml, const std::string& place) {
  try {
    read_options(options, yaml, place);
  } catch (const UsageError& error) {
    fail("{}; give the description that was written with the model", error.what());
  }
}

/// Rebuilds the net from the side JSON of the same stem, or from the one inside the weight file
/// where that is missing, and fills it. Throws Error: no weight file, no description, either
/// broken, the two descriptions differ (in "model", "classes" or "input"; a weight file written by
/// others has none), weights that do not fit what is described, or that are not finite.
SavedModel load_model(const std::string& path);
/// The side JSON of a file alone, without a net. Throws Error: missing, broken.
SavedModel load_description(const std::string& path);

}  // namespace distal
