#pragma once
// Backbones are a family: one file each in backbones/, picked by name.

#include <cstdint>

#include "distal/models/model_fwd.h"

namespace distal {

class Random;
struct FeatureFiles;
struct NetworkOptions;

class Backbone {
 public:
  virtual ~Backbone() = default;
  /// A new network with `classes` outputs. Equal `random` gives equal weights.
  virtual Model build(int64_t classes, Random random) const = 0;
  /// The network of others that gives the features; null: distal trains all of the network. Such a
  /// backbone is always frozen (ModelOptions::backbone_frozen): only its head has parameters.
  virtual const NetworkOptions* network() const { return nullptr; }
  /// The files that the features of clips are looked up in; null: the net takes clips. Such a
  /// backbone is always frozen too, and its net refuses clips.
  virtual const FeatureFiles* feature_files() const { return nullptr; }
  /// Whether the head is one linear layer, named fc.
  virtual bool linear_head() const { return true; }
  /// Whether the head is always fitted by logistic regression (Learner::fits_head).
  virtual bool probe() const { return false; }
};

}  // namespace distal
