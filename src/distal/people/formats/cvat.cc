// CVAT: bodies for its REST out (TaskWriteRequest, ProjectWriteRequest and DataRequest of
// cvat-sdk 2.80), exports of tasks and projects in.
#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/base/utc.h"
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

bool asks_ranges(const Questions& questions) {
  return std::ranges::any_of(questions.items,
                             [](const auto& item) { return item.kind == AskedKind::ranges; });
}

// The labels of a project, each with its type.
std::vector<std::pair<std::string, const char*>> labels_of(const Questions& questions) {
  const char* type = asks_ranges(questions) ? "any" : "tag";
  std::vector<std::pair<std::string, const char*>> labels;
  for (const std::string& name : questions.classes) {
    if (name == kSkippedTag)
      throw UsageError(fmt::format("a class is called {}, as the tag of what was skipped; name it "
                                   "otherwise",
                                   kSkippedTag));
    labels.emplace_back(name, type);
  }
  labels.emplace_back(kSkippedTag, "tag");
  return labels;
}

std::vector<AskFile> write_cvat(const Questions& questions, const AnswersOf&,
                                const AskFileOptions& options) {
  ordered_json labels = ordered_json::array();
  for (const auto& [name, type] : labels_of(questions)) labels.push_back(label(name, type));
  ordered_json tasks = ordered_json::array();
  for (const AskedItem& item : questions.items)
    tasks.push_back({{"task", {{"name", item.clip}}}, {"data", data_of(item)}});
  const ordered_json all = {{"project", {{"name", options.project}, {"labels", labels}}},
                            {"tasks", tasks}};
  return {{".json", json_text(all, 1) + "\n"}};
}

// XML 1.0 has no other control characters than these three.
std::string xml_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\r': out += "&#13;"; break;
      case '\t':
      case '\n': out += c; break;
      default: out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  return out;
}

// As CVAT writes times: "2026-01-02 03:04:05.678000+00:00".
std::string cvat_time(int64_t ms) {
  if (ms <= 0) return "";
  std::string text = utc_text(ms);
  text.replace(text.find('T'), 1, " ");
  text.replace(text.find('Z'), 1, "000+00:00");
  return text;
}

// A project of CVAT 1.1: tasks in `meta`, then the marks of each.
class CvatAnswerWriter {
 public:
  explicit CvatAnswerWriter(const AskFileOptions& options) : options_(options) {}

  void add(const AskedItem& item, const GivenAnswer* answer) {
    ++tasks_;
    add_task(item, answer);
    if (answer == nullptr) return;
    const std::string& name = answer->skipped ? kSkipped : answer->class_name;
    if (!name.empty()) add_tag(item, *answer, name);
    for (const AnsweredRange& range : answer->ranges) add_track(item, *answer, range);
  }

