#include "distal/people/answer_files.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/people/formats/formats.h"

namespace distal {
namespace {

const std::array<const AnswerFormat*, 3>& all_formats() {
  static const std::array<const AnswerFormat*, 3> all = {&kCsvAnswers, &kLabelStudioAnswers,
                                                         &kCvatAnswers};
  return all;
}

const AnswerFormat& format_called(const std::string& name) {
  for (const AnswerFormat* format : all_formats()) {
    if (format->name == name) return *format;
  }
  throw UsageError(fmt::format("'{}' is no format of answers; the formats are {}",
                               excerpt(name, 40), fmt::join(answer_formats(), ", ")));
}

void require_askable(const Questions& questions) {
  std::set<std::string> classes;
  for (const std::string& name : questions.classes) {
    if (name.empty()) fail("a class without a name; name it");
    if (!classes.insert(name).second)
      fail("two classes are called '{}'; name one otherwise", excerpt(name, 40));
  }
  std::set<std::string> clips;
  for (const AskedItem& item : questions.items) {
    if (!clips.insert(item.clip).second)
      fail("the clip {} is asked about twice in one file; ask about it again in another file",
           excerpt(item.clip, 80));
    expect(item.guess.empty() || item.guess.size() == questions.classes.size(),
           "a guess has a probability for each class");
  }
}

}  // namespace

const std::vector<std::string>& answer_formats() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const AnswerFormat* format : all_formats()) all.push_back(format->name);
    return all;
  }();
  return names;
}

std::string answer_format_of(const std::string& text, const std::string& place) {
  const size_t begin = text.find_first_not_of(" \t\r\n", text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  if (begin == std::string::npos) fail("{}: empty; give the file with the answers", place);
  if (text[begin] == '{' || text[begin] == '[') return kLabelStudioAnswers.name;
  return text[begin] == '<' ? kCvatAnswers.name : kCsvAnswers.name;
}

int64_t guessed_class(const AskedItem& item) {
  if (item.guess.empty()) return -1;
  return std::max_element(item.guess.begin(), item.guess.end()) - item.guess.begin();
}

std::vector<AskFile> ask_files(const std::string& format, const Questions& questions,
                               const AskFileOptions& options) {
  const AnswerFormat& called = format_called(format);
  require_askable(questions);
  return called.write(questions, {}, options);
}

AskFile answer_file(const std::string& format, const Questions& questions,
                    const std::vector<GivenAnswer>& answers, const AskFileOptions& options) {
  const AnswerFormat& called = format_called(format);
  require_askable(questions);
  AnswersOf of;
  for (const AskedItem& item : questions.items) of[item.clip];
  for (const GivenAnswer& answer : answers) {
    const auto found = of.find(answer.clip);
    expect(found != of.end(), "an answer is about an item of the questions");
    found->second.push_back(&answer);
  }
  return called.write_answers(questions, of, options).front();
}

GivenAnswers read_answers(const std::string& format, const std::string& text,
                          const std::string& place, const Questions& questions,
                          const ReadAnswersOptions& options) {
  const AnswerFormat& called =
      format_called(format.empty() ? answer_format_of(text, place) : format);
  AnswerCheck check(questions, options, called.name);
  called.read(text, place, check);
  return check.take();
}

}  // namespace distal
