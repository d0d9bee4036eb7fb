#pragma once
// Features of clips that no student computes: those that a network from elsewhere gives, and those
// that files hold (base/feature_files.h). Each is computed or found once.

#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "distal/data/clip_reader.h"
#include "distal/learn/embedding_options.h"
#include "distal/learn/feature_cache.h"
#include "distal/learn/trainer.h"
#include "distal/lists/feature_table.h"

namespace distal {

class ForeignNetwork;
class Progress;

class Embedder {
 public:
  using ClipsOf = std::function<std::vector<Clip>()>;
  /// As network_features.
  using Compute = std::function<Predictions(ForeignNetwork& network, ClipReader& reader,
                                            const ClipRefs& clips)>;

  /// `clips`: all that features are ever asked for; called at the first question. `folder`: what
  /// paths of lists are relative to.
  Embedder(ClipReader& reader, ClipsOf clips, std::string folder, Compute compute);

  /// The features of these files. Throws Error as FeatureTable does.
  const FeatureTable& table(const FeatureFiles& files);
  /// Embeddings float32 [M, D] of the clips that have some, and their rows; no logits. Those of
  /// clips that a network cannot be shown are left out. A view has those of its clip.
  Predictions embeddings(const EmbeddingOptions& options, const ClipRefs& clips);

 private:
  struct Embedded {
    torch::Tensor values;                           // float32 [M, D]
    std::unordered_map<std::string, int64_t> rows;  // of the values, by Clip::key
  };
  const Embedded& embedded(const NetworkOptions& options);

  ClipReader& reader_;
  ClipsOf clips_;
  std::string folder_;
  Compute compute_;
  std::map<std::string, std::unique_ptr<FeatureTable>> tables_;
  std::map<std::string, Embedded> networks_;
};

/// Features of clips by a network of others, from the cache on disk where they are there. The
/// network runs on the others in batches.
FeatureCache::Found network_features(ForeignNetwork& network, ClipReader& reader,
                                     const ClipRefs& clips, Progress& progress);

/// What a network of others sees of clips: the frames that the study samples, as large as the
/// network wants them, and as many where it wants a number.
InputOptions input_for(const ForeignNetwork& network, const InputOptions& input);

}  // namespace distal
