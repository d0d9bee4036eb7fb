// Label Studio: tasks and labelling configuration out, JSON and JSON-MIN in. JSON-MIN is what
// convert_to_json_min (label_studio_sdk/converter/converter.py of HumanSignal/label-studio-sdk)
// writes: a record an annotation, the data of its task beside what was answered.
#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/base/utc.h"
#include "distal/lists/label_studio.h"
#include "distal/lists/list_text.h"
#include "distal/people/formats/formats.h"

namespace distal {
namespace {

using label_studio::member;
using label_studio::shown;
using label_studio::Unreadable;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr double kFrameRate = 25;  // of a time line whose video's rate is not known
constexpr double kMostFrameRate = 1000;
constexpr const char* kMendThere = "correct it in Label Studio and export again";

double rate_of(const AskedItem& item) { return item.frame_rate > 0 ? item.frame_rate : kFrameRate; }

// All but letters, digits and -._~/ (RFC 3986).
std::string percent_encoded(const std::string& path) {
  std::string out;
  for (const unsigned char c : path) {
    if (std::isalnum(c) ||
        std::string_view("-._~/").find(static_cast<char>(c)) != std::string::npos)
      out += static_cast<char>(c);
    else
      out += fmt::format("%{:02X}", c);
  }
  return out;
}

std::string address_of(const AskedItem& item, const AskFileOptions& options) {
  std::string address =
      options.media.empty() ? item.video : options.media + percent_encoded(item.video);
  const bool whole = item.start_s <= 0 && std::isinf(item.end_s);
  if (item.kind == AskedKind::ranges || whole) return address;
  address += fmt::format("#t={:.3f}", item.start_s);
  if (std::isfinite(item.end_s)) address += fmt::format(",{:.3f}", item.end_s);
  return address;
}

std::string sentence_of(const AskedItem& item) {
  const std::string what =
      item.kind == AskedKind::clip ? "Which class is this?" : "Where does a class start and end?";
  if (std::isinf(item.end_s)) return fmt::format("{} From {:.3f} s to the end", what, item.start_s);
  return fmt::format("{} From {:.3f} s to {:.3f} s", what, item.start_s, item.end_s);
}

ordered_json region(const char* name, const char* type, ordered_json value) {
  return {{"from_name", name}, {"to_name", "video"}, {"type", type}, {"value", std::move(value)}};
}

ordered_json choice(const char* name, const std::string& what) {
  return region(name, "choices", {{"choices", ordered_json::array({what})}});
}

ordered_json range_region(const AnsweredRange& range, double rate) {
  const ordered_json frames = {{"start", std::llround(range.start_s * rate) + 1},
                               {"end", std::llround(range.end_s * rate)}};
  return region("ranges", "timelinelabels",
                {{"ranges", ordered_json::array({frames})},
                 {"timelinelabels", ordered_json::array({range.class_name})}});
}

// As Label Studio takes it: a number, or the address of a user.
ordered_json completed_by(const std::string& person) {
  const bool number = !person.empty() && person.size() < 10 &&
                      person.find_first_not_of("0123456789") == std::string::npos &&
                      (person == "0" || person.front() != '0');
  if (number) return std::stoi(person);
  return {{"email", person}};
}

ordered_json annotation_of(const GivenAnswer& answer, const AskedItem& item) {
  ordered_json result = ordered_json::array();
  if (!answer.class_name.empty()) result.push_back(choice("class", answer.class_name));
  for (const AnsweredRange& range : answer.ranges)
    result.push_back(range_region(range, rate_of(item)));
  if (answer.unsure) result.push_back(choice("unsure", "unsure"));
  if (!answer.note.empty())
    result.push_back(region("note", "textarea", {{"text", ordered_json::array({answer.note})}}));
  ordered_json annotation = {{"completed_by", completed_by(answer.person)},
                             {"was_cancelled", answer.skipped}};
  if (answer.answered_ms > 0) annotation["created_at"] = utc_text(answer.answered_ms);
  if (answer.seconds) annotation["lead_time"] = *answer.seconds;
  annotation["result"] = std::move(result);
  return annotation;
}

ordered_json task_of(const Questions& questions, const AskedItem& item,
                     const AskFileOptions& options) {
  ordered_json data = {{"video", address_of(item, options)},
                       {"ask", sentence_of(item)},
                       {"fps", rate_of(item)},
                       {"clip", item.clip},
                       {"start_s", item.start_s},
                       {"end_s", nullptr}};
  if (std::isfinite(item.end_s)) data["end_s"] = item.end_s;
  ordered_json task = {{"data", std::move(data)}};
  const int64_t guess = options.guesses ? guessed_class(item) : -1;
  if (guess >= 0 && item.kind == AskedKind::clip) {
    const auto at = static_cast<size_t>(guess);
    ordered_json result = ordered_json::array();
    result.push_back(choice("class", questions.classes[at]));
    ordered_json prediction = {{"model_version", "distal"}, {"score", item.guess[at]}};
    prediction["result"] = std::move(result);
    task["predictions"] = ordered_json::array();
    task["predictions"].push_back(std::move(prediction));
  }
  return task;
}

std::vector<AskFile> write_label_studio(const Questions& questions, const AnswersOf& answers,
                                        const AskFileOptions& options) {
  const auto is_ranges = [](const AskedItem& item) { return item.kind == AskedKind::ranges; };
  const auto ranges = std::count_if(questions.items.begin(), questions.items.end(), is_ranges);
  if (ranges != 0 && ranges != std::ssize(questions.items))
    throw UsageError(
        "one project of Label Studio asks for classes of clips or for ranges of videos; write a "
        "file for each of the two");
  ordered_json tasks = ordered_json::array();
  for (const AskedItem& item : questions.items) {
    ordered_json task = task_of(questions, item, options);
    const auto of = answers.find(item.clip);
    if (of != answers.end()) {
      task["annotations"] = ordered_json::array();
      for (const GivenAnswer* answer : of->second)
        task["annotations"].push_back(annotation_of(*answer, item));
    }
    tasks.push_back(std::move(task));
  }
  const auto asked = ranges > 0 ? label_studio::Asked::ranges : label_studio::Asked::choice;
  return {{".json", json_text(tasks, 1) + "\n"},
          {".xml", label_studio::labelling_configuration(questions.classes, asked)}};
}

// What was answered, from the regions of an annotation or the fields of a JSON-MIN record.
class AnnotationReader {
 public:
  AnnotationReader(GivenAnswer& answer, double rate, const AskedItem& item)
      : answer_(answer), rate_(rate), item_(item) {}

