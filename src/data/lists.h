#pragma once
// Which clips there are: a CSV of videos (or of annotated spans) becomes a list of clips with labels and groups.
// Columns, by header: path or video; label; optional group; optional start_s,end_s or start_frame,end_frame (inclusive,
// frames of the file). Quoted fields, CRLF and a byte-order mark are accepted.

#include <functional>
#include <string>
#include <vector>

#include "base/nouns.h"
#include "base/options.h"
#include "base/progress.h"
#include "video/probe.h"

namespace distal {

struct ListOptions {
  std::string csv;                 // relative to the data folder
  std::string groups;              // regular expression the group must match (search); empty: all
  void visit(OptionVisitor& v);
};

struct ClipOptions {
  std::string unit = "video";      // video (or the span of its row), or segment
  double length_s = 8, stride_s = 8;  // of segments
  void visit(OptionVisitor& v);
};

/// A video that cannot be used, with its reason. It never stops a run.
struct Quarantined {
  std::string path, reason;
};

struct ClipList {
  std::vector<Clip> clips;                 // video paths absolute or relative to the working directory; ids filled
  std::vector<Quarantined> quarantined;
  int64_t unlabelled_segments = 0;         // segments whose middle no span covers: left out
};

/// The rows of a CSV as (video, span, label, group); nothing is opened. Throws Error `file:line: what, cure`.
struct Row { std::string path, label, group; double start_s, end_s; int64_t start_frame, end_frame; int64_t line; };
std::vector<Row> read_rows(const std::string& csv_path, const std::string& groups);

/// Labels found in rows, sorted.
Classes classes_of(const std::vector<Row>& rows);

/// Probes each video once (through `probe_video`, which may remember) and makes clips. A segment's label is the span that
/// covers its middle. Group: the column, else the file's stem. Throws Error for an unknown label, with its line.
ClipList make_clips(const std::vector<Row>& rows, const std::string& folder, const ClipOptions& options,
                    const Classes& classes, const std::function<VideoInfo(const std::string&)>& probe_video, Progress& progress);

/// Throws Error naming the first group both lists share.
void require_disjoint_groups(const std::vector<Clip>& training, const std::vector<Clip>& test);

}  // namespace distal
