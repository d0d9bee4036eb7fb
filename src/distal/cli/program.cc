#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <c10/util/Exception.h>
#include <fmt/ranges.h>
#include <malloc.h>
#include <sysexits.h>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/machine.h"
#include "distal/base/plugin.h"
#include "distal/base/revision.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/cli/openmp.h"
#include "distal/cli/output.h"
#include "distal/cli/program.h"
#include "distal/study/round.h"

namespace distal {
namespace {

const char* kPurpose = "distal trains a light video student from few labels: it chooses what to "
                       "ask, asks a teacher or a person, "
                       "trains, measures, and repeats.";

// Messages carry names of files and words of servers, which may carry anything, of any length: one
// line, and an end.
void complain(const std::string& message) {
  constexpr size_t kMost = 4000;
  print_error(fmt::format("distal: {}\n", excerpt(message, kMost)));
}

// CLI11 would only say that the word was not expected.
void suggest(const std::string& word) {
  std::vector<std::string> names;
  for (const CommandRow& row : commands()) names.push_back(row.name);
  if (word.starts_with("-") || std::find(names.begin(), names.end(), word) != names.end()) return;
  const auto near = nearest(word, names);
  throw UsageError(fmt::format("{} is no command; {}", excerpt(word, 60),
                               near ? "did you mean " + *near + "?" : "distal --help lists them"));
}

std::string help_meant(const CLI::App& app) {
  const auto given = app.get_subcommands();
  return fmt::format("; distal {}--help lists what it takes",
                     given.empty() ? "" : given.front()->get_name() + " ");
}

std::string out_of_memory(const std::string& what) {
  return fmt::format("not enough memory: {}, and {:.1f} GB are free; lower training.batch_size, "
                     "input.size_px or input.sampling.frames, or stop what else runs",
                     what, static_cast<double>(free_memory_bytes()) / 1e9);
}

// What nobody foresaw. The library's own words are of use to who mends distal alone.
int bug(const std::string& words) {
  if (std::getenv("DISTAL_DEBUG") != nullptr) print_error(printable_lines(words) + "\n");
  complain(
      fmt::format("{}: stopped by what distal does not foresee, which is a bug of distal; please "
                  "report the command and its input, with what it prints under DISTAL_DEBUG=1",
                  excerpt(command_line())));
  return 1;
}

// The flag that was probably meant.
std::string flag_meant(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : command->get_options()) {
      for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
    }
    for (const auto& word : command->remaining()) {
      const auto near = nearest(word.substr(0, word.find('=')), flags);
      if (word.starts_with("--") && near) return fmt::format("; did you mean {}?", *near);
    }
  }
  return help_meant(app);
}

// Where a subcommand was due, which there are.
std::string subcommands_meant(const CLI::App& app) {
  const CLI::App* last = &app;
  std::string path = "distal";
  for (; !last->get_subcommands().empty(); path += " " + last->get_name())
    last = last->get_subcommands().front();
  std::vector<std::string> names;
  for (const CLI::App* command : last->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names.empty() ? ""
                       : fmt::format("; {} takes one of {}, and {} --help says what each does",
                                     path, fmt::join(names, ", "), path);
}

// What CLI11 found wrong, in our words: its own speak of types and counts.
std::string in_words(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  const std::string name = text.substr(0, text.find_first_of(": "));
  const std::string rest = text.substr(std::min(text.find(": "), text.size()));
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    const std::string pair =
        rest.empty() ? text : rest.substr(2);  // "Could not convert: --jobs = x"
    return fmt::format("{}: not a value it takes, such as a whole number{}", excerpt(pair),
                       help_meant(app));
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
    return fmt::format("{}: a value is missing, or there is one too many{}", excerpt(name),
                       help_meant(app));
  const auto unexpected = app.remaining(/*recurse=*/true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    return fmt::format("{} is not expected here{}",
                       excerpt(fmt::format("{}", fmt::join(unexpected, " "))), flag_meant(app));
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    return text.starts_with("A subcommand")
               ? (unexpected.empty() ? "a command is missing"
                                     : excerpt(unexpected.front(), 60) + " is no command here") +
                     subcommands_meant(app)
               : fmt::format("{} is missing{}", excerpt(name), help_meant(app));
  return excerpt(text) + help_meant(app);
}

// What LibTorch could not do: with its words, which are a stack's, goes what they say of memory.
std::string in_words(const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  const std::string mark = "you tried to allocate ";
  const size_t at = text.find(mark);
  if (at == std::string::npos) return "";
  double bytes = 0;
  std::from_chars(text.data() + at + mark.size(), text.data() + text.size(), bytes);
  return out_of_memory(fmt::format("{:.1f} GB were wanted at once", bytes / 1e9));
}

constexpr const char* kPlugin = "--plugin";

// Takes `--plugin FILE` out of the words, wherever it stands, and returns the files.
std::vector<std::string> take_plugins(std::vector<std::string>& words) {
  std::vector<std::string> files, rest;
  bool options = true;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    options = options && word != "--";
    if (options && word == kPlugin) {
      if (i + 1 == words.size() || words[i + 1].starts_with("-"))
        throw UsageError(
            fmt::format("{}: a file is missing; give the shared library of a plugin", kPlugin));
      files.push_back(words[++i]);
    } else if (options && word.starts_with(fmt::format("{}=", kPlugin))) {
      files.push_back(word.substr(std::strlen(kPlugin) + 1));
    } else {
      rest.push_back(word);
    }
  }
  words = rest;
  return files;
}

// The command line with the command first, as run_jobs() wants it: a job loads the same plugins.
std::vector<std::string> command_first(std::vector<std::string> words,
                                       const std::vector<std::string>& plugins) {
  size_t at = std::min<size_t>(2, words.size());
  for (const std::string& file : plugins) {
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), {kPlugin, file});
    at += 2;
  }
  return words;
}

