#pragma once
// Where a strategy's embeddings come from, if not from the student: a network of somebody else, or
// files that somebody else's network has filled. They do not change from round to round.

#include <optional>

#include "distal/base/feature_files.h"
#include "distal/networks/network.h"

namespace distal {

class OptionVisitor;

/// The section `embeddings` of an arm. One of the two.
struct EmbeddingOptions {
  std::optional<NetworkOptions> network;
  FeatureFiles files;
  void visit(OptionVisitor& v) const;
  bool operator==(const EmbeddingOptions&) const = default;
  /// Why these options do not fit together, and the cure; empty: they do.
  std::string contradiction() const;
};

}  // namespace distal
