#include <filesystem>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/store/store.h"
#include "distal/study/asked_frames.h"
#include "distal/study/asked_of_people.h"

namespace distal {
namespace {

struct AskArguments {
  std::string study, media;
  std::string store = "sqlite:distal.db";
  std::string format = "csv";
  std::string out = "ask";
  bool guess = false;
  bool force = false;
};

// CVAT counts frames. A time line that ends with its video says so in seconds.
void number_frames(Store& store, const std::string& study, bool for_cvat, AskedOfPeople& asked) {
  if (!for_cvat && !asks_ranges(asked)) return;
  AskedFrames frames(probes_of_study(store, study));
  const auto unreadable = frames.number(asked.questions.items);
  if (for_cvat && !unreadable.empty())
    fail("CVAT counts frames, and those of {} videos are not known: {}", unreadable.size(),
         unreadable.begin()->second);
}

void write_questions(const AskArguments& arguments) {
  Store store(arguments.store);
  PeopleStore people(arguments.store);
  const std::string study = study_of_people(people, arguments.study);
  AskedOfPeople asked = asked_of_people(store, people, study, /*open_only=*/true);
  if (asked.items.empty())
    fail("study {}: every question is answered; repeat distal run, which goes on with the answers",
         study);
  number_frames(store, study, arguments.format == "cvat", asked);
  AskFileOptions options;
  options.guesses = arguments.guess;
  options.project = study;
  options.media = arguments.media;
  const std::vector<AskFile> files = ask_files(arguments.format, asked.questions, options);
  for (const AskFile& file : files) {
    const std::string path = arguments.out + file.ending;
    if (!arguments.force && std::filesystem::exists(path))
      fail("{}: exists; --force writes over it, --out names another", path);
  }
  for (const AskFile& file : files) write_atomically(arguments.out + file.ending, file.text);
  for (const AskFile& file : files) {
    fmt::print("{}", printable_lines(fmt::format("{}{}: {} questions of study {}\n", arguments.out,
                                                 file.ending, asked.items.size(), study)));
  }
}

void add_ask(CLI::App* command) {
  command->description("writes the open questions of a study to people as a file: CSV, tasks of "
                       "Label Studio, or tasks of CVAT");
  const auto arguments = std::make_shared<AskArguments>();
  command->add_option("study", arguments->study,
                      "name, recipe or folder of the study [the only one of the store]");
  command->add_option("--store", arguments->store, "the store of the study")->capture_default_str();
  command->add_option("--format", arguments->format, "of the file")
      ->capture_default_str()
      ->check(CLI::IsMember(answer_formats()));
  command->add_option("--out", arguments->out, "name of the file without its ending")
      ->capture_default_str();
  command->add_option("--media", arguments->media,
                      "address below which Label Studio finds the videos [their paths]");
  command->add_flag("--guess", arguments->guess,
                    "the file holds the guess of the student, for people to correct");
  command->add_flag("--force", arguments->force, "overwrite existing files");
  command->callback([arguments] { write_questions(*arguments); });
}

}  // namespace

extern const Command ask_command;
const Command ask_command{72, add_ask};

}  // namespace distal
