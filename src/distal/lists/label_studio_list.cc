#include <algorithm>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/options.h"
#include "distal/base/pattern.h"
#include "distal/base/text.h"
#include "distal/lists/foreign_lists.h"
#include "distal/lists/label_studio.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

using namespace label_studio;
using nlohmann::json;

constexpr size_t kLongestUrl = 4096;
constexpr double kMostSpanSeconds = 1e6;

std::string percent_decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// s3://bucket/a/b.mp4, http://host/data/local-files/?d=a/b.mp4, /data/upload/3/0a1b2c3d-b.mp4: the
// part that names a file.
std::string file_part(std::string url) {
  if (const size_t at = url.find("?d="); at != std::string::npos) {
    url = url.substr(at + 3);
  } else if (const size_t scheme = url.find("://"); scheme != std::string::npos) {
    const size_t slash = url.find('/', scheme + 3);
    url = slash == std::string::npos ? url.substr(scheme + 3) : url.substr(slash + 1);
  }
  url = percent_decoded(url.substr(0, url.find('?')));
  return url.substr(std::min(url.find_first_not_of('/'), url.size()));
}

// The longest end of the path that lies here; an upload's name also without the eight digits Label
// Studio puts before it.
std::string located(const std::string& url, const FindVideo& find) {
  std::string rest = file_part(url);
  for (;;) {
    if (const std::string found = find(rest); !found.empty()) return found;
    const size_t slash = rest.find('/');
    if (slash == std::string::npos) break;
    rest = rest.substr(slash + 1);
  }
  static const Pattern digits("^[0-9a-f]{8}-", "Label Studio");
  const std::string found = find(digits.replaced(rest, ""));
  return found.empty() ? rest : found;
}

bool is_task(const json& entry) {
  return member(entry, "annotations") != nullptr && member(entry, "data") != nullptr;
}

std::string video_of(const json& task) {
  const json* data = member(task, "data");
  const json* video = data == nullptr ? nullptr : member(*data, "video");
  if (video == nullptr || !video->is_string()) {
    throw Unreadable{"without a key `video` in their data; name it so in the labelling "
                     "configuration: <Video value=\"$video\"/>",
                     data == nullptr ? "" : shown(*data)};
  }
  const auto url = video->get<std::string>();
  if (url.size() > kLongestUrl)
    throw Unreadable{"whose video has a path that no file has",
                     fmt::format("{} characters", url.size())};
  return url;
}

// The ground truth, else the first that was not skipped; nullptr: there is none.
const json* chosen(const json& annotations) {
  const json* first = nullptr;
  for (const json& annotation : annotations) {
    if (!annotation.is_object() || is_true(annotation, "was_cancelled")) continue;
    if (is_true(annotation, "ground_truth")) return &annotation;
    if (first == nullptr) first = &annotation;
  }
  return first;
}

// What Label Studio calls a region, in words where its name says little.
std::string kind_of(const std::string& type) {
  if (type == "videorectangle" || type == "rectanglelabels" || type == "rectangle")
    return fmt::format("{} (boxes)", type);
  return type.empty() ? "regions without a type" : excerpt(type, 40);
}

class TaskReader {
 public:
  TaskReader(const FindVideo& find, double frame_rate) : find_(find), frame_rate_(frame_rate) {}

  void read(const json& task, const std::string& place, const std::string& name) {
    try {
      for (Row& row : rows_of(task, place)) list_.add(std::move(row));
      tasks_.read();
    } catch (const Unreadable& why) {
      const std::string example =
          why.example.empty() ? name : fmt::format("{}: {}", name, why.example);
      tasks_.leave_out(why.reason, example);
    }
  }

  ForeignList list(const std::string& place) {
    list_.tallies = {tasks_};
    if (regions_.total() > 0) list_.tallies.push_back(regions_);
    if (list_.rows.empty()) {
      fail("{}: no task to read: {}{}; read are timelinelabels (spans in frames), labels with "
           "start and end (spans in seconds) and choices (the whole video)",
           place, tasks_.text(), regions_.total() > 0 ? "; " + regions_.text() : "");
    }
    if (several_ > 0)
      list_.notes.push_back(fmt::format(
          "{} tasks have several annotations: the ground truth, else the first one, was taken",
          several_));
    if (framed_)
      list_.notes.push_back("ranges were read as frames of the file; where the frameRate of Label "
                            "Studio's Video tag differs from it, give that: --frame-rate");
    return std::move(list_);
  }