  // Returns whether it is a region that says something.
  bool region(const json& region) {
    const json* value = member(region, "value");
    const std::string type = label_studio::text_or(region, "type", "");
    const std::string name = label_studio::text_or(region, "from_name", "");
    if (value == nullptr || !value->is_object()) return false;
    if (type == "choices" && name == "unsure")
      answer_.unsure = true;
    else if (type == "choices")
      set_class(label_studio::only_label(*value, type));
    else if (type == "textarea")
      add_note(member(*value, "text"));
    else if (type == "timelinelabels")
      add_ranges(*value);
    else
      return false;
    return true;
  }

  void record(const json& record) {
    if (const json* unsure = member(record, "unsure"); unsure != nullptr && !unsure->is_null())
      answer_.unsure = true;
    if (const json* said = member(record, "class"); said != nullptr && !said->is_null()) {
      const json choices =
          said->is_object() ? *said : json::object({{"choices", json::array({*said})}});
      set_class(label_studio::only_label(choices, "choices"));
    }
    if (const json* note = member(record, "note"); note != nullptr)
      add_note(note->is_object() ? member(*note, "text") : note);
    if (const json* ranges = member(record, "ranges"); ranges != nullptr && ranges->is_array()) {
      for (const json& range : *ranges) add_ranges(range);
    }
  }

 private:
  void set_class(const std::string& name) {
    if (!answer_.class_name.empty() && answer_.class_name != name)
      throw Unreadable{
          "with two classes, where one is asked",
          fmt::format("{} and {}", excerpt(answer_.class_name, 40), excerpt(name, 40))};
    answer_.class_name = name;
  }

  void add_note(const json* text) {
    if (text == nullptr || text->is_null()) return;
    const json lines = text->is_array() ? *text : json::array({*text});
    for (const json& line : lines) {
      if (!line.is_string()) throw Unreadable{"with a note that is no text", shown(line)};
      if (!answer_.note.empty()) answer_.note += '\n';
      answer_.note += line.get<std::string>();
    }
  }

  // A time line may be a part of a frame longer than the video.
  void add_ranges(const json& value) {
    const std::string label = label_studio::only_label(value, "timelinelabels");
    for (const auto& [first, last] : label_studio::frame_ranges(value)) {
      const double start_s = static_cast<double>(first - 1) / rate_;
      double end_s = static_cast<double>(last) / rate_;
      if (end_s > item_.end_s && end_s < item_.end_s + 1 / rate_) end_s = item_.end_s;
      answer_.ranges.push_back({start_s, end_s, label});
    }
  }

  GivenAnswer& answer_;
  double rate_;
  const AskedItem& item_;
};

class ExportReader {
 public:
  ExportReader(std::string place, AnswerCheck& check) : place_(std::move(place)), check_(check) {}

  void read(const json& entry, const std::string& name) {
    here_ = fmt::format("{}: {}", place_, name);
    const json* data = member(entry, "data");
    const json* annotations = member(entry, "annotations");
    if (data != nullptr && annotations != nullptr && annotations->is_array())
      task(*data, *annotations);
    else if (member(entry, "annotator") != nullptr || member(entry, "annotation_id") != nullptr)
      record(entry);
    else
      check_.refuse(here_, "neither a task with data and annotations nor a record of JSON-MIN",
                    "export from Label Studio as JSON");
  }