int run_program(int argc, char** argv) {
  std::vector<std::string> words(argv, argv + argc);
  const std::vector<std::string> plugins = take_plugins(words);
  if (!plugins.empty()) command_words() = command_first(words, plugins);
  for (const std::string& file : plugins) load_plugin(file);

  CLI::App app(kPurpose, "distal");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("distal {}", revision()),
                       "print the revision that this program was built from");
  std::string taken;  // above; here for --help
  app.add_option(kPlugin, taken, "shared library with methods of yours; may be repeated");
  for (const CommandRow& row : commands()) row.command->add(app.add_subcommand(row.name));
  try {
    if (words.size() > 1) suggest(words[1]);
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    app.parse(static_cast<int>(pointers.size()), pointers.data());
    return 0;
  } catch (const CLI::Success& asked) {  // for help or the version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    complain(in_words(app, error));
    return 2;
  }
}

// LibTorch's warnings are for those who write programs with it.
struct Silent final : c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

// A training step frees and takes the same large blocks again: given back to the system they cost a
// page fault every 4 KiB. TSM on MobileNetV2, 4 x 96 x 96, batch 16, one thread: 38 s without this,
// 24 s with it.
void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
}

// The exit code where stdout failed: a reader that left ends the program as SIGPIPE would, without
// a word.
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
  } catch (const Awaiting& waiting) {
    complain(waiting.what());
    return EX_TEMPFAIL;
  } catch (const UsageError& error) {
    complain(error.what());
    return 2;
  } catch (const Error& error) {
    complain(error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    complain(fmt::format("{}: {}; {}", error.path1().string(), error.code().message(),
                         cure_of(error.code().value())));
  } catch (const std::system_error& error) {
    if (std::ferror(stdout))
      return without_stdout(StdoutError(error.code().value()));  // of fmt::print
    return bug(error.what());
  } catch (const std::bad_alloc&) {
    complain(out_of_memory("a part of it could not be had"));
  } catch (const c10::Error& error) {
    const std::string words = in_words(error);
    if (words.empty()) return bug(error.what());
    complain(words);
  } catch (const std::exception& error) {
    return bug(error.what());
  }
  return 1;
}

}  // namespace

int run_main(int argc, char** argv) {
  guard_standard_files();
  std::signal(SIGCHLD, SIG_DFL);  // whoever started this program may ignore it, and then nobody
                                  // could wait for children
  command_words().assign(argv, argv + argc);
  keep_threads_fixed();
  keep_freed_memory();
  catch_signals();
  hear_held_signals();
  std::signal(
      SIGXFSZ,
      SIG_IGN);  // a file at its size limit is then an error with a message, as on a full disk
  Silent silent;
  c10::WarningUtils::set_warning_handler(&silent);
  const int code = exit_code(argc, argv);
  if (std::ferror(stdout) && code != 0) return code;  // said already, or another reason is
  try {
    flush_stdout();
    return code;
  } catch (const StdoutError& error) {
    const int lost = without_stdout(error);
    return code != 0 ? code : lost;
  }
}

}  // namespace distal
