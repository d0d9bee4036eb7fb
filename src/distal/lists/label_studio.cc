#include "distal/lists/label_studio.h"

#include <algorithm>
#include <cmath>

#include <pugixml.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/text.h"

namespace distal::label_studio {
namespace {

using nlohmann::json;

constexpr double kMostFrames = 1e9;
constexpr int64_t kMostJsonParts = 30'000'000;  // each takes 16 bytes and more

int64_t frame_of(const json& range, const char* end) {
  const double frame = number_of(range, end, 1, kMostFrames, "frames counted from 1");
  if (frame != std::floor(frame))
    throw Unreadable{"with a range whose ends are not frames counted from 1",
                     fmt::format("{} is {}", end, frame)};
  return static_cast<int64_t>(frame);
}

pugi::xml_node add_tag(pugi::xml_node parent, const char* tag, const char* name) {
  pugi::xml_node node = parent.append_child(tag);
  node.append_attribute("name") = name;
  if (std::string_view(tag) != "Video") node.append_attribute("toName") = "video";
  return node;
}

void add_classes(pugi::xml_node parent, const char* tag, const std::vector<std::string>& classes) {
  for (size_t k = 0; k < classes.size(); ++k) {
    pugi::xml_node node = parent.append_child(tag);
    node.append_attribute("value") = printable(classes[k]).c_str();
    if (k < 9) node.append_attribute("hotkey") = fmt::format("{}", k + 1).c_str();
  }
}

struct TextWriter : pugi::xml_writer {
  void write(const void* data, size_t size) override {
    text.append(static_cast<const char*>(data), size);
  }
  std::string text;
};

}  // namespace

json tasks_of_export(const std::string& text, const std::string& place) {
  const auto parts = std::count(text.begin(), text.end(), ',');
  if (parts > kMostJsonParts)
    fail("{}: {} values, at most {} are read; export fewer tasks at once", place, parts,
         kMostJsonParts);
  json tasks = parse_json(text, place);
  if (tasks.is_object()) tasks = json::array({std::move(tasks)});
  if (!tasks.is_array() || tasks.empty())
    fail("{}: no list of tasks; export from Label Studio as JSON", place);
  return tasks;
}

std::string name_of_task(const json& task, size_t at) {
  const json* id = member(task, "id");
  if (id != nullptr && (id->is_number() || id->is_string()))
    return fmt::format("task {}", shown(*id));
  return fmt::format("task number {}", at + 1);
}

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(key);
  return at == object.end() ? nullptr : &*at;
}

bool is_true(const json& object, const char* key) {
  const json* value = member(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::string text_or(const json& object, const char* key, const std::string& otherwise) {
  const json* value = member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : otherwise;
}

std::string shown(const json& value) { return excerpt(json_text(value), 60); }

std::string only_label(const json& value, const std::string& type) {
  const json* labels = member(value, type.c_str());
  if (labels == nullptr || !labels->is_array() || labels->empty())
    throw Unreadable{"with a span that has no label", shown(value)};
  for (const json& label : *labels) {
    if (!label.is_string() || label.get_ref<const std::string&>().empty())
      throw Unreadable{"with a label that is no text", shown(*labels)};
  }
  if (labels->size() > 1)
    throw Unreadable{"with several labels on one span, where distal learns one; leave one",
                     shown(*labels)};
  return labels->front().get<std::string>();
}

double number_of(const json& range, const char* end, double least, double most, const char* what) {
  const json* number = member(range, end);
  const double value = number != nullptr && number->is_number() ? number->get<double>() : NAN;
  if (!(value >= least && value <= most))
    throw Unreadable{fmt::format("with a range whose ends are not {}", what),
                     fmt::format("{} is {}", end, number == nullptr ? "absent" : shown(*number))};
  return value;
}

std::vector<FrameRange> frame_ranges(const json& value) {
  const json* ranges = member(value, "ranges");
  if (ranges == nullptr || !ranges->is_array() || ranges->empty())
    throw Unreadable{"with timelinelabels that have no range", shown(value)};
  std::vector<FrameRange> all;
  for (const json& range : *ranges) {
    const FrameRange frames{frame_of(range, "start"), frame_of(range, "end")};
    if (frames.last < frames.first)
      throw Unreadable{"with a range that ends before it starts",
                       fmt::format("frames {} .. {}", frames.first, frames.last)};
    all.push_back(frames);
  }
  return all;
}

std::string labelling_configuration(const std::vector<std::string>& classes, Asked asked) {
  pugi::xml_document document;
  pugi::xml_node view = document.append_child("View");
  view.append_child("Header").append_attribute("value") = "$ask";
  pugi::xml_node video = add_tag(view, "Video", "video");
  video.append_attribute("value") = "$video";
  video.append_attribute("frameRate") = "$fps";
  if (asked == Asked::choice) {
    pugi::xml_node choices = add_tag(view, "Choices", "class");
    choices.append_attribute("choice") = "single";
    choices.append_attribute("required") = "true";
    choices.append_attribute("showInline") = "true";
    add_classes(choices, "Choice", classes);
  } else {
    add_classes(add_tag(view, "TimelineLabels", "ranges"), "Label", classes);
  }
  pugi::xml_node unsure = add_tag(view, "Choices", "unsure");
  unsure.append_attribute("choice") = "multiple";
  unsure.append_child("Choice").append_attribute("value") = "unsure";
  pugi::xml_node note = add_tag(view, "TextArea", "note");
  note.append_attribute("maxSubmissions") = "1";
  note.append_attribute("editable") = "true";
  TextWriter writer;
  document.save(writer, "  ", pugi::format_default | pugi::format_no_declaration,
                pugi::encoding_utf8);
  return writer.text;
}

}  // namespace distal::label_studio
