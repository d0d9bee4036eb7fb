#pragma once
// What every format of answers asks of a row. Of this room alone.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "distal/people/answer_files.h"

namespace distal {

/// Takes rows in the order of a file and keeps those that hold.
class AnswerCheck {
 public:
  AnswerCheck(const Questions& questions, const ReadAnswersOptions& options, std::string source);

  /// The item of a clip; nullptr, and the row is refused, where nobody asked about it.
  const AskedItem* item(const std::string& clip, const std::string& place);
  /// Keeps the answer or refuses its row. `place` and `clip` are filled.
  void add(GivenAnswer answer);
  void refuse(const std::string& place, const std::string& what, const std::string& cure);
  void unanswered() { ++read_.unanswered; }
  void note(const std::string& text) { read_.notes.push_back(text); }

  const Questions& questions() const { return questions_; }
  const ReadAnswersOptions& options() const { return options_; }
  GivenAnswers take() { return std::move(read_); }

  /// Where the row gives a time: reads `text` into `answer`. False: the row is refused.
  bool read_time(const std::string& text, GivenAnswer& answer);
  /// The same for the seconds an answer took.
  bool read_seconds(double seconds, const std::string& shown, GivenAnswer& answer);
  /// Whether its ranges are ranges of classes within the item. False: the row is refused.
  bool ranges_hold(const GivenAnswer& answer, const AskedItem& item);

 private:
  bool holds(const GivenAnswer& answer, const AskedItem& item);
  bool class_holds(const GivenAnswer& answer, const std::string& class_name);
  bool time_holds(const GivenAnswer& answer, const AskedItem& item);

  const Questions& questions_;
  const ReadAnswersOptions& options_;
  std::string source_;
  std::map<std::string, const AskedItem*> items_;
  std::set<std::string> classes_;
  std::map<std::pair<std::string, std::string>, std::string> answered_;  // clip, person: place
  GivenAnswers read_;
};

}  // namespace distal
