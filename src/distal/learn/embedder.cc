#include "distal/learn/embedder.h"

#include <set>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/data/batches.h"
#include "distal/models/opened_network.h"

namespace distal {

Embedder::Embedder(ClipReader& reader, ClipsOf clips, std::string folder, Compute compute)
    : reader_(reader),
      clips_(std::move(clips)),
      folder_(std::move(folder)),
      compute_(std::move(compute)) {}

const FeatureTable& Embedder::table(const FeatureFiles& files) {
  auto& table = tables_[resolved(files) + content_id(files)];
  if (!table)
    table = std::make_unique<FeatureTable>(
        files, folder_, clips_(), [this](const std::string& path) { return reader_.probe(path); });
  return *table;
}

Predictions Embedder::embeddings(const EmbeddingOptions& options, const ClipRefs& clips) {
  if (!options.network)
    return {torch::Tensor(), table(options.files).of(clips),
            torch::arange(std::ssize(clips), torch::kInt64)};
  const Embedded& all = embedded(*options.network);
  std::vector<int64_t> places, rows;
  for (size_t i = 0; i < clips.size(); ++i) {
    const auto at = all.rows.find(filmed_key(*clips[i]));
    if (at == all.rows.end()) continue;
    places.push_back(at->second);
    rows.push_back(static_cast<int64_t>(i));
  }
  return {torch::Tensor(), all.values.index_select(0, torch::tensor(places, torch::kInt64)),
          torch::tensor(rows, torch::kInt64)};
}

const Embedder::Embedded& Embedder::embedded(const NetworkOptions& options) {
  const auto network = opened_network(options);
  const auto known = networks_.find(network->id());
  if (known != networks_.end()) return known->second;
  const InputOptions input = input_for(*network, reader_.options());
  std::unique_ptr<ClipReader> own;
  if (input != reader_.options())
    own = std::make_unique<ClipReader>(input, reader_.cache_options());
  std::vector<Clip> clips = clips_();
  std::set<std::string> seen;  // a clip may be in two lists
  std::erase_if(clips, [&](const Clip& clip) { return !seen.insert(clip.key()).second; });
  const Predictions read = compute_(*network, own ? *own : reader_, refs_of(clips));
  Embedded& embedded = networks_[network->id()];
  embedded.values = read.embeddings;
  for (int64_t i = 0; i < read.rows.size(0); ++i)
    embedded.rows.emplace(clips[static_cast<size_t>(read.rows[i].item<int64_t>())].key(), i);
  return embedded;
}

FeatureCache::Found network_features(ForeignNetwork& network, ClipReader& reader,
                                     const ClipRefs& clips, Progress& progress) {
  constexpr int64_t kBatch = 32;  // clips
  FeatureCache cache(reader.cache_options(), network, reader.options());
  const auto compute = [&](const ClipRefs& missing, const FeatureCache::Store& store) {
    EvaluationBatches batches(reader, missing, LabelSpace(1), kBatch, /*threads=*/1);
    progress.begin("features", std::ssize(missing), "clips");
    while (const auto batch = batches.next()) {
      if (batch->rows.numel() == 0) continue;
      store(batch->rows, network.run(batch->clips));
      progress.step(batch->rows[-1].item<int64_t>() + 1);
    }
    progress.end();
  };
  return cache.features(clips, compute, progress);
}

InputOptions input_for(const ForeignNetwork& network, const InputOptions& input) {
  InputOptions own = input;
  own.size_px = network.size_px();
  if (network.size_px() != input.size_px) own.short_side_px = 0;
  if (network.frames() > 1) own.sampling.frames = network.frames();
  return own;
}

}  // namespace distal
