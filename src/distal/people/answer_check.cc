#include "distal/people/answer_check.h"

#include <cmath>

#include <fmt/ranges.h>

#include "distal/base/text.h"
#include "distal/base/utc.h"

namespace distal {
namespace {

constexpr int64_t kClockError = 3'600'000;     // ms that clocks may differ
constexpr double kMostAnswerSeconds = 86'400;  // a day
constexpr double kRounding = 1e-3;  // s: times go through text and frames; keys of clips have ms
constexpr double kShownSecond = 1;  // s: players show whole seconds of a recording
constexpr size_t kClassesShown = 12;

std::string named_classes(const std::vector<std::string>& classes) {
  std::vector<std::string> shown;
  for (size_t k = 0; k < std::min(kClassesShown, classes.size()); ++k)
    shown.push_back(excerpt(classes[k], 40));
  const std::string more = classes.size() > kClassesShown
                               ? fmt::format(" and {} more", classes.size() - kClassesShown)
                               : "";
  return fmt::format("write one of: {}{}", fmt::join(shown, ", "), more);
}

}  // namespace

std::string RowRefusal::text() const { return fmt::format("{}: {}; {}", place, what, cure); }

AnswerCheck::AnswerCheck(const Questions& questions, const ReadAnswersOptions& options,
                         std::string source)
    : questions_(questions),
      options_(options),
      source_(std::move(source)),
      classes_(questions.classes.begin(), questions.classes.end()) {
  for (const AskedItem& item : questions.items) items_[item.clip] = &item;
}

const AskedItem* AnswerCheck::item(const std::string& clip, const std::string& place) {
  const auto found = items_.find(clip);
  if (found != items_.end()) return found->second;
  if (clip.empty())
    refuse(place, "no clip is named", "keep the clip's key as the file that asked has it");
  else
    refuse(place, fmt::format("nobody asked about the clip '{}'", excerpt(clip, 80)),
           "remove the row, or give the file to the study that asked");
  return nullptr;
}

void AnswerCheck::refuse(const std::string& place, const std::string& what,
                         const std::string& cure) {
  read_.refusals.push_back({place, what, cure});
}

void AnswerCheck::add(GivenAnswer answer) {
  const AskedItem* asked = item(answer.clip, answer.place);
  if (asked == nullptr) return;
  if (answer.person.empty()) answer.person = options_.person;
  if (!holds(answer, *asked)) return;
  const auto [first, fresh] = answered_.try_emplace({answer.clip, answer.person}, answer.place);
  if (!fresh) {
    refuse(answer.place,
           fmt::format("{} has answered about this clip in {}", excerpt(answer.person, 40),
                       first->second),
           "leave one of the two");
    return;
  }
  answer.source = source_;
  read_.answers.push_back(std::move(answer));
}

bool AnswerCheck::holds(const GivenAnswer& answer, const AskedItem& item) {
  if (answer.person.empty()) {
    refuse(answer.place, "nobody is named who answered", "write who did");
    return false;
  }
  if (answer.skipped && (!answer.class_name.empty() || !answer.ranges.empty())) {
    refuse(answer.place, "it is skipped and has a class", "leave one of the two");
    return false;
  }
  if (item.kind == AskedKind::ranges && !answer.class_name.empty()) {
    refuse(answer.place, "a class of the whole clip, where ranges are asked",
           "say where it starts and ends");
    return false;
  }
  if (item.kind == AskedKind::clip && !answer.ranges.empty()) {
    refuse(answer.place, "ranges, where one class of the clip is asked", "write one class");
    return false;
  }
  if (item.kind == AskedKind::clip && !answer.skipped && !class_holds(answer, answer.class_name))
    return false;
  return ranges_hold(answer, item) && time_holds(answer, item);
}

bool AnswerCheck::class_holds(const GivenAnswer& answer, const std::string& class_name) {
  if (classes_.contains(class_name)) return true;
  refuse(answer.place,
         class_name.empty() ? std::string("no class")
                            : fmt::format("'{}' is no class", excerpt(class_name, 40)),
         named_classes(questions_.classes));
  return false;
}

bool AnswerCheck::ranges_hold(const GivenAnswer& answer, const AskedItem& item) {
  for (const AnsweredRange& range : answer.ranges) {
    if (!class_holds(answer, range.class_name)) return false;
    if (!(std::isfinite(range.start_s) && std::isfinite(range.end_s))) {
      refuse(answer.place, "a range without a number where it starts or ends",
             "write both in seconds of the video");
      return false;
    }
    if (range.end_s <= range.start_s) {
      refuse(answer.place, fmt::format("a range from {} to {} s", range.start_s, range.end_s),
             "let it end after it starts");
      return false;
    }
    if (range.start_s < item.start_s - kRounding || range.end_s > item.end_s + kShownSecond) {
      refuse(answer.place,
             fmt::format("a range from {} to {} s reaches out of the clip, {} to {} s",
                         range.start_s, range.end_s, item.start_s, item.end_s),
             "keep it within");
      return false;
    }
  }
  return true;
}

bool AnswerCheck::time_holds(const GivenAnswer& answer, const AskedItem& item) {
  if (answer.answered_ms == 0) return true;
  if (item.asked_ms > 0 && answer.answered_ms < item.asked_ms - kClockError) {
    refuse(answer.place,
           fmt::format("answered at {}, before it was asked at {}", utc_text(answer.answered_ms),
                       utc_text(item.asked_ms)),
           "correct the time, or remove the row if it answers an earlier question");
    return false;
  }
  if (options_.now_ms > 0 && answer.answered_ms > options_.now_ms + kClockError) {
    refuse(answer.place,
           fmt::format("answered at {}, which is to come", utc_text(answer.answered_ms)),
           "correct the time or the clock");
    return false;
  }
  return true;
}

bool AnswerCheck::read_time(const std::string& text, GivenAnswer& answer) {
  if (text.empty()) return true;
  const auto ms = utc_ms(text);
  if (!ms) {
    refuse(answer.place, fmt::format("answered at '{}', which is no time", excerpt(text, 40)),
           "write it as 2026-01-02T03:04:05Z");
    return false;
  }
  answer.answered_ms = *ms;
  return true;
}

bool AnswerCheck::read_seconds(double seconds, const std::string& shown, GivenAnswer& answer) {
  if (!(seconds >= 0 && seconds <= kMostAnswerSeconds)) {
    refuse(answer.place, fmt::format("'{}' is no number of seconds", excerpt(shown, 40)),
           fmt::format("write 0 to {:.0f}, or nothing", kMostAnswerSeconds));
    return false;
  }
  answer.seconds = seconds;
  return true;
}

}  // namespace distal
