#include <algorithm>
#include <map>
#include <sstream>
#include <tuple>

#include "base/error.h"
#include "data/foreign_lists.h"

namespace distal {
namespace {

struct Tag {
  std::string name, text, place;
  std::map<std::string, std::string> attributes;
  bool opens = false, closes = false;  // <name>; </name>; both in one line: <name>text</name>, <name/>

  const std::string& value(const std::string& key) const {
    const auto found = attributes.find(key);
    if (found == attributes.end() || found->second.empty()) fail("{}: <{}> has no {}; export from CVAT again", place, name, key);
    return found->second;
  }
  int64_t frame(const std::string& key) const {
    const std::string& digits = value(key);
    if (digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos) fail("{}: {} is '{}', not a frame", place, key, digits);
    return std::stoll(digits);
  }
};

// CVAT writes one tag a line, or a tag with its text and its end (XmlAnnotationWriter in cvat/apps/dataset_manager/formats/cvat.py
// of cvat-ai/cvat). What else XML can hold is refused.
class Line {
 public:
  Line(std::string text, std::string place) : text_(std::move(text)), place_(std::move(place)) {}

  Tag tag() {
    Tag tag{.place = place_};
    if (!take("<") || text_.starts_with('!')) refuse();
    tag.closes = take("/");
    tag.opens = !tag.closes;
    tag.name = upto(" />");
    while (take(" ") && !text_.starts_with('/')) {
      const std::string key = upto("="), quote = text_.starts_with("='") ? "'" : "\"";
      if (!take("=" + quote)) refuse();
      tag.attributes[key] = decoded(upto(quote.c_str()));
      take(quote);
    }
    if (take("/>")) tag.closes = true;
    else if (!take(">")) refuse();
    if (text_.empty()) return tag;
    tag.text = decoded(upto("<"));
    tag.closes = take("</" + tag.name + ">");
    if (!tag.closes || !text_.empty()) refuse();
    return tag;
  }

 private:
  [[noreturn]] void refuse() const { fail("{}: not as CVAT writes it, one <tag name=\"value\"> a line; export from CVAT again as XML 1.1", place_); }
  bool take(const std::string& word) {
    if (!text_.starts_with(word)) return false;
    text_.erase(0, word.size());
    return true;
  }
  std::string upto(const char* stops) {
    const size_t end = text_.find_first_of(stops);
    if (end == std::string::npos) refuse();
    return std::exchange(text_, text_.substr(end)).substr(0, end);
  }
  std::string decoded(std::string text) const {
    static const std::map<std::string, std::string> known = {{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#10;", "\n"}, {"&amp;", "&"}};
    for (size_t at = text.find('&'); at != std::string::npos; at = text.find('&', at + 1)) {
      const auto found = known.find(text.substr(at, text.find(';', at) + 1 - at));
      if (found == known.end()) refuse();
      text.replace(at, found->first.size(), found->second);
    }
    return text;
  }
  std::string text_, place_;
};

// Tracks come from dump_as_cvat_interpolation, tags of frames from dump_as_cvat_annotation of that file. A track has a shape for
// every frame it is in, then one that is `outside`.
class Reader {
 public:
  void read(const Tag& tag) {
    const std::string parent = open_.empty() ? "" : open_.back();
    if (tag.closes && !tag.opens && parent != tag.name) fail("{}: </{}> closes nothing; export from CVAT again", tag.place, tag.name);
    if (tag.name == "track" || tag.name == "image") track_or_image(tag);
    else if (parent == "track" && tag.opens) shape(tag.frame("frame"), tag.attributes.contains("outside") && tag.value("outside") == "1");
    else if (parent == "image" && tag.name == "tag" && tag.opens) add(tag.value("label"), owner_.frame("id"), owner_.frame("id") + step_ - 1);
    else if (tag.name == "source" && (parent == "task" || parent == "meta")) video_ = tag.text;
    else if (tag.name == "frame_filter" && tag.text.starts_with("step=")) step_ = std::max(1, std::atoi(tag.text.c_str() + 5));
    else if (tag.name == "project") fail("{}: a project; export its tasks one by one", tag.place);
    if (tag.opens && !tag.closes) open_.push_back(tag.name);
    if (tag.closes && !tag.opens) open_.pop_back();
  }

  std::vector<Row> rows(const std::string& place) {
    if (!open_.empty()) fail("{}: ends within <{}>; export from CVAT again", place, open_.back());
    if (rows_.empty()) fail("{}: no track and no tag of a frame; label the video in CVAT first", place);
    const auto order = [](const Row& row) { return std::tie(row.label, row.start_frame); };
    std::sort(rows_.begin(), rows_.end(), [&](const Row& a, const Row& b) { return order(a) < order(b); });
    std::vector<Row> merged;
    for (const Row& row : rows_) {
      if (merged.empty() || merged.back().label != row.label || row.start_frame > merged.back().end_frame + 1) merged.push_back(row);
      else merged.back().end_frame = std::max(merged.back().end_frame, row.end_frame);
    }
    std::stable_sort(merged.begin(), merged.end(), [](const Row& a, const Row& b) { return a.start_frame < b.start_frame; });
    return merged;
  }

 private:
  void track_or_image(const Tag& tag) {
    if (tag.closes && tag.name == "track" && first_ >= 0) add(owner_.value("label"), first_, last_ + step_ - 1);
    if (tag.opens) owner_ = tag;
    first_ = last_ = -1;
  }
  void shape(int64_t frame, bool outside) {
    if (frame <= last_) fail("{}: frame {} of the track after frame {}; export from CVAT again", owner_.place, frame, last_);
    if (outside && first_ >= 0) add(owner_.value("label"), first_, frame - 1);
    if (outside || first_ < 0) first_ = outside ? -1 : frame;
    last_ = frame;
  }
  void add(const std::string& label, int64_t first, int64_t last) {
    if (video_.empty()) fail("{}: no <source> before it names the video; only tasks of one video are read", owner_.place);
    Row row{video_, label, group_of_name(video_)};
    row.start_frame = first, row.end_frame = last, row.place = owner_.place;
    rows_.push_back(row);
  }

  std::vector<std::string> open_;
  std::string video_;
  int64_t step_ = 1;               // CVAT showed every step-th frame of the file
  Tag owner_;                      // the last track or image
  int64_t first_ = -1, last_ = -1;  // frames of the track since it was last outside
  std::vector<Row> rows_;
};

}  // namespace

ForeignList read_cvat(const std::string& text, const std::string& place) {
  Reader reader;
  std::istringstream lines(text);
  std::string whole, part;  // text may hold line breaks
  for (int64_t number = 1, began = 1; std::getline(lines, part) || !whole.empty(); ++number) {
    part.erase(part.find_last_not_of(" \t\r") + 1);
    part.erase(0, part.find_first_not_of(" \t\xEF\xBB\xBF"));
    const bool more = !part.empty() && !part.starts_with('<');
    if (!more && !whole.empty() && !whole.starts_with("<?")) reader.read(Line(whole, fmt::format("{}:{}", place, began)).tag());
    began = more ? began : number;
    whole = more ? whole + "\n" + part : part;
    part.clear();
  }
  ForeignList list;
  for (const Row& row : reader.rows(place)) list.add(row);
  return list;
}

}  // namespace distal
