#pragma once
// The parts of Label Studio's JSON that every reader of it needs, and its labelling configuration.
// Pure: values in, values out.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace distal::label_studio {

// Why a task cannot be read; the others can.
struct Unreadable {
  std::string reason, example;
};

/// The tasks of an export, a list; a single task becomes one. Throws Error `place: what; cure`: no
/// JSON, too much of it, no list of tasks.
nlohmann::json tasks_of_export(const std::string& text, const std::string& place);

/// "task 7", by its id; else by its position `at` from 0.
std::string name_of_task(const nlohmann::json& task, size_t at);

/// nullptr where `object` is none or has no such key.
const nlohmann::json* member(const nlohmann::json& object, const char* key);
bool is_true(const nlohmann::json& object, const char* key);
std::string text_or(const nlohmann::json& object, const char* key, const std::string& otherwise);
/// A value as it stands in messages.
std::string shown(const nlohmann::json& value);

/// The one label of a region of kind `type`, which calls its labels by its kind. Throws Unreadable.
std::string only_label(const nlohmann::json& value, const std::string& type);

/// The number `range[end]`. Throws Unreadable where it is none from `least` to `most`.
double number_of(const nlohmann::json& range, const char* end, double least, double most,
                 const char* what);

/// Frames count from 1, both ends are included: utils/converter.py of
/// HumanSignal/label-studio-ml-backend (label_studio_ml/examples/yolo) sets labels_array[start - 1
/// : end].
struct FrameRange {
  int64_t first = 1;
  int64_t last = 1;
};
/// Of the value of a region of TimelineLabels. Throws Unreadable.
std::vector<FrameRange> frame_ranges(const nlohmann::json& value);

/// What a labelling configuration asks for: one class of a clip, or ranges of a video.
enum class Asked { choice, ranges };
/// XML for the labelling configuration of a project. Its tags are called `class` (Choices) or
/// `ranges` (TimelineLabels), `unsure` (Choices) and `note` (TextArea); the data of a task has
/// `video`, `ask` (a sentence) and `fps`. The first nine classes have the keys 1 to 9.
std::string labelling_configuration(const std::vector<std::string>& classes, Asked asked);

}  // namespace distal::label_studio
