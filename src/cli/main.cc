#include <csignal>
#include <cstdio>
#include <system_error>

#include <fmt/ranges.h>
#include <malloc.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/openmp.h"
#include "cli/output.h"

namespace distal {
namespace {

const char* kPurpose = "distal trains a light video student from few labels: it chooses what to ask, asks a teacher or a person, "
                       "trains, measures, and repeats.";

// Messages carry names of files and words of servers, which may carry anything.
void complain(const std::string& message) { print_error(fmt::format("distal: {}\n", printable_lines(message))); }

// CLI11 would only say that the word was not expected.
void suggest(const std::string& word) {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  if (word.starts_with("-") || std::find(names.begin(), names.end(), word) != names.end()) return;
  const auto near = nearest(word, names);
  throw UsageError(fmt::format("{} is no command; {}", word, near ? "did you mean " + *near + "?" : "distal --help lists them"));
}

// The flag that was probably meant.
std::string flag_meant(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : command->get_options())
      for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
    for (const auto& word : command->remaining()) {
      const auto near = nearest(word.substr(0, word.find('=')), flags);
      if (word.starts_with("--") && near) return fmt::format("; did you mean {}?", *near);
    }
    return fmt::format("; distal {} --help lists what it takes", command->get_name());
  }
  return "";
}

// Where a subcommand was due, which there are.
std::string subcommands_meant(const CLI::App& app) {
  const CLI::App* last = &app;
  std::string path = "distal";
  for (; !last->get_subcommands().empty(); path += " " + last->get_name())
    last = last->get_subcommands().front();
  std::vector<std::string> names;
  for (const CLI::App* command : last->get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  return names.empty() ? "" : fmt::format("; {} takes one of {}, and {} --help says what each does", path, fmt::join(names, ", "), path);
}

int run_program(int argc, char** argv) {
  CLI::App app(kPurpose, "distal");
  app.require_subcommand(1);
  for (const Command& command : commands()) command.add(app);
  try {
    if (argc > 1) suggest(argv[1]);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::ExtrasError& error) {
    complain(error.what() + flag_meant(app));
    return 2;
  } catch (const CLI::RequiredError& error) {
    complain(error.what() + (std::string(error.what()).starts_with("A subcommand") ? subcommands_meant(app) : ""));
    return 2;
  } catch (const CLI::ParseError& error) {
    complain(error.what());
    return 2;
  }
}

// A training step frees and takes the same large blocks again: given back to the system they cost a page fault every 4 KiB.
// TSM on MobileNetV2, 4 x 96 x 96, batch 16, one thread: 38 s without this, 24 s with it.
void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
}

// The exit code where stdout failed: a reader that left ends the program as SIGPIPE would, without a word.
int without_stdout(const StdoutError& error) {
  if (error.reader_left()) return 128 + SIGPIPE;
  complain(error.what());
  return 1;
}

int exit_code(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const Interrupted& stop) {
    complain(fmt::format("{}; the same command continues", stop.what()));
    return 128 + stop.signal;
  } catch (const StdoutError& error) {
    return without_stdout(error);
  } catch (const UsageError& error) {
    complain(error.what());
    return 2;
  } catch (const std::system_error& error) {
    if (std::ferror(stdout)) return without_stdout(StdoutError(error.code().value()));  // of fmt::print
    complain(error.what());
    return 1;
  } catch (const std::exception& error) {
    complain(error.what());
    return 1;
  }
}

}  // namespace
}  // namespace distal

int main(int argc, char** argv) {
  distal::guard_standard_files();
  distal::command_words().assign(argv, argv + argc);
  distal::keep_threads_fixed();
  distal::keep_freed_memory();
  distal::Progress::catch_signals();
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is then an error with a message, as on a full disk
  const int code = distal::exit_code(argc, argv);
  if (std::ferror(stdout) && code != 0) return code;  // said already, or another reason is
  try {
    distal::flush_stdout();
    return code;
  } catch (const distal::StdoutError& error) {
    const int lost = distal::without_stdout(error);
    return code != 0 ? code : lost;
  }
}
