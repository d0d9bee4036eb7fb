#pragma once
// Rows of features (base/feature_files.h) and the clips that they are of.

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/types.h>

#include "distal/base/feature_files.h"
#include "distal/base/nouns.h"
#include "distal/lists/lists.h"

namespace distal {

/// A row's video and the part of it, as the list writes them; equal for rows that name one clip.
std::string written_clip(const Row& row);
/// Throws Error, with both places, where two rows name one clip. `array`: whose rows they name.
void require_distinct_clips(const std::vector<Row>& rows, const std::string& array);
/// Throws Error where one of `rows`, int64 [N], of an array [M, D] holds NaN or infinity. `named`:
/// the clips of the array; `file`: its name.
void require_finite_rows(const torch::Tensor& array, const torch::Tensor& rows,
                         const std::vector<Row>& named, const std::string& file);

/// An array of features beside the rows of its list. The array is mapped from disk.
class FeatureRows {
 public:
  /// Throws Error, with file and row: no such file, not [M, D], another number of rows in the list,
  /// a list that names one clip twice.
  explicit FeatureRows(FeatureFiles files);

  const FeatureFiles& files() const { return files_; }
  const std::vector<Row>& rows() const { return rows_; }
  int64_t width() const { return array_.size(1); }  // D
  /// float32 [N, D] of these rows, int64 [N].
  torch::Tensor of(const torch::Tensor& rows) const {
    return array_.index_select(0, rows).to(torch::kFloat32);
  }
  /// Throws Error: one of these rows holds NaN or infinity.
  void require_finite(const torch::Tensor& rows) const {
    require_finite_rows(array_, rows, rows_, files_.features);
  }

 private:
  FeatureFiles files_;
  std::vector<Row> rows_;
  torch::Tensor array_;  // [M, D]
};

/// Clip::key of the clip itself: a view has the features of its clip.
std::string filmed_key(const Clip& clip);

/// The features of the clips of a study.
class FeatureTable {
 public:
  using Probe = std::function<VideoInfo(const std::string& path)>;

  /// Finds the row of each clip: of the same content and span, to the millisecond (Clip::key).
  /// `folder`: what paths of the list are relative to. Videos that no clip is of are not opened.
  /// Throws Error: as FeatureRows; a clip without a row; a row of a clip that holds NaN.
  FeatureTable(const FeatureFiles& files, const std::string& folder, const std::vector<Clip>& clips,
               const Probe& probe_video);

  int64_t width() const { return rows_.width(); }
  /// float32 [N, D]. A view of a clip has the features of the clip.
  torch::Tensor of(const ClipRefs& clips) const;

 private:
  FeatureRows rows_;
  torch::Tensor rows_of(const ClipRefs& clips) const;
  std::unordered_map<std::string, int64_t> row_of_;  // by Clip::key
};

/// A hash of what both files hold, 16 digits each. Throws Error: unreadable.
std::string content_id(const FeatureFiles& files);

}  // namespace distal