 private:
  std::vector<Row> rows_of(const json& task, const std::string& place) {
    if (!is_task(task)) throw Unreadable{"without data and annotations"};
    const json* annotations = member(task, "annotations");
    if (!annotations->is_array())
      throw Unreadable{"whose annotations are no list", shown(*annotations)};
    const json* annotation = chosen(*annotations);
    const json* result = annotation == nullptr ? nullptr : member(*annotation, "result");
    if (result == nullptr || !result->is_array() || result->empty())
      throw Unreadable{"without an answer"};
    Row row;
    row.path = located(video_of(task), find_);
    set_group_of_name(row);
    row.place = place;
    several_ += annotations->size() > 1;
    std::vector<Row> rows;
    Tally regions("regions");  // counted where the whole task can be read, too
    std::string whole;
    try {
      for (const json& region : *result) read_region(region, row, rows, whole, regions);
    } catch (const Unreadable&) {
      regions_.leave_out("in tasks that cannot be read", "", std::ssize(*result));
      throw;
    }
    regions_.append(regions);
    if (rows.empty()) throw Unreadable{"without an answer about time or class"};
    return rows;
  }

  void read_region(const json& region, const Row& row, std::vector<Row>& rows, std::string& whole,
                   Tally& regions) {
    const std::string type = text_or(region, "type", "");
    const json* value = member(region, "value");
    const bool timed = value != nullptr && value->contains("start") && value->contains("end");
    if (value == nullptr || !value->is_object()) {
      regions.leave_out("without a value");
    } else if (type == "timelinelabels") {
      add_ranges(*value, row, rows);
      regions.read();
    } else if (type == "labels" && timed) {
      add_seconds(*value, row, rows);
      regions.read();
    } else if (type == "choices" && value->size() == 1) {
      add_choice(*value, text_or(region, "from_name", ""), row, rows, whole);
      regions.read();
    } else {
      regions.leave_out(type == "choices"  ? "choices about a part"
                        : type == "labels" ? "labels without start and end"
                                           : kind_of(type));
    }
  }

  void add_ranges(const json& value, Row row, std::vector<Row>& rows) {
    row.label = only_label(value, "timelinelabels");
    for (const auto& [first, last] : frame_ranges(value)) {
      if (frame_rate_ > 0) {
        row.start_s = static_cast<double>(first - 1) / frame_rate_;
        row.end_s = static_cast<double>(last) / frame_rate_;
      } else {
        row.start_frame = first - 1;
        row.end_frame = last - 1;
        framed_ = true;
      }
      rows.push_back(row);
    }
  }

  // Of the Audio tag, also where it plays the sound of a video.
  void add_seconds(const json& value, Row row, std::vector<Row>& rows) {
    row.label = only_label(value, "labels");
    row.start_s = number_of(value, "start", 0, kMostSpanSeconds, "seconds");
    row.end_s = number_of(value, "end", 0, kMostSpanSeconds, "seconds");
    if (row.end_s <= row.start_s)
      throw Unreadable{"with a range that ends before it starts",
                       fmt::format("{} .. {} s", row.start_s, row.end_s)};
    rows.push_back(row);
  }

  // `question` is what the labelling configuration calls it.
  static void add_choice(const json& value, const std::string& question, Row row,
                         std::vector<Row>& rows, std::string& whole) {
    const json* choices = member(value, "choices");
    if (choices != nullptr && choices->is_array() && choices->size() > 1)
      throw Unreadable{"with two classes for the whole video, where distal learns one; leave one",
                       shown(*choices)};
    row.label = only_label(value, "choices");
    if (!whole.empty() && whole != row.label.str()) {
      throw Unreadable{"with two classes for the whole video, where distal learns one; leave one",
                       fmt::format("{} and {}{}", excerpt(whole, 40), excerpt(row.label.str(), 40),
                                   question.empty() ? "" : " (" + excerpt(question, 40) + ")")};
    }
    if (whole.empty()) rows.push_back(row);
    whole = row.label.str();
  }

  const FindVideo& find_;
  double frame_rate_;
  ForeignList list_;
  Tally tasks_{"tasks"};
  Tally regions_{"regions"};
  int64_t several_ = 0;
  bool framed_ = false;
};

// What is no export as JSON, by its name.
[[noreturn]] void refuse_entry(const json& entry, const std::string& place) {
  const char* what = "have no data and annotations";
  if (member(entry, "completions") != nullptr)
    what = "are of a Label Studio before 1.0 (completions)";
  else if (member(entry, "annotation_id") != nullptr || member(entry, "annotator") != nullptr)
    what = "are of a JSON-MIN export, which does not say what is an answer";
  fail("{}: its entries {}; export from Label Studio as JSON", place, what);
}

}  // namespace

ForeignList read_label_studio(const std::string& text, const std::string& place,
                              const FindVideo& find, double frame_rate) {
  const json tasks = tasks_of_export(text, place);
  if (std::none_of(tasks.begin(), tasks.end(), is_task)) refuse_entry(tasks.front(), place);
  TaskReader reader(find, frame_rate);
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string name = name_of_task(tasks[i], i);
    reader.read(tasks[i], fmt::format("{}: {}", place, name), name);
  }
  return reader.list(place);
}

}  // namespace distal
