#include <algorithm>
#include <tuple>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/lists/cvat_document.h"
#include "distal/lists/foreign_lists.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

// Tracks come from dump_as_cvat_interpolation, tags of frames from dump_as_cvat_annotation
// (cvat/apps/dataset_manager/formats/cvat.py of cvat-ai/cvat). A track has a shape for every frame
// it is in, then one that is `outside`.
class CvatReader {
 public:
  CvatReader(const CvatDocument& document, const std::string& place)
      : document_(document), place_(place) {}

  ForeignList read() {
    const pugi::xml_node root = document_.root();
    if (std::string_view(root.name()) != "annotations")
      fail("{}: <{}> where <annotations> was expected; {}", document_.place_of(root),
           excerpt(root.name(), 40), kExportFromCvatAgain);
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
      fail("{}: a project; export its tasks one by one", document_.place_of(project));
    video_ = named("source").text().get();
    step_ = cvat_step(named("frame_filter").text().get());
  }

  void track(const pugi::xml_node& node) {
    const std::string label = document_.value(node, "label");
    const size_t before = rows_.size();
    document_.each_span(
        node, step_, [&](const pugi::xml_node& shape) { count_attributes(shape); },
        [&](FrameSpan span) { add(node, label, span.first, span.last); });
    if (rows_.size() > before)
      tracks_.read();
    else
      tracks_.leave_out("without a frame they are in", document_.place_of(node));
  }

  void image(const pugi::xml_node& node) {
    for (const pugi::xml_node inner : node.children()) {
      if (inner.type() != pugi::node_element) continue;
      count_attributes(inner);
      if (std::string_view(inner.name()) == "tag") {
        const int64_t frame = document_.frame_of(node, "id");
        add(inner, document_.value(inner, "label"), frame, frame + step_ - 1);
        tags_.read();
      } else {
        shapes_.leave_out(is_cvat_shape(inner.name())
                              ? fmt::format("{} without a track", inner.name())
                              : fmt::format("of unknown kind {}", excerpt(inner.name(), 40)),
                          document_.place_of(inner));
      }
    }
  }

  void count_attributes(const pugi::xml_node& owner) {
    for (const pugi::xml_node attribute : owner.children("attribute"))
      attributes_.leave_out(
          fmt::format("called '{}' left out", excerpt(attribute.attribute("name").value(), 40)),
          document_.place_of(attribute));
  }

  void add(const pugi::xml_node& owner, const std::string& label, int64_t first, int64_t last) {
    if (video_.empty())
      fail("{}: no <source> in <meta> names the video; only tasks of one video are read",
           document_.place_of(owner));
    Row row{video_, utf8_name(label)};
    set_group_of_name(row);
    row.start_frame = first;
    row.end_frame = last;
    row.place = document_.place_of(owner);
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

  const CvatDocument& document_;
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
  const CvatDocument document(text, place);
  return CvatReader(document, place).read();
}

}  // namespace distal
