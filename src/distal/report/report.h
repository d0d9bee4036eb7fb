#pragma once
// The report of an experiment: one static page that states the question, the answer and the
// evidence, and the same numbers as files for other tools. Needs no network, no torch, no video:
// thumbnails are handed in as bytes.

#include <functional>
#include <optional>
#include <string>

#include "distal/evaluation/results.h"
#include "distal/report/event_log.h"

namespace distal {

struct Thumbnail {
  std::string mime;  // image/png or image/jpeg
  std::string bytes;
};
/// Gives a picture of a clip, or nothing. May be empty; what it throws as Error counts as nothing.
using ThumbnailFunction = std::function<std::optional<Thumbnail>(const Clip&)>;

/// The whole page. Any results will do: no trials, one seed, one round, NaN. Throws Interrupted
/// after a signal.
std::string report_html(const Results& results, const ThumbnailFunction& thumbnail);

/// to_json(results), and what the page says of it: the sentences of the answer, and each comparison
/// with its tests and finding. results_from_json reads it.
std::string report_json(const Results& results);

/// One row per arm, seed and round after a line of headings (RFC 4180, \n); NaN is an empty field.
std::string curve_csv(const Results& results);

/// The numbers of curve_csv, the wall times and, where two oracles answered, what each did; one
/// JSON object per line.
std::string metrics_jsonl(const Results& results);

/// curve.csv, metrics.jsonl and events.out.tfevents.distal of a folder, while a study runs.
class CurveFiles {
 public:
  explicit CurveFiles(const std::string& folder);
  /// Brings the files up to date with what was measured so far. The tables are replaced as a whole;
  /// TensorBoard's events are appended, each once. Of equal results the tables are those of
  /// write_report. The caller sees to it that one process at a time does so. Throws Error as
  /// write_report does.
  void update(const Results& results);

 private:
  std::string folder_;
  EventLog events_;
};

/// Writes report.html, curve.csv, report.json, metrics.jsonl and events.out.tfevents.distal into
/// `folder` (made when absent), each complete or not at all: what stood there stays until its
/// successor is whole. Throws Error: folder or file cannot be written, disk full; Interrupted
/// between two files.
void write_report(const std::string& folder, const Results& results,
                  const ThumbnailFunction& thumbnail);

}  // namespace distal
