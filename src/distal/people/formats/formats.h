#pragma once
// The formats that people/answer_files.cc knows, a row each. Of this room alone.

#include <string>
#include <vector>

#include "distal/people/answer_check.h"
#include "distal/people/answer_files.h"

namespace distal {

/// Answers of each item, in the order they were given; files of questions have none.
using AnswersOf = std::map<std::string, std::vector<const GivenAnswer*>>;

using WriteFiles = std::vector<AskFile>(const Questions&, const AnswersOf&, const AskFileOptions&);

struct AnswerFormat {
  const char* name;
  WriteFiles* write;          // questions
  WriteFiles* write_answers;  // the first file holds them
  void (*read)(const std::string& text, const std::string& place, AnswerCheck& check);
};

extern const AnswerFormat kCsvAnswers;
extern const AnswerFormat kLabelStudioAnswers;
extern const AnswerFormat kCvatAnswers;

/// The class of the greatest probability; -1 without a guess.
int64_t guessed_class(const AskedItem& item);

}  // namespace distal