  std::string text(const Questions& questions) const {
    std::string labels;
    for (const auto& [name, type] : labels_of(questions))
      labels += fmt::format("<label><name>{}</name><type>{}</type><attributes>{}{}</attributes>"
                            "</label>\n",
                            xml_text(name), type, attribute("unsure", "checkbox", "false"),
                            attribute("note", "text", ""));
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>\n"
        "<meta><project><name>{}</name><subset>default</subset><tasks>\n{}</tasks>\n<labels>\n{}</"
        "labels></project>"
        "</meta>\n{}</annotations>\n",
        xml_text(options_.project), meta_, labels, marks_);
  }

 private:
  inline static const std::string kSkipped = kSkippedTag;

  static std::string attribute(const char* name, const char* type, const char* standard) {
    return fmt::format("<attribute><name>{0}</name><mutable>False</mutable><input_type>{1}"
                       "</input_type><default_value>{2}</default_value><values>{2}</values>"
                       "</attribute>",
                       name, type, standard);
  }

  void add_task(const AskedItem& item, const GivenAnswer* answer) {
    const std::string person = answer == nullptr ? "" : answer->person;
    std::string about;
    if (item.first_frame >= 0)
      about = fmt::format("<start_frame>{}</start_frame><stop_frame>{}</stop_frame>",
                          item.first_frame, item.last_frame);
    if (item.width > 0)
      about += fmt::format("<original_size><width>{}</width><height>{}</height></original_size>",
                           item.width, item.height);
    meta_ += fmt::format(
        "<task><id>{}</id><name>{}</name><mode>interpolation</mode><created>{}</created>"
        "<updated>{}</updated>{}<frame_filter></frame_filter><assignee>{}</assignee></task>\n",
        tasks_, xml_text(item.clip), cvat_time(item.asked_ms),
        cvat_time(answer == nullptr ? 0 : answer->answered_ms), about,
        person.empty() ? "" : "<username>" + xml_text(person) + "</username><email></email>");
  }

  static std::string words_of(const GivenAnswer& answer) {
    return fmt::format("<attribute name=\"unsure\">{}</attribute><attribute name=\"note\">{}"
                       "</attribute>",
                       answer.unsure ? "true" : "false", xml_text(answer.note));
  }

  // Images of a project are counted through.
  void add_tag(const AskedItem& item, const GivenAnswer& answer, const std::string& name) {
    marks_ += fmt::format("<image id=\"{0}\" name=\"frame_{0:06}\" subset=\"default\" "
                          "task_id=\"{1}\" width=\"{2}\" height=\"{3}\">"
                          "<tag label=\"{4}\" source=\"manual\">{5}</tag></image>\n",
                          images_++, tasks_, std::max<int64_t>(1, item.width),
                          std::max<int64_t>(1, item.height), xml_text(name), words_of(answer));
  }

  void add_track(const AskedItem& item, const GivenAnswer& answer, const AnsweredRange& range) {
    const int64_t first = frame_at(item, range.start_s);
    const int64_t end = std::max(first + 1, frame_at(item, range.end_s));
    const auto box = [&](int64_t frame, int outside) {
      return fmt::format("<box frame=\"{}\" keyframe=\"1\" outside=\"{}\" occluded=\"0\" "
                         "xtl=\"0.00\" ytl=\"0.00\" xbr=\"{}.00\" ybr=\"{}.00\" "
                         "z_order=\"0\">{}</box>",
                         frame, outside, std::max<int64_t>(1, item.width),
                         std::max<int64_t>(1, item.height), words_of(answer));
    };
    marks_ +=
        fmt::format("<track id=\"{}\" label=\"{}\" source=\"manual\" task_id=\"{}\" "
                    "subset=\"default\">{}{}</track>\n",
                    tracks_++, xml_text(range.class_name), tasks_, box(first, 0), box(end, 1));
  }

  int64_t frame_at(const AskedItem& item, double seconds) const {
    if (options_.frame_at) return options_.frame_at(item, seconds);
    if (item.frame_rate > 0) return std::llround(seconds * item.frame_rate);
    throw UsageError(
        fmt::format("CVAT counts frames, and those of {} are not known; take csv or label-studio",
                    excerpt(item.clip, 80)));
  }

  const AskFileOptions& options_;
  std::string meta_, marks_;
  int64_t tasks_ = 0;
  int64_t images_ = 0;
  int64_t tracks_ = 0;
};

std::vector<AskFile> write_cvat_answers(const Questions& questions, const AnswersOf& answers,
                                        const AskFileOptions& options) {
  CvatAnswerWriter writer(options);
  for (const AskedItem& item : questions.items) {
    const auto& of = answers.at(item.clip);
    for (const GivenAnswer* answer : of) writer.add(item, answer);
    if (of.empty()) writer.add(item, nullptr);
  }
  return {{".xml", writer.text(questions)}};
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

const AnswerFormat kCvatAnswers = {"cvat", write_cvat, write_cvat_answers, read_cvat_answers};

}  // namespace distal
