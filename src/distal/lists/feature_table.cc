#include "distal/lists/feature_table.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <unordered_set>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/npy.h"
#include "distal/base/progress.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

std::string normal_path(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

// The rows whose videos are those of clips. A list in Windows-1252 may name files whose names are
// UTF-8, as make_clips has it.
std::vector<Row> rows_of_videos(const std::vector<Row>& rows, const std::string& folder,
                                const std::vector<Clip>& clips, std::vector<int64_t>& kept) {
  std::unordered_set<std::string> videos;
  for (const Clip& clip : clips) videos.insert(normal_path(clip.video.str()));
  const std::filesystem::path place = folder;
  std::vector<Row> wanted;
  for (int64_t i = 0; i < std::ssize(rows); ++i) {
    const std::string& path = rows[i].path.str();
    if (!videos.contains(normal_path(place / path)) &&
        !videos.contains(normal_path(place / utf8_name(path))))
      continue;
    wanted.push_back(rows[i]);
    wanted.back().label = "";
    kept.push_back(i);
  }
  return wanted;
}

std::string clip_words(const Clip& clip) {
  return fmt::format("{}, {:.3f} .. {:.3f} s", clip.video.str(), clip.start_s, clip.end_s);
}

}  // namespace

std::string filmed_key(const Clip& clip) {
  if (clip.view == 0) return clip.key();
  Clip filmed = clip;
  filmed.view = 0;
  return filmed.key();
}

std::string written_clip(const Row& row) {
  const std::string path =
      std::filesystem::path(row.path.str()).lexically_normal().generic_string();
  if (row.start_frame >= 0)
    return fmt::format("{}, frames {} .. {}", path, row.start_frame, row.end_frame);
  if (row.start_s > 0 || std::isfinite(row.end_s))
    return fmt::format("{}, {:.3f} .. {:.3f} s", path, row.start_s, row.end_s);
  return path;
}

FeatureRows::FeatureRows(FeatureFiles files)
    : files_(std::move(files)), rows_(read_rows(files_.list, "", /*labelled=*/false)) {
  feature_width(files_);
  array_ = map_npy(files_.features);
  if (array_.size(0) != std::ssize(rows_))
    fail("{} has {} rows and {} names {} clips; both must speak of the same clips, in one order",
         files_.features, array_.size(0), files_.list, rows_.size());
  require_distinct_clips(rows_, files_.features);
}

void require_distinct_clips(const std::vector<Row>& rows, const std::string& array) {
  std::unordered_map<std::string, size_t> first;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto [at, fresh] = first.try_emplace(written_clip(rows[i]), i);
    if (!fresh)
      fail("{}: {} stands at {} already; a clip has one row: take one of the two lines out, and "
           "row {} or {} (the first is 0) out of {}",
           rows[i].place, at->first, rows[at->second].place, at->second, i, array);
  }
}

void require_finite_rows(const torch::Tensor& array, const torch::Tensor& rows,
                         const std::vector<Row>& named, const std::string& file) {
  constexpr int64_t kBlock = 4096;
  for (int64_t begin = 0; begin < rows.size(0); begin += kBlock) {
    const torch::Tensor block = rows.slice(0, begin, begin + kBlock);
    const torch::Tensor finite = torch::isfinite(array.index_select(0, block)).all(1);
    if (finite.all().item<bool>()) continue;
    const int64_t row = block[finite.logical_not().nonzero()[0].item<int64_t>()].item<int64_t>();
    const Row& clip = named[static_cast<size_t>(row)];
    fail("{}: row {} (the first is 0) holds NaN or infinity: {} of {}; compute it again, or leave "
         "this clip out",
         file, row, written_clip(clip), clip.place);
  }
}

FeatureTable::FeatureTable(const FeatureFiles& files, const std::string& folder,
                           const std::vector<Clip>& clips, const Probe& probe_video)
    : rows_(files) {
  std::vector<int64_t> kept;
  const std::vector<Row> rows = rows_of_videos(rows_.rows(), folder, clips, kept);
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  const ClipList made = make_clips(rows, folder, {}, {}, probe_video, quiet);
  for (size_t i = 0; i < made.clips.size(); ++i)
    row_of_.emplace(made.clips[i].key(), kept[static_cast<size_t>(made.origins[i].row)]);
  int64_t without = 0;
  const Clip* first = nullptr;
  for (const Clip& clip : clips) {
    if (row_of_.contains(filmed_key(clip))) continue;
    if (without++ == 0) first = &clip;
  }
  if (without > 0)
    fail("{}: {} of {} clips of the study have no row, the first is {}; add their rows to it and "
         "to {}, or take the clips out of the lists of the study",
         files.list, without, clips.size(), clip_words(*first), files.features);
  rows_.require_finite(rows_of(refs_of(clips)));
}

torch::Tensor FeatureTable::rows_of(const ClipRefs& clips) const {
  const torch::Tensor rows = torch::empty({std::ssize(clips)}, torch::kInt64);
  for (size_t i = 0; i < clips.size(); ++i)
    rows.mutable_data_ptr<int64_t>()[i] = row_of_.at(filmed_key(*clips[i]));
  return rows;
}

torch::Tensor FeatureTable::of(const ClipRefs& clips) const { return rows_.of(rows_of(clips)); }

std::string content_id(const FeatureFiles& files) {
  // A fingerprint is asked for again and again; large arrays are read once.
  static std::mutex mutex;
  static std::map<std::pair<std::string, int64_t>, std::pair<int64_t, std::string>> known;
  const auto id_of = [](const std::string& path) {
    const auto stamp = FileStamp::of(path);
    if (!stamp) fail("{}: no such file; give the path of features and of their list", path);
    const std::lock_guard lock(mutex);
    auto& [time, id] = known[{path, stamp->bytes}];
    if (id.empty() || time != stamp->modified_ns) {
      id = content_id(path);
      time = stamp->modified_ns;
    }
    return id;
  };
  return fmt::format("{}{}", id_of(files.features), id_of(files.list));
}

}  // namespace distal
