#include "distal/lists/cvat_document.h"

#include <algorithm>
#include <set>

#include "distal/base/error.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr int kMostXmlDepth = 64;              // CVAT's own is nested seven deep
constexpr int64_t kMostXmlParts = 20'000'000;  // tags and attributes; each takes some 50 bytes

const char* reason_of(pugi::xml_parse_status status) {
  switch (status) {
    case pugi::status_end_element_mismatch:
      return "an end tag does not fit what is open, or the file ends too early";
    case pugi::status_bad_attribute: return "an attribute is not name=\"value\"";
    case pugi::status_bad_start_element: return "a tag is not closed by >";
    case pugi::status_bad_end_element: return "an end tag is not closed by >";
    case pugi::status_bad_comment: return "a comment is not closed";
    case pugi::status_bad_cdata: return "a CDATA section is not closed";
    case pugi::status_bad_doctype: return "a DOCTYPE is not closed";
    case pugi::status_bad_pi: return "a <? is not closed";
    case pugi::status_no_document_element: return "there is no tag";
    default: return "a tag is malformed";
  }
}

class DepthGuard : public pugi::xml_tree_walker {
 public:
  explicit DepthGuard(const CvatDocument& document) : document_(document) {}
  bool for_each(pugi::xml_node& node) override {
    if (depth() >= kMostXmlDepth)
      fail("{}: tags nested deeper than {}; CVAT writes none so; {}", document_.place_of(node),
           kMostXmlDepth, kExportFromCvatAgain);
    return true;
  }

 private:
  const CvatDocument& document_;
};

// Skeletons carry the word at their points.
bool is_outside(const pugi::xml_node& shape) {
  if (const auto said = shape.attribute("outside")) return said.as_bool();
  const auto points = shape.children("points");
  return points.begin() != points.end() &&
         std::all_of(points.begin(), points.end(), [](const pugi::xml_node& point) {
           return point.attribute("outside").as_bool();
         });
}

}  // namespace

CvatDocument::CvatDocument(const std::string& text, const std::string& place) : place_(place) {
  const auto parts =
      std::count(text.begin(), text.end(), '<') + std::count(text.begin(), text.end(), '=');
  if (parts > kMostXmlParts)
    fail("{}: {} tags and attributes, at most {} are read; export shorter tasks", place, parts,
         kMostXmlParts);
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
    line_ends_.push_back(static_cast<ptrdiff_t>(at));
  const auto parsed = document_.load_buffer(
      text.data(), text.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8);
  if (!parsed)
    fail("{}: no XML: {}; {}", place_at(parsed.offset), reason_of(parsed.status),
         kExportFromCvatAgain);
  for (const pugi::xml_node node : document_.children()) {
    if (node.type() == pugi::node_doctype &&
        std::string_view(node.value()).find('[') != std::string_view::npos)
      fail("{}: a DOCTYPE that defines entities, which are not read; {}", place_of(node),
           kExportFromCvatAgain);
  }
  DepthGuard guard(*this);
  document_.traverse(guard);
}

std::string CvatDocument::place_at(ptrdiff_t offset) const {
  return fmt::format(
      "{}:{}", place_,
      std::lower_bound(line_ends_.begin(), line_ends_.end(), offset) - line_ends_.begin() + 1);
}

std::string CvatDocument::place_of(const pugi::xml_node& node) const {
  return place_at(node.offset_debug());
}

std::string CvatDocument::value(const pugi::xml_node& node, const char* key) const {
  const std::string text = node.attribute(key).value();
  if (text.empty())
    fail("{}: <{}> has no {}; {}", place_of(node), node.name(), key, kExportFromCvatAgain);
  return text;
}

int64_t CvatDocument::frame_of(const pugi::xml_node& node, const char* key) const {
  const std::string digits = value(node, key);
  if (digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos)
    fail("{}: {} is '{}', not the number of a frame; {}", place_of(node), key, excerpt(digits, 40),
         kExportFromCvatAgain);
  return std::stoll(digits);
}

void CvatDocument::each_span(const pugi::xml_node& track, int64_t step,
                             const std::function<void(const pugi::xml_node&)>& shape,
                             const std::function<void(FrameSpan)>& span) const {
  // frames since it was last outside
  int64_t first = -1;
  int64_t last = -1;
  for (const pugi::xml_node node : track.children()) {
    if (node.type() != pugi::node_element) continue;
    shape(node);
    if (!is_cvat_shape(node.name())) continue;
    const int64_t frame = frame_of(node, "frame");
    if (frame <= last)
      fail("{}: frame {} of the track after frame {}; {}", place_of(node), frame, last,
           kExportFromCvatAgain);
    const bool gone = is_outside(node);
    if (gone && first >= 0) span({first, frame - 1});
    if (gone || first < 0) first = gone ? -1 : frame;
    last = frame;
  }
  if (first >= 0) span({first, last + step - 1});
}

bool is_cvat_shape(std::string_view tag) {
  static const std::set<std::string_view> shapes = {"box",     "polygon", "polyline", "points",
                                                    "ellipse", "mask",    "cuboid",   "skeleton"};
  return shapes.contains(tag);
}

int64_t cvat_step(const std::string& frame_filter) {
  if (!frame_filter.starts_with("step=")) return 1;
  return std::clamp(std::atoi(frame_filter.c_str() + 5), 1, 1'000'000);
}

}  // namespace distal
