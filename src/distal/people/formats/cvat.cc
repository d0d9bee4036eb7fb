// CVAT: bodies for its REST out (TaskWriteRequest, ProjectWriteRequest and DataRequest of
// cvat-sdk 2.80), exports of tasks and projects in.
#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/lists/cvat_tasks.h"
#include "distal/people/formats/formats.h"

namespace distal {
namespace {

using nlohmann::ordered_json;

constexpr const char* kSkippedTag = "(skipped)";
constexpr int kImageQuality = 90;  // JPEG, as people see it

ordered_json attribute(const char* name, const char* type, const char* standard) {
  return {{"name", name},
          {"mutable", false},
          {"input_type", type},
          {"default_value", standard},
          {"values", ordered_json::array({standard})}};
}

ordered_json label(const std::string& name, const char* type) {
  return {{"name", name},
          {"type", type},
          {"attributes", ordered_json::array({attribute("unsure", "checkbox", "false"),
                                              attribute("note", "text", "")})}};
}

ordered_json data_of(const AskedItem& item) {
  ordered_json data = {{"server_files", ordered_json::array({item.video})},
                       {"image_quality", kImageQuality}};
  const bool whole = item.start_s <= 0 && std::isinf(item.end_s);
  if (item.first_frame < 0 || item.last_frame < item.first_frame) {
    if (!whole)
      throw UsageError(fmt::format(
          "CVAT counts frames, and those of the clip {} are not known; ask by csv or label-studio",
          excerpt(item.clip, 80)));
    return data;
  }
  data["start_frame"] = item.first_frame;
  data["stop_frame"] = item.last_frame;
  return data;
}

std::vector<AskFile> write_cvat(const Questions& questions, const AnswersOf&,
                                const AskFileOptions& options) {
  const bool ranges = std::any_of(questions.items.begin(), questions.items.end(),
                                  [](const auto& i) { return i.kind == AskedKind::ranges; });
  ordered_json labels = ordered_json::array();
  for (const std::string& name : questions.classes) {
    if (name == kSkippedTag)
      throw UsageError(fmt::format("a class is called {}, as the tag of what was skipped; name it "
                                   "otherwise",
                                   kSkippedTag));
    labels.push_back(label(name, ranges ? "any" : "tag"));
  }
  labels.push_back(label(kSkippedTag, "tag"));
  ordered_json tasks = ordered_json::array();
  for (const AskedItem& item : questions.items)
    tasks.push_back({{"task", {{"name", item.clip}}}, {"data", data_of(item)}});
  const ordered_json all = {{"project", {{"name", options.project}, {"labels", labels}}},
                            {"tasks", tasks}};
  return {{".json", json_text(all, 1) + "\n"}};
}

class CvatAnswerReader {
 public:
  explicit CvatAnswerReader(AnswerCheck& check) : check_(check) {}

  void read(const CvatTask& task) {
    const AskedItem* item = check_.item(task.name, task.place);
    if (item == nullptr) return;
    if (!task.fault.empty()) {
      check_.refuse(task.place, fmt::format("its marks cannot be read: {}", task.fault),
                    "the other tasks were read");
      return;
    }
    if (task.marks.empty()) {
      check_.unanswered();
      return;
    }
    GivenAnswer answer;
    answer.clip = item->clip;
    answer.person = task.assignee;
    answer.place = task.marks.front().place;
    for (const CvatMark& mark : task.marks) add_words(mark, answer);
    if (!check_.read_time(task.updated, answer)) return;
    answer.skipped = task.marks.front().label == kSkippedTag;
    const bool taken = answer.skipped || item->kind == AskedKind::clip
                           ? one_label(task, answer)
                           : ranges(task, *item, answer);
    if (taken) check_.add(std::move(answer));
  }

 private:
  static void add_words(const CvatMark& mark, GivenAnswer& answer) {
    const auto unsure = mark.attributes.find("unsure");
    answer.unsure |= unsure != mark.attributes.end() && unsure->second == "true";
    const auto note = mark.attributes.find("note");
    if (note != mark.attributes.end() && answer.note.empty()) answer.note = note->second;
  }

  bool one_label(const CvatTask& task, GivenAnswer& answer) {
    const std::string& label = task.marks.front().label;
    for (const CvatMark& mark : task.marks) {
      if (mark.label == label) continue;
      check_.refuse(mark.place,
                    fmt::format("the task {} has the labels '{}' and '{}'", excerpt(task.name, 80),
                                excerpt(label, 40), excerpt(mark.label, 40)),
                    "leave one of the two in CVAT and export again");
      return false;
    }
    if (!answer.skipped) answer.class_name = label;
    return true;
  }

  bool ranges(const CvatTask& task, const AskedItem& item, GivenAnswer& answer) {
    if (!check_.options().time_of_frame && !(item.frame_rate > 0)) {
      check_.refuse(answer.place, "ranges in frames of a video whose frame rate is not known",
                    "ask with the frame rate");
      return false;
    }
    try {
      add_ranges(task, item, answer);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {  // a frame that the video does not have, or no video
      check_.refuse(answer.place, "ranges in frames that cannot be found", error.what());
      return false;
    }
    return true;
  }

  void add_ranges(const CvatTask& task, const AskedItem& item, GivenAnswer& answer) const {
    for (const CvatMark& mark : task.marks) {
      AnsweredRange range{time_of(item, mark.first), time_of(item, mark.last + 1), mark.label};
      const double frame_s = time_of(item, mark.last + 1) - time_of(item, mark.last);
      if (range.end_s > item.end_s && range.end_s < item.end_s + frame_s) range.end_s = item.end_s;
      answer.ranges.push_back(std::move(range));
    }
  }

  double time_of(const AskedItem& item, int64_t frame) const {
    const auto& known = check_.options().time_of_frame;
    return known ? known(item, frame) : static_cast<double>(frame) / item.frame_rate;
  }

  AnswerCheck& check_;
};

void read_cvat_answers(const std::string& text, const std::string& place, AnswerCheck& check) {
  const CvatTasks read = read_cvat_tasks(text, place);
  CvatAnswerReader reader(check);
  for (const CvatTask& task : read.tasks) reader.read(task);
  if (read.left_out > 0)
    check.note(fmt::format(
        "{} shapes on frames of images were left out; \"CVAT for video 1.1\" has them as tracks",
        read.left_out));
}

}  // namespace

const AnswerFormat kCvatAnswers = {"cvat", false, write_cvat, read_cvat_answers};

}  // namespace distal
