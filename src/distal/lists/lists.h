#pragma once
// Which clips there are: a CSV of videos (or of annotated spans) becomes a list of clips with
// labels and groups. Columns, by header: path or video; label; optional group; optional
// start_s,end_s and start_frame,end_frame (inclusive, frames of the file; a row fills one of these
// pairs, or neither for the whole video). Fields are separated by commas, or by semicolons or tabs
// where the header has no comma; they may be quoted. CRLF, byte-order marks and UTF-16 are
// accepted. Labels and groups that are no UTF-8 are read as Windows-1252; paths are bytes. The
// label `unlabelled` marks a part that was looked at and belongs to no class: it is no class and
// gives no clip.

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/lists/quarantine.h"
#include "distal/video/probe.h"

namespace distal {

inline constexpr const char* kUnlabelled = "unlabelled";

struct ListOptions {
  std::string csv;     // relative to the data folder
  std::string groups;  // regular expression the group must match (search); empty: all
  void visit(OptionVisitor& v) const;
  bool operator==(const ListOptions&) const = default;
};

struct ClipOptions {
  std::string unit = "video";         // video (or the span of its row), or segment
  double length_s = 8, stride_s = 8;  // of segments
  void visit(OptionVisitor& v) const;
  bool operator==(const ClipOptions&) const = default;
};

/// Where something was read: `file:line`, or what else says it; two words wide in lists of ours,
/// which may have many.
struct Origin {
  Interned of;
  int64_t line = 0;  // 0: `of` says it all
  Origin() = default;
  Origin(std::string_view text) : of(text) {}
  Origin(const std::string& text) : of(text) {}
  Origin(const char* text) : of(text) {}
  Origin(const Interned& file, int64_t line) : of(file), line(line) {}
  operator std::string() const { return line > 0 ? fmt::format("{}:{}", of, line) : of.str(); }
  friend bool operator==(const Origin& place, std::string_view text) {
    return std::string(place) == text;
  }
  friend std::ostream& operator<<(std::ostream& out, const Origin& place) {
    return out << std::string(place);
  }
};

/// Where a clip comes from.
struct ClipOrigin {
  Origin place;          // its row
  int64_t row = -1;      // of those the clips were made of
  bool grouped = false;  // Row::grouped
};

struct ClipList {
  std::vector<Clip> clips;  // video paths absolute or relative to the working directory; ids filled
  std::vector<ClipOrigin> origins;  // a clip each
  std::vector<Quarantined> quarantined;
  std::vector<Quarantined> damaged;  // used all the same; `reason` says what is wrong
  int64_t refused_rows =
      0;  // rows of videos in `quarantined`, and rows whose span lies behind the end of their video
  int64_t unlabelled_segments =
      0;  // rows marked unlabelled, segments whose middle no labelled span covers: left out
  int64_t duplicates =
      0;  // clips left out because an earlier one has the same content, span (Clip::key) and label
};

/// One line of a CSV; nothing is opened. Absent columns keep their defaults; `group` is then the
/// path without its extension.
struct Row {
  Interned path, label,
      group;             // path as written, relative to the data folder; label and group in UTF-8
  bool grouped = false;  // the list says the group: it is not taken from the path
  double start_s = 0;
  double end_s = std::numeric_limits<double>::infinity();
  // inclusive; -1 where the list has no frame columns
  int64_t start_frame = -1;
  int64_t end_frame = -1;
  Origin place;
};

/// Rows whose group matches `groups`, in the order of the file. Throws Error `file:line: what,
/// cure`: missing file, missing column, wrong number of fields, number not readable, empty field,
/// open quote, no row left; UsageError for `groups`. With `labelled` false the label column may be
/// absent or empty (a pool nobody has answered for): the label is then "" and becomes -1 in clips.
std::vector<Row> read_rows(const std::string& csv_path, const std::string& groups,
                           bool labelled = true);

/// The group of a row that names none: its path without the extension.
std::string group_of_path(const std::string& path);

/// Labels found in rows, sorted; empty ones left out.
Classes classes_of(const std::vector<Row>& rows);

/// Probes each video once, two at a time (through `probe_video`, which may remember and must be
/// thread-safe), and makes clips. unit video: a clip per row, the row's span or the whole video.
/// unit segment: windows [k * stride, k * stride + length) over each whole video, the last one kept
/// from half its length on (the first always); the label is that of the first span that covers the
/// middle. An unreadable video, and a span outside its video, is quarantined with the reason. Of
/// clips with equal keys (a video listed twice, or a copy of it) the first one stays, labelled
/// where any of them is. Throws Error for an unknown label, with its line, and for one clip with
/// two labels, with both rows: rows whose spans of one content are the same to the millisecond, or
/// segments of copies. Interrupted.
ClipList make_clips(const std::vector<Row>& rows, const std::string& folder,
                    const ClipOptions& options, const Classes& classes,
                    const std::function<VideoInfo(const std::string&)>& probe_video,
                    Progress& progress);

/// The clips of one list in their role, for messages: `data.pool`.
struct RoleClips {
  std::string role;
  const ClipList* list;
};

/// Throws Error naming the first clip (Clip::key) that has one label in one list and another label
/// in another, with both rows.
void require_one_label(const std::vector<RoleClips>& lists, const Classes& classes);

}  // namespace distal

template <>
struct fmt::formatter<distal::Origin> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const distal::Origin& place, Context& context) const {
    return fmt::formatter<std::string_view>::format(std::string(place), context);
  }
};
