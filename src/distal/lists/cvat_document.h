#pragma once
// CVAT's XML as a tree, with the place of each part. Of this room alone, as pugixml is.

#include <functional>
#include <string>
#include <vector>

#include <pugixml.hpp>

namespace distal {

inline constexpr const char* kExportFromCvatAgain =
    "export from CVAT again, as \"CVAT for video 1.1\"";

/// Frames of a video, from 0, both included.
struct FrameSpan {
  int64_t first = 0;
  int64_t last = 0;
};

/// Reads `text` within bounds of size and depth. Throws Error `place:line: what; cure`.
class CvatDocument {
 public:
  CvatDocument(const std::string& text, const std::string& place);
  CvatDocument(const CvatDocument&) = delete;

  pugi::xml_node root() const { return document_.document_element(); }
  std::string place_of(const pugi::xml_node& node) const;  // file:line

  /// The value of an attribute. Throws Error where it is absent or empty.
  std::string value(const pugi::xml_node& node, const char* key) const;
  /// The same as the number of a frame.
  int64_t frame_of(const pugi::xml_node& node, const char* key) const;

  /// The spans of a track in turn: from a shape up to the one that is outside, or the last one.
  /// CVAT showed every `step`-th frame. `shape` is called for each child that is a tag, shape or
  /// not.
  void each_span(const pugi::xml_node& track, int64_t step,
                 const std::function<void(const pugi::xml_node&)>& shape,
                 const std::function<void(FrameSpan)>& span) const;

 private:
  std::string place_at(ptrdiff_t offset) const;
  std::string place_;
  std::vector<ptrdiff_t> line_ends_;
  pugi::xml_document document_;
};

/// Whether a tag is a shape of CVAT's.
bool is_cvat_shape(std::string_view tag);

/// N of a frame_filter `step=N`; 1 where there is none.
int64_t cvat_step(const std::string& frame_filter);

}  // namespace distal
