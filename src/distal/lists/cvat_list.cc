#include <algorithm>
#include <set>
#include <tuple>

#include <pugixml.hpp>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/lists/foreign_lists.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

constexpr int kMostXmlDepth = 64;              // CVAT's own is nested seven deep
constexpr int64_t kMostXmlParts = 20'000'000;  // tags and attributes; each takes some 50 bytes
constexpr const char* kExportAgain = "export from CVAT again, as \"CVAT for video 1.1\"";

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

class Lines {
 public:
  Lines(const std::string& text, const std::string& place) : place_(place) {
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
      ends_.push_back(static_cast<ptrdiff_t>(at));
  }
  std::string at(ptrdiff_t offset) const {
    return fmt::format("{}:{}", place_,
                       std::lower_bound(ends_.begin(), ends_.end(), offset) - ends_.begin() + 1);
  }
  std::string of(const pugi::xml_node& node) const { return at(node.offset_debug()); }

 private:
  const std::string& place_;
  std::vector<ptrdiff_t> ends_;
};

class DepthGuard : public pugi::xml_tree_walker {
 public:
  explicit DepthGuard(const Lines& lines) : lines_(lines) {}
  bool for_each(pugi::xml_node& node) override {
    if (depth() >= kMostXmlDepth)
      fail("{}: tags nested deeper than {}; CVAT writes none so; {}", lines_.of(node),
           kMostXmlDepth, kExportAgain);
    return true;
  }

 private:
  const Lines& lines_;
};

bool is_shape(std::string_view name) {
  static const std::set<std::string_view> shapes = {"box",     "polygon", "polyline", "points",
                                                    "ellipse", "mask",    "cuboid",   "skeleton"};
  return shapes.contains(name);
}

// Tracks come from dump_as_cvat_interpolation, tags of frames from dump_as_cvat_annotation
// (cvat/apps/dataset_manager/formats/cvat.py of cvat-ai/cvat). A track has a shape for every frame
// it is in, then one that is `outside`.
class CvatReader {
 public:
  CvatReader(const std::string& text, const std::string& place)
      : lines_(text, place), place_(place) {}

  ForeignList read(const pugi::xml_document& document) {
    const pugi::xml_node root = document.document_element();
    if (std::string_view(root.name()) != "annotations")
      fail("{}: <{}> where <annotations> was expected; {}", lines_.of(root),
           excerpt(root.name(), 40), kExportAgain);
    meta(root);
    for (const pugi::xml_node node : root.children("track")) track(node);
    for (const pugi::xml_node node : root.children("image")) image(node);
    ForeignList list;
    for (Tally* tally : {&tracks_, &tags_, &shapes_, &attributes_}) {
      if (tally->total() > 0) list.tallies.push_back(*tally);
    }
    if (rows_.empty()) {
      std::string found;
      for (const Tally& tally : list.tallies) found += "; " + tally.text();
      fail("{}: no track and no tag of a frame to read{}; label the video in CVAT with tracks or "
           "tags",
           place_, found);
    }
    for (Row& row : merged()) list.add(std::move(row));
    return list;
  }

 private:
  void meta(const pugi::xml_node& root) {
    const auto named = [&](const char* name) {
      return root.find_node(
          [&](const pugi::xml_node& node) { return std::string_view(node.name()) == name; });
    };
    if (const auto project = root.child("meta").child("project"))
      fail("{}: a project; export its tasks one by one", lines_.of(project));
    video_ = named("source").text().get();
    const std::string filter = named("frame_filter").text().get();
    if (filter.starts_with("step="))
      step_ = std::clamp(std::atoi(filter.c_str() + 5), 1, 1'000'000);
  }

  std::string value(const pugi::xml_node& node, const char* key) const {
    const std::string text = node.attribute(key).value();
    if (text.empty())
      fail("{}: <{}> has no {}; {}", lines_.of(node), node.name(), key, kExportAgain);
    return text;
  }

  int64_t frame_of(const pugi::xml_node& node, const char* key) const {
    const std::string digits = value(node, key);
    if (digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos)
      fail("{}: {} is '{}', not the number of a frame; {}", lines_.of(node), key,
           excerpt(digits, 40), kExportAgain);
    return std::stoll(digits);
  }

  // Skeletons carry the word at their points.
  static bool outside(const pugi::xml_node& shape) {
    if (const auto said = shape.attribute("outside")) return said.as_bool();
    const auto points = shape.children("points");
    return points.begin() != points.end() &&
           std::all_of(points.begin(), points.end(), [](const pugi::xml_node& point) {
             return point.attribute("outside").as_bool();
           });
  }

