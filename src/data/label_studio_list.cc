#include <cctype>
#include <charconv>
#include <regex>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/foreign_lists.h"

namespace distal {
namespace {

using nlohmann::json;

std::string percent_decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// s3://bucket/a/b.mp4, http://host/data/local-files/?d=a/b.mp4, /data/upload/3/0a1b2c3d-b.mp4: the part that names a file.
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

// The longest end of the path that lies here; an upload's name also without the eight digits Label Studio puts before it.
std::string located(const std::string& url, const FindVideo& find) {
  std::string rest = file_part(url);
  for (;;) {
    if (const std::string found = find(rest); !found.empty()) return found;
    const size_t slash = rest.find('/');
    if (slash == std::string::npos) break;
    rest = rest.substr(slash + 1);
  }
  static const std::regex digits("^[0-9a-f]{8}-");
  const std::string found = rest.size() < 256 ? find(std::regex_replace(rest, digits, "")) : "";
  return found.empty() ? rest : found;
}

std::string video_of(const json& task, const std::string& place) {
  const json& data = task.at("data");
  if (data.contains("video")) return data.at("video").get<std::string>();
  fail("{}: its data has no key `video` ({}); name it so in the labelling configuration: <Video value=\"$video\"/>", place, data.dump().substr(0, 80));
}

// The ground truth, else the first that was not skipped.
const json* chosen(const json& task) {
  const json* first = nullptr;
  for (const json& annotation : task.at("annotations")) {
    if (annotation.value("was_cancelled", false)) continue;
    if (annotation.value("ground_truth", false)) return &annotation;
    if (first == nullptr) first = &annotation;
  }
  return first;
}

std::string only_label(const json& labels, const std::string& place) {
  if (labels.size() != 1) fail("{}: {} labels on one span; distal learns one class a clip, leave one", place, labels.size());
  return labels.at(0).get<std::string>();
}

int64_t frame_of(const json& range, const char* end, const std::string& place) {
  const json& frame = range.at(end);
  if (!frame.is_number() || frame.get<int64_t>() < 1) fail("{}: {} of a range is {}, a frame counted from 1", place, end, frame.dump());
  return frame.get<int64_t>();
}

class Reader {
 public:
  Reader(const FindVideo& find, double frame_rate) : find_(find), frame_rate_(frame_rate) {}

  void task(const json& task, const std::string& place) {
    const json* annotation = chosen(task);
    if (annotation == nullptr) {
      ++unanswered_;
      return;
    }
    row_ = {};
    row_.path = located(video_of(task, place), find_);
    row_.group = group_of_name(row_.path);
    row_.place = place;
    several_ += task.at("annotations").size() > 1;
    const size_t before = list_.rows.size();
    std::string whole;
    for (const json& region : annotation->at("result")) {
      const std::string type = region.value("type", "");
      if (type == "timelinelabels") spans(region.at("value"));
      else if (type == "choices" && region.at("value").size() == 1) whole = whole_video(region.at("value"), whole);
      else ++others_;
    }
    unanswered_ += list_.rows.size() == before;
  }

  ForeignList list() {
    const auto note = [&](int64_t count, const char* what) {
      if (count > 0) list_.notes.push_back(fmt::format("{} {}", count, what));
    };
    note(unanswered_, "tasks without an answer about time or class were left out");
    note(several_, "tasks have several annotations: the ground truth, else the first one, was taken");
    note(others_, "regions of other kinds (boxes, choices of a region) were left out");
    if (framed_)
      list_.notes.push_back("ranges were read as frames of the file; where the frameRate of Label Studio's Video tag differs from it, give that: --frame-rate");
    return std::move(list_);
  }

 private:
  // Frames count from 1 and both ends are included: utils/converter.py of HumanSignal/label-studio-ml-backend
  // (label_studio_ml/examples/yolo) sets labels_array[start - 1 : end].
  void spans(const json& value) {
    for (const json& range : value.at("ranges")) {
      Row row = row_;
      row.label = only_label(value.at("timelinelabels"), row.place);
      const int64_t first = frame_of(range, "start", row.place), last = frame_of(range, "end", row.place);
      if (last < first) fail("{}: a range ends at frame {} before it starts at {}", row.place, last, first);
      if (frame_rate_ > 0) {
        row.start_s = static_cast<double>(first - 1) / frame_rate_;
        row.end_s = static_cast<double>(last) / frame_rate_;
      } else {
        row.start_frame = first - 1;
        row.end_frame = last - 1;
        framed_ = true;
      }
      list_.add(row);
    }
  }

  std::string whole_video(const json& value, const std::string& before) {
    Row row = row_;
    row.label = only_label(value.at("choices"), row.place);
    if (!before.empty()) fail("{}: two classes for the whole video, {} and {}; distal learns one, leave one", row.place, before, row.label);
    list_.add(row);
    return row.label;
  }

  const FindVideo& find_;
  double frame_rate_;
  ForeignList list_;
  Row row_;  // of the current task, without label and span
  int64_t unanswered_ = 0, several_ = 0, others_ = 0;
  bool framed_ = false;
};

}  // namespace

ForeignList read_label_studio(const std::string& text, const std::string& place, const FindVideo& find, double frame_rate) {
  try {
    json tasks = json::parse(text);
    if (tasks.is_object()) tasks = json::array({tasks});
    Reader reader(find, frame_rate);
    for (size_t i = 0; i < tasks.size(); ++i) {
      const json& task = tasks.at(i);
      if (!task.is_object() || !task.contains("annotations") || !task.contains("data"))
        fail("{}: entry {} has no data and annotations; export from Label Studio as JSON (not JSON-MIN or CSV)", place, i + 1);
      reader.task(task, fmt::format("{}: task {}", place, task.contains("id") ? task.at("id").dump() : fmt::format("number {}", i + 1)));
    }
    return reader.list();
  } catch (const json::exception& error) {
    fail("{}: {}; export from Label Studio as JSON again", place, error.what());
  }
}

}  // namespace distal
