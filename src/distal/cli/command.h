#pragma once
// What the commands share. A command prints its result to stdout, perhaps as JSON, and progress to
// stderr. It throws Error, which program.cc prints.

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/study/folder.h"
#include "distal/study/plan.h"

namespace distal {

/// A command of the program. The file cli/commands/NAME.cc defines `distal NAME`, and ends with
///
///   extern const Command NAME_command;
///   const Command NAME_command{order, add_NAME};
///
/// in the namespace distal. The build writes the table of commands from the folder
/// (cmake/rooms.cmake).
struct Command {
  int order;                       // place in `distal --help`: ascending, then by name
  void (*add)(CLI::App* command);  // its description, arguments, flags and callback
};

struct CommandRow {
  const char* name;  // of its file
  const Command* command;
};
/// One row a file, sorted by name. The build writes it.
std::vector<CommandRow> command_files();
/// All commands, in the order of `distal --help`.
const std::vector<CommandRow>& commands();

/// What a number on the command line must be, said in our words; CLI11's own limits let NaN pass
/// and are written with 300 digits. Both ends count. For transform(): a whole number may be written
/// as in recipes (+3, 1e3).
CLI::Validator number_from(double low, double high = std::numeric_limits<double>::infinity());

/// The words of the command line as typed, the program's name first.
std::vector<std::string>& command_words();
/// The command line as typed, for reports.
std::string command_line();

/// What every command that works on a recipe understands.
struct RecipeArguments {
  std::string recipe, data, weights, store = "sqlite:distal.db", out;
  std::vector<std::string> sets;
  int64_t seed = -1, threads = 0,
          jobs = 0;    // 0: as measured at the start (study/split.h), or as the folder began
  std::string share;   // I/N: of the cells only these, to be collected by a run without it
  int64_t job_of = 0;  // the process that started this one as a job of its --out
  bool dry_run = false, quiet = false, json = false;
  bool untrusted = false;  // the recipe is from somebody else: nothing in it may execute code

  void add_to(CLI::App& command);
  void add_common(CLI::App& command);  // all but the recipe and where things lie
  void add_jobs(
      CLI::App& command);  // of the commands that let one choose how many processes share the cells
  std::vector<Override> overrides() const;  // --data, --weights, --seed and --set, in that order
  Study read(const std::vector<Override>& more = {}) const;
  Study allowed(Study study) const;  // itself; throws UsageError for what --untrusted refuses
  RunOptions run_options(const Study& study) const;  // in --out, default runs/NAME
  std::string folder(const Study& study) const;      // where this process works: a job has its own
  ConsoleProgress::Mode progress() const {
    return quiet ? ConsoleProgress::Mode::quiet : ConsoleProgress::Mode::automatic;
  }
  void set_threads() const;  // before the first network; several jobs share the processor
};

/// Runs an experiment in its folder (study/folder.h) and prints where and what; the common end of
/// run, train and demo. --dry-run prints the plan and writes nothing but what it probed, in the
/// frame cache.
void run_and_report(const Study& study, const RecipeArguments& arguments);

nlohmann::ordered_json plan_json(const Plan& plan);

}  // namespace distal
