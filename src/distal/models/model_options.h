#pragma once
// The options of a model.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/base/choice.h"
#include "distal/models/model_fwd.h"

namespace distal {

class Backbone;
class OptionVisitor;
class Random;
struct FeatureFiles;
struct NetworkOptions;

/// The network and its initial weights.
struct ModelOptions {
  Choice<Backbone> backbone{"resnet3d"};  // `student: {name: tsn, ...}` in a recipe
  std::string init;                       // safetensors to start from; empty: random
  std::vector<std::string> init_keys;  // `pattern:replacement` for the names of tensors in `init`
  // prefixes of the names of parameters that stay fixed; "backbone": all but the head
  std::vector<std::string> freeze;
  /// The options of the backbone are in the same section.
  void visit(OptionVisitor& v) const;
  bool operator==(const ModelOptions& other) const;  // `account` aside
  /// Builds the network and loads `init`. Throws Error: `init` has weights for less than half of
  /// the network before its classifier, or `freeze` matches nothing.
  Model build(int64_t classes, Random random) const;
  /// Whether nothing but the head is trained: `freeze` says so, or there is nothing else to train.
  bool backbone_frozen() const;
  /// The network of others that is the backbone (Backbone::network); null: there is none.
  const NetworkOptions* network() const;
  /// The files that features are looked up in (Backbone::feature_files); null: there are none.
  const FeatureFiles* feature_files() const;
  /// Whether the net is a head, whose features a network of others or files give.
  bool head_alone() const { return network() || feature_files(); }
  /// The same model with another file of this network.
  ModelOptions with_network_file(const std::string& file) const;
  /// The same model with other files of features.
  ModelOptions with_feature_files(const FeatureFiles& files) const;
  mutable std::string account;  // after build with init: what was matched, missing, unused
};

}  // namespace distal
