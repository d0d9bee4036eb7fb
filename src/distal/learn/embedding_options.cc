#include "distal/learn/embedding_options.h"

#include "distal/base/options.h"

namespace distal {

void EmbeddingOptions::visit(OptionVisitor& v) const {
  v("network", network, "a network from elsewhere, run once on each clip; absent: features");
  files.visit(v);
}

std::string EmbeddingOptions::contradiction() const {
  const bool named = !files.features.empty() || !files.list.empty();
  if (network && named)
    return "embeddings.network computes the embeddings that embeddings.features holds; leave one "
           "of "
           "them out";
  if (network) return "";
  if (files.features.empty())
    return "embeddings names no source; give network: {file: net.onnx}, or features: f.npy with "
           "list: f.csv";
  if (files.list.empty())
    return "embeddings.list is missing: the CSV that names the clip of each row of "
           "embeddings.features";
  return "";
}

}  // namespace distal
