#include <chrono>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/store/store.h"
#include "distal/study/asked_frames.h"
#include "distal/study/asked_of_people.h"

namespace distal {
namespace {

struct AnswerArguments {
  std::string file, study, store = "sqlite:distal.db", format, person;
};

int64_t milliseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// What became of the rows of a file.
struct Taken {
  int64_t stored = 0;
  int64_t repeated = 0;  // they were stored before
  std::vector<std::string> refused;
};

Taken store_answers(PeopleStore& people, const AskedOfPeople& asked, const GivenAnswers& given) {
  Taken taken;
  for (const RowRefusal& row : given.refusals) taken.refused.push_back(row.text());
  const int64_t now_ms = milliseconds_now();
  const auto rows = people.put_all(answers_for_store(asked, given.answers, now_ms), now_ms);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].put)
      taken.refused.push_back(fmt::format("{}: {}", given.answers[i].place, rows[i].message));
    else if (rows[i].put->repeated)
      ++taken.repeated;
    else
      ++taken.stored;
  }
  return taken;
}

void take_answers(const AnswerArguments& arguments) {
  const std::string text = read_file(arguments.file);
  Store store(arguments.store);
  PeopleStore people(arguments.store);
  const std::string study = study_of_people(people, arguments.study);
  AskedOfPeople asked = asked_of_people(store, people, study, /*open_only=*/false);
  const std::string format =
      arguments.format.empty() ? answer_format_of(text, arguments.file) : arguments.format;
  ReadAnswersOptions options;
  options.person = arguments.person;
  options.now_ms = milliseconds_now();
  AskedFrames frames(probes_of_study(store, study));
  if (asks_ranges(asked)) frames.number(asked.questions.items);
  options.time_of_frame = [&](const AskedItem& item, int64_t frame) {
    return frames.time_of(item, frame);
  };
  const GivenAnswers given = read_answers(format, text, arguments.file, asked.questions, options);
  const Taken taken = store_answers(people, asked, given);
  std::string lines;
  for (const std::string& row : taken.refused) lines += fmt::format("refused: {}\n", row);
  for (const std::string& note : given.notes) lines += fmt::format("note: {}\n", note);
  const int64_t open = people.left(arguments.person, study);
  lines += fmt::format("study {}: {} answers stored, {} were there before, {} refused, {} rows "
                       "without an answer\n",
                       study, taken.stored, taken.repeated, taken.refused.size(), given.unanswered);
  if (open > 0)
    lines += fmt::format("{} questions are open; distal ask writes them\n", open);
  else
    lines += "no question is open; repeat distal run, which goes on with the answers\n";
  fmt::print("{}", printable_lines(lines));
  if (!taken.refused.empty()) {
    fail("{}: {} rows were refused, the others are stored; mend these and give the file again",
         arguments.file, taken.refused.size());
  }
}

void add_answer(CLI::App* command) {
  command->description("takes the answers of people from a file: CSV, an export of Label Studio "
                       "(JSON, JSON-MIN) or of CVAT (XML)");
  const auto arguments = std::make_shared<AnswerArguments>();
  command->add_option("file", arguments->file, "the answers")->required();
  command->add_option("--study", arguments->study,
                      "name, recipe or folder of the study [the only one of the store]");
  command->add_option("--store", arguments->store, "the store of the study")->capture_default_str();
  command->add_option("--format", arguments->format, "of the file [by its content]")
      ->check(CLI::IsMember(answer_formats()));
  command->add_option("--person", arguments->person, "who answered, for rows that do not say it");
  command->callback([arguments] { take_answers(*arguments); });
}

}  // namespace

extern const Command answer_command;
const Command answer_command{74, add_answer};

}  // namespace distal
