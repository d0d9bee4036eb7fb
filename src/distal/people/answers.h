#pragma once
// What people are asked, and what they answer, as plain values. Files, the page and the store have
// forms of their own and meet in these.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace distal {

/// What an answer is: one class of the whole clip, or spans of it with a class each.
enum class AskedKind { clip, ranges };

/// A question.
struct AskedItem {
  std::string clip;   // Clip::key(); names the item in every file
  std::string video;  // path of the video
  double start_s = 0;
  double end_s = std::numeric_limits<double>::infinity();  // infinity: to the end of the video
  AskedKind kind = AskedKind::clip;
  // Frames of the file in the order they are shown, from 0, both included; -1: not known.
  int64_t first_frame = -1;
  int64_t last_frame = -1;
  double frame_rate = 0;      // frames a second; 0: not known
  int64_t asked_ms = 0;       // UTC, since 1970; 0: not known
  std::vector<double> guess;  // probabilities [K] of the student; empty: none
  int64_t width = 0;          // of the pictures, px; 0: not known
  int64_t height = 0;
  bool operator==(const AskedItem&) const = default;
};

struct Questions {
  std::vector<std::string> classes;  // K names
  std::vector<AskedItem> items;      // in the order they are to be asked; each clip once
};

/// Seconds of the video, [start_s, end_s).
struct AnsweredRange {
  double start_s = 0;
  double end_s = 0;
  std::string class_name;
  bool operator==(const AnsweredRange&) const = default;
};

/// An answer of one person about one item.
struct GivenAnswer {
  std::string clip;
  std::string person;
  std::string class_name;             // empty where skipped, and for an item of kind `ranges`
  std::vector<AnsweredRange> ranges;  // of kind `ranges`; empty: the person found none
  bool skipped = false;
  bool unsure = false;
  std::string note;
  int64_t answered_ms = 0;        // UTC, since 1970; 0: not known
  std::optional<double> seconds;  // of the person's time; nothing: not known
  std::string source;             // csv, label-studio, cvat, page
  std::string id;                 // what the tool calls the answer; empty: nothing
  std::string place;              // where it was read, file:line
};

/// A row that was not taken.
struct RowRefusal {
  std::string place, what, cure;
  std::string text() const;  // "place: what; cure"
};

}  // namespace distal
