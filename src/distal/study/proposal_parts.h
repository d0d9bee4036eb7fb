#pragma once
// What the proposals of a first recipe have in common: looking at the videos, and wording.

#include <string>

#include "distal/study/proposal.h"

namespace distal {

/// The clips that a recipe would be about.
struct ProposedClips {
  Dataset dataset;
  double segment_s = 0;  // the length of the segments that videos should be cut into; 0: none
  int64_t pool() const { return std::ssize(dataset.pool); }
  int64_t classes() const { return dataset.classes.size(); }
  /// The recipe's line about segments; empty where there are none.
  std::string segments_text() const;
};

/// Opens the lists of the proposal. Videos that are much longer than what eight frames show, and
/// parts of much longer videos, become segments where that leaves at least `enough` clips. Throws
/// Error: no lists.
ProposedClips open_for_proposal(const ProposalOptions& options, int64_t enough_per_class,
                                Progress& progress);

/// A path or name as YAML holds it. JSON's strings are YAML's.
std::string in_quotes(const std::string& text);
/// The names as a YAML list.
std::string names_text(const std::vector<std::string>& names);
/// "a minute", "20 minutes", "3 hours", "2 days".
std::string in_words(double minutes);
/// Whether classes are told apart by left and right, so that a mirrored clip changes its class.
bool tells_sides(const Classes& classes);
/// A recipe is UTF-8. Throws Error where `path` is not; `cure` says what to do.
void require_utf8(const std::string& path, const char* cure);

}  // namespace distal
