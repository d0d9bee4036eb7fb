#pragma once
// The report of an experiment: one static page that states the question, the answer and the
// evidence, and the same numbers as files for other tools. Needs no network, no torch, no video:
// thumbnails are handed in as bytes.

#include <functional>
#include <optional>
#include <string>

#include "distal/evaluation/results.h"

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

/// The numbers of curve_csv and the wall times, one JSON object per line.
std::string metrics_jsonl(const Results& results);

/// Writes report.html, curve.csv, report.json, metrics.jsonl and events.out.tfevents.distal into
/// `folder` (made when absent), each complete or not at all: what stood there stays until its
/// successor is whole. Throws Error: folder or file cannot be written, disk full; Interrupted
/// between two files.
void write_report(const std::string& folder, const Results& results,
                  const ThumbnailFunction& thumbnail);

}  // namespace distal
