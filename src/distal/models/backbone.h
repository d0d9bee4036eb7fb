#pragma once
// Backbones are a family: one file each in backbones/, picked by name.

#include <cstdint>

#include "distal/models/model_fwd.h"

namespace distal {

class Random;

class Backbone {
 public:
  virtual ~Backbone() = default;
  /// A new network with `classes` outputs. Equal `random` gives equal weights.
  virtual Model build(int64_t classes, Random random) const = 0;
};

}  // namespace distal