  void end() {
    if (left_out_ > 0)
      check_.note(fmt::format("{} regions of other kinds than Choices, TimelineLabels and TextArea "
                              "were left out",
                              left_out_));
  }

 private:
  void task(const json& data, const json& annotations) {
    const AskedItem* item = check_.item(label_studio::text_or(data, "clip", ""), here_);
    if (item == nullptr) return;
    if (annotations.empty()) check_.unanswered();
    for (size_t i = 0; i < annotations.size(); ++i) {
      const json& annotation = annotations[i];
      GivenAnswer answer = started(*item, annotation, i);
      const json* result = member(annotation, "result");
      if (result == nullptr || !result->is_array()) {
        check_.refuse(answer.place, "an annotation without a result", kMendThere);
        continue;
      }
      answer.skipped = label_studio::is_true(annotation, "was_cancelled");
      attempt(answer, data, *item, annotation, [&](AnnotationReader& reader) {
        for (const json& region : *result) left_out_ += !reader.region(region);
      });
    }
  }

  void record(const json& entry) {
    const AskedItem* item = check_.item(label_studio::text_or(entry, "clip", ""), here_);
    if (item == nullptr) return;
    const json* id = member(entry, "annotation_id");
    if (id == nullptr || id->is_null()) {
      check_.unanswered();
      return;
    }
    GivenAnswer answer = started(*item, entry, 0);
    answer.place = here_;
    attempt(answer, entry, *item, entry, [&](AnnotationReader& reader) { reader.record(entry); });
  }

  GivenAnswer started(const AskedItem& item, const json& annotation, size_t at) const {
    GivenAnswer answer;
    answer.clip = item.clip;
    answer.place = fmt::format("{}, annotation {}", here_, at + 1);
    for (const char* key : {"annotation_id", "id", "unique_id"}) {
      const json* id = member(annotation, key);
      if (id == nullptr || !(id->is_number_integer() || id->is_string())) continue;
      answer.id = id->is_string() ? id->get<std::string>() : id->dump();
      answer.place = fmt::format("{}, annotation {}", here_, excerpt(answer.id, 40));
      break;
    }
    return answer;
  }

  template <class Read>
  void attempt(GivenAnswer& answer, const json& data, const AskedItem& item, const json& annotation,
               const Read& read) {
    if (!who_and_when(annotation, answer)) return;
    try {
      AnnotationReader reader(answer, rate_of_data(data, item), item);
      read(reader);
    } catch (const Unreadable& why) {
      check_.refuse(answer.place, fmt::format("an answer {} ({})", why.reason, why.example),
                    kMendThere);
      return;
    }
    if (answer.skipped) {  // what was said before it was skipped
      answer.class_name.clear();
      answer.ranges.clear();
    }
    check_.add(std::move(answer));
  }

  bool who_and_when(const json& annotation, GivenAnswer& answer) {
    answer.person = person_of(annotation);
    if (!check_.read_time(label_studio::text_or(annotation, "created_at", ""), answer))
      return false;
    const json* seconds = member(annotation, "lead_time");
    if (seconds == nullptr || seconds->is_null()) return true;
    return check_.read_seconds(seconds->is_number() ? seconds->get<double>() : NAN, shown(*seconds),
                               answer);
  }

  static std::string person_of(const json& annotation) {
    const json* by = member(annotation, "completed_by");
    if (by == nullptr) by = member(annotation, "annotator");
    if (by == nullptr) return "";
    if (by->is_object()) {
      const std::string email = label_studio::text_or(*by, "email", "");
      const json* id = member(*by, "id");
      return email.empty() && id != nullptr && id->is_number_integer() ? id->dump() : email;
    }
    if (by->is_string()) return by->get<std::string>();
    return by->is_number_integer() ? by->dump() : "";
  }

  // What the time line counted by.
  static double rate_of_data(const json& data, const AskedItem& item) {
    const json* fps = member(data, "fps");
    const double rate = fps != nullptr && fps->is_number() ? fps->get<double>() : 0;
    return rate > 0 && rate <= kMostFrameRate ? rate : rate_of(item);
  }

  std::string place_;
  AnswerCheck& check_;
  std::string here_;
  int64_t left_out_ = 0;
};

void read_label_studio_answers(const std::string& text, const std::string& place,
                               AnswerCheck& check) {
  const json entries = label_studio::tasks_of_export(text, place);
  ExportReader reader(place, check);
  for (size_t i = 0; i < entries.size(); ++i)
    reader.read(entries[i], label_studio::name_of_task(entries[i], i));
  reader.end();
}

}  // namespace

const AnswerFormat kLabelStudioAnswers = {"label-studio", write_label_studio, write_label_studio,
                                          read_label_studio_answers};

}  // namespace distal
