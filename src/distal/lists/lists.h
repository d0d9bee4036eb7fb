#pragma once
// Lists of clips. A CSV of videos, or of annotated spans of videos, becomes a list of clips with
// labels and groups.
//
// The header names the columns: path or video, label, optionally group, optionally start_s,end_s
// and start_frame,end_frame. Frame numbers count the frames of the file, and end_frame is
// inclusive. A row has values for one of these pairs, or for none if the clip is the whole video.
// Commas separate fields. If the header has no comma, semicolons or tabs do. Fields may be quoted.
// CRLF, byte-order marks and UTF-16 are accepted. Labels and groups that are not UTF-8 are read as
// Windows-1252. Paths are bytes. The label `unlabelled` marks a span that belongs to no class. Such
// a span gives no clip.

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/lists/quarantine.h"
#include "distal/video/probe.h"

namespace distal {

class OptionVisitor;
class Progress;

inline constexpr const char* kUnlabelled = "unlabelled";

struct ListOptions {
  std::string csv;     // relative to the data folder
  std::string groups;  // regular expression the group must match (search); empty: all
  void visit(OptionVisitor& v) const;
  bool operator==(const ListOptions&) const = default;
};

struct ClipOptions {
  std::string unit = "video";  // video (or the span of its row), or segment
  // of segments
  double length_s = 8;
  double stride_s = 8;
  void visit(OptionVisitor& v) const;
  bool operator==(const ClipOptions&) const = default;
};

/// The place of an entry in a file, for messages: `file:line`, or another text. It is small,
/// because lists may have many entries.
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

/// The row of the list that a clip was made of.
struct ClipOrigin {
  Origin place;          // its row
  int64_t row = -1;      // index of the row
  bool grouped = false;  // Row::grouped
};

struct ClipList {
  std::vector<Clip> clips;  // video paths absolute or relative to the working directory; ids filled
  std::vector<ClipOrigin> origins;  // one for each clip
  std::vector<Quarantined> quarantined;
  std::vector<Quarantined> damaged;  // in use; `reason` is the damage
  // rows of videos in `quarantined`, and rows with a span behind the end of the video
  int64_t refused_rows = 0;
  // omitted rows with the label unlabelled, and omitted segments whose middle has no label
  int64_t unlabelled_segments = 0;
  // omitted clips that repeat the content, span (Clip::key) and label of an earlier clip
  int64_t duplicates = 0;
};

/// A row of a CSV. Reading it opens no video. Absent columns have the defaults. Without a column,
/// `group` is the path without its extension.
struct Row {
  // path as written, relative to the data folder; label and group in UTF-8
  Interned path, label, group;
  bool grouped = false;  // the list has the group; otherwise it is taken from the path
  double start_s = 0;
  double end_s = std::numeric_limits<double>::infinity();
  // inclusive; -1 where the list has no frame columns
  int64_t start_frame = -1;
  int64_t end_frame = -1;
  Origin place;
};

/// The rows whose group matches `groups`, in the order of the file. With `labelled` false, the
/// column label may be absent or empty. The label is then "", and -1 in clips. Throws Error with
/// file and line: missing file, missing column, wrong number of fields, invalid number, empty
/// field, open quote, or no matching row. Throws UsageError: invalid `groups`.
std::vector<Row> read_rows(const std::string& csv_path, const std::string& groups,
                           bool labelled = true);

/// The group of a row that names none: its path without the extension.
std::string group_of_path(const std::string& path);

/// The labels of the rows, sorted, without empty labels.
Classes classes_of(const std::vector<Row>& rows);

/// Probes each video once and makes clips. Two threads call `probe_video`. It must be thread-safe
/// and may cache results.
///
/// With unit video, each row gives one clip: its span or the whole video. With unit segment, each
/// video gives the windows [k * stride, k * stride + length). The last window must have at least
/// half the length, unless it is the first. The label of a window is that of the first span that
/// covers its middle.
///
/// Unreadable videos and spans outside of their video go into quarantine with the reason. Of clips
/// with equal keys (a video listed twice, or a copy of it) the first stays. It gets a label if any
/// of them has one.
///
/// Throws Error with the line: unknown label. Throws Error with both rows: one clip with two
/// labels, in rows with equal spans (to the millisecond) of the same content, or in segments of
/// copies. Throws Interrupted.
ClipList make_clips(const std::vector<Row>& rows, const std::string& folder,
                    const ClipOptions& options, const Classes& classes,
                    const std::function<VideoInfo(const std::string&)>& probe_video,
                    Progress& progress);

/// The clips of a list with the name of the list in messages, such as `data.pool`.
struct RoleClips {
  std::string role;
  const ClipList* list;
};

/// Throws Error if a clip (Clip::key) has different labels in two lists. The message names both
/// rows of the first such clip.
void require_one_label(const std::vector<RoleClips>& lists, const Classes& classes);

}  // namespace distal

template <>
struct fmt::formatter<distal::Origin> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const distal::Origin& place, Context& context) const {
    return fmt::formatter<std::string_view>::format(std::string(place), context);
  }
};
