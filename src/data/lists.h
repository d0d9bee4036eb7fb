#pragma once
// Which clips there are: a CSV of videos (or of annotated spans) becomes a list of clips with labels and groups.
// Columns, by header: path or video; label; optional group; optional start_s,end_s or start_frame,end_frame (inclusive,
// frames of the file). Quoted fields, CRLF and a byte-order mark are accepted. The label `unlabelled` marks a part that
// was looked at and belongs to no class: it is no class and gives no clip.

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/nouns.h"
#include "base/options.h"
#include "base/progress.h"
#include "data/quarantine.h"
#include "video/probe.h"

namespace distal {

inline constexpr const char* kUnlabelled = "unlabelled";

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

struct ClipList {
  std::vector<Clip> clips;                 // video paths absolute or relative to the working directory; ids filled
  std::vector<Quarantined> quarantined;
  std::vector<Quarantined> damaged;        // used all the same; `reason` says what is wrong
  int64_t unlabelled_segments = 0;         // rows marked unlabelled, segments whose middle no labelled span covers: left out
  int64_t duplicates = 0;                  // clips left out because an earlier one has the same content and span (Clip::key)
};

/// Where something was read: `file:line`, or what else says it; two words wide in lists of ours, which may have many.
struct Origin {
  Interned of;
  int64_t line = 0;  // 0: `of` says it all
  Origin() = default;
  Origin(std::string_view text) : of(text) {}
  Origin(const std::string& text) : of(text) {}
  Origin(const char* text) : of(text) {}
  Origin(const Interned& file, int64_t line) : of(file), line(line) {}
  operator std::string() const { return line > 0 ? fmt::format("{}:{}", of, line) : of.str(); }
  friend bool operator==(const Origin& place, std::string_view text) { return std::string(place) == text; }
  friend std::ostream& operator<<(std::ostream& out, const Origin& place) { return out << std::string(place); }
};

/// One line of a CSV; nothing is opened. Absent columns keep their defaults; `group` is then the path without its extension.
struct Row {
  Interned path, label, group;             // path as written, relative to the data folder
  double start_s = 0, end_s = std::numeric_limits<double>::infinity();
  int64_t start_frame = -1, end_frame = -1;  // inclusive; -1 where the list has no frame columns
  Origin place;
};

/// Rows whose group matches `groups`, in the order of the file. Throws Error `file:line: what, cure`: missing file, missing
/// column, wrong number of fields, number not readable, empty field, open quote, no row left. With `labelled` false the
/// label column may be absent or empty (a pool nobody has answered for): the label is then "" and becomes -1 in clips.
std::vector<Row> read_rows(const std::string& csv_path, const std::string& groups, bool labelled = true);

/// Labels found in rows, sorted; empty ones left out.
Classes classes_of(const std::vector<Row>& rows);

/// Probes each video once, two at a time (through `probe_video`, which may remember and must be thread-safe), and makes
/// clips. unit video: a clip per row, the row's span or the whole video. unit segment: windows [k * stride, k * stride +
/// length) over each whole video, the last one kept from half its length on (the first always); the label is that of the
/// first span that covers the middle. An unreadable video, and a span outside its video, is quarantined with the reason.
/// Of clips with equal keys (a video listed twice, or a copy of it) the first one stays, with its label.
/// Throws Error for an unknown label, with its line; Interrupted.
ClipList make_clips(const std::vector<Row>& rows, const std::string& folder, const ClipOptions& options,
                    const Classes& classes, const std::function<VideoInfo(const std::string&)>& probe_video, Progress& progress);

/// Throws Error naming the first group both lists share, or the first two files, of one list each, with the same content.
void require_disjoint_groups(const std::vector<Clip>& training, const std::vector<Clip>& test);

}  // namespace distal

template <>
struct fmt::formatter<distal::Origin> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const distal::Origin& place, Context& context) const {
    return fmt::formatter<std::string_view>::format(std::string(place), context);
  }
};