  void track(const pugi::xml_node& node) {
    const std::string label = value(node, "label");
    // frames since it was last outside
    int64_t first = -1;
    int64_t last = -1;
    const size_t before = rows_.size();
    for (const pugi::xml_node shape : node.children()) {
      if (shape.type() != pugi::node_element) continue;
      count_attributes(shape);
      if (!is_shape(shape.name())) continue;
      const int64_t frame = frame_of(shape, "frame");
      if (frame <= last)
        fail("{}: frame {} of the track after frame {}; {}", lines_.of(shape), frame, last,
             kExportAgain);
      const bool gone = outside(shape);
      if (gone && first >= 0) add(node, label, first, frame - 1);
      if (gone || first < 0) first = gone ? -1 : frame;
      last = frame;
    }
    if (first >= 0) add(node, label, first, last + step_ - 1);
    if (rows_.size() > before)
      tracks_.read();
    else
      tracks_.leave_out("without a frame they are in", lines_.of(node));
  }

  void image(const pugi::xml_node& node) {
    for (const pugi::xml_node inner : node.children()) {
      if (inner.type() != pugi::node_element) continue;
      count_attributes(inner);
      if (std::string_view(inner.name()) == "tag") {
        const int64_t frame = frame_of(node, "id");
        add(inner, value(inner, "label"), frame, frame + step_ - 1);
        tags_.read();
      } else {
        shapes_.leave_out(is_shape(inner.name())
                              ? fmt::format("{} without a track", inner.name())
                              : fmt::format("of unknown kind {}", excerpt(inner.name(), 40)),
                          lines_.of(inner));
      }
    }
  }

  void count_attributes(const pugi::xml_node& owner) {
    for (const pugi::xml_node attribute : owner.children("attribute"))
      attributes_.leave_out(
          fmt::format("called '{}' left out", excerpt(attribute.attribute("name").value(), 40)),
          lines_.of(attribute));
  }

  void add(const pugi::xml_node& owner, const std::string& label, int64_t first, int64_t last) {
    if (video_.empty())
      fail("{}: no <source> in <meta> names the video; only tasks of one video are read",
           lines_.of(owner));
    Row row{video_, utf8_name(label)};
    set_group_of_name(row);
    row.start_frame = first;
    row.end_frame = last;
    row.place = lines_.of(owner);
    rows_.push_back(row);
  }

  // Spans of one label that touch or overlap are one.
  std::vector<Row> merged() {
    const auto order = [](const Row& row) { return std::tie(row.label, row.start_frame); };
    std::sort(rows_.begin(), rows_.end(),
              [&](const Row& a, const Row& b) { return order(a) < order(b); });
    std::vector<Row> spans;
    for (const Row& row : rows_) {
      if (spans.empty() || spans.back().label != row.label ||
          row.start_frame > spans.back().end_frame + 1)
        spans.push_back(row);
      else
        spans.back().end_frame = std::max(spans.back().end_frame, row.end_frame);
    }
    std::stable_sort(spans.begin(), spans.end(),
                     [](const Row& a, const Row& b) { return a.start_frame < b.start_frame; });
    return spans;
  }

  Lines lines_;
  std::string place_, video_;
  int64_t step_ = 1;  // CVAT showed every step-th frame of the file
  std::vector<Row> rows_;
  Tally tracks_{"tracks"};
  Tally tags_{"tags of frames"};
  Tally shapes_{"shapes of images"};
  Tally attributes_{"attributes"};
};

}  // namespace

ForeignList read_cvat(const std::string& text, const std::string& place) {
  const auto parts =
      std::count(text.begin(), text.end(), '<') + std::count(text.begin(), text.end(), '=');
  if (parts > kMostXmlParts)
    fail("{}: {} tags and attributes, at most {} are read; export shorter tasks", place, parts,
         kMostXmlParts);
  const Lines lines(text, place);
  pugi::xml_document document;
  const auto parsed = document.load_buffer(
      text.data(), text.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8);
  if (!parsed)
    fail("{}: no XML: {}; {}", lines.at(parsed.offset), reason_of(parsed.status), kExportAgain);
  for (const pugi::xml_node node : document.children()) {
    if (node.type() == pugi::node_doctype &&
        std::string_view(node.value()).find('[') != std::string_view::npos)
      fail("{}: a DOCTYPE that defines entities, which are not read; {}", lines.of(node),
           kExportAgain);
  }
  DepthGuard guard(lines);
  document.traverse(guard);
  return CvatReader(text, place).read(document);
}

}  // namespace distal
