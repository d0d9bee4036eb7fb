#pragma once
// Weight files: safetensors (8-byte little-endian header length, JSON header, raw little-endian tensors; format of
// huggingface/safetensors) with a side JSON of the same stem. Writing is atomic (temporary file, fsync, rename).

#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "models/model.h"

namespace distal {

using Tensors = std::vector<std::pair<std::string, torch::Tensor>>;

Tensors load_safetensors(const std::string& path);   // throws Error: missing, truncated, header not JSON, sizes that do not add up
void save_safetensors(const std::string& path, const Tensors& tensors, const std::map<std::string, std::string>& metadata = {});

/// Copies tensors into the net by name through `map` (ours from theirs; identity where absent). What did not fit is listed.
struct Account {
  std::vector<std::string> matched, missing, unused;  // missing: ours without a source; unused: theirs; shapes in brackets
  std::string text() const;                           // counts, and the first ten of each side
};
Account load_into(Net& net, const Tensors& tensors, const std::map<std::string, std::string>& ours_from_theirs = {});

/// model.safetensors + model.json (what was built: options as YAML text, classes, input) and back.
void save_model(const std::string& path, const Net& net, const std::string& side_json);

}  // namespace distal
