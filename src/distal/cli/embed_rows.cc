#include "distal/cli/embed_rows.h"

#include <unordered_map>

#include "distal/base/error.h"
#include "distal/base/progress.h"
#include "distal/learn/embedder.h"
#include "distal/models/opened_network.h"

namespace distal {
namespace {

// A clip for each row. Without labels, rows of one clip are one.
std::vector<Clip> clips_of_rows(const std::vector<Row>& rows, const std::string& folder,
                                ClipReader& reader, Progress& progress) {
  std::vector<Clip> clips;
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  progress.begin("probing", std::ssize(rows), "videos");
  for (Row row : rows) {
    row.label = "";
    const ClipList made = make_clips(
        {row}, folder, {}, {}, [&](const std::string& path) { return reader.probe(path); }, quiet);
    if (made.clips.empty())
      fail("{}: {}; take the row out of the list", row.place, made.quarantined.front().reason);
    clips.push_back(made.clips.front());
    progress.step(std::ssize(clips));
  }
  progress.end();
  return clips;
}

}  // namespace

torch::Tensor embed_rows(const std::vector<Row>& rows, const std::string& folder,
                         const NetworkOptions& options, const InputOptions& input,
                         const CacheOptions& cache, Progress& progress) {
  const auto network = opened_network(options);
  ClipReader reader(input_for(*network, input), cache);
  const std::vector<Clip> clips = clips_of_rows(rows, folder, reader, progress);
  std::unordered_map<std::string, int64_t> place;  // of each content and span, among `distinct`
  ClipRefs distinct;
  for (const Clip& clip : clips) {
    if (place.try_emplace(clip.key(), std::ssize(distinct)).second) distinct.push_back(&clip);
  }
  const FeatureCache::Found found = network_features(*network, reader, distinct, progress);
  std::vector<int64_t> row_of(distinct.size(), -1);
  for (int64_t i = 0; i < found.rows.size(0); ++i)
    row_of[static_cast<size_t>(found.rows[i].item<int64_t>())] = i;
  std::vector<int64_t> picked;
  for (size_t i = 0; i < clips.size(); ++i) {
    picked.push_back(row_of[static_cast<size_t>(place.at(clips[i].key()))]);
    if (picked.back() < 0)
      fail("{}: {} cannot be read: {}; take the row out of the list", rows[i].place,
           clips[i].video.str(), reader.quarantined().front().reason);
  }
  return found.values.index_select(0, torch::tensor(picked, torch::kInt64));
}

}  // namespace distal
