#pragma once
// Code that the commands share. A command prints its result to stdout, as text or as JSON, and its
// progress to stderr. It throws Error. program.cc prints the message.

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "distal/base/document.h"
#include "distal/base/progress.h"
#include "distal/study/folder.h"
#include "distal/study/plan.h"

namespace distal {

/// A command of the program. The file cli/commands/NAME.cc defines `distal NAME`. It ends with
///
///   extern const Command NAME_command;
///   const Command NAME_command{order, add_NAME};
///
/// in the namespace distal. The build generates the table of commands from the folder
/// (cmake/rooms.cmake).
struct Command {
  int order;                       // place in `distal --help`: ascending, then by name
  void (*add)(CLI::App* command);  // its description, arguments, flags and callback
};

struct CommandRow {
  const char* name;  // of its file
  const Command* command;
};
/// One row per file, sorted by name. The build generates this function.
std::vector<CommandRow> command_files();
/// All commands, in the order of `distal --help`.
const std::vector<CommandRow>& commands();

/// Checks that a number of the command line is within [low, high]. CLI11's own checks accept NaN
/// and print 300 digits. Use it with transform(): it also accepts whole numbers as in recipes (+3,
/// 1e3).
CLI::Validator number_from(double low, double high = std::numeric_limits<double>::infinity());

/// The words of the command line as typed, the program's name first.
std::vector<std::string>& command_words();
/// The command line as typed, for reports.
std::string command_line();

/// The arguments of every command that reads a recipe.
struct RecipeArguments {
  std::string recipe, data, weights, store = "sqlite:distal.db", out;
  std::vector<std::string> sets;
  // threads, jobs: 0: as measured at the first start (study/split.h) and kept in the folder
  int64_t seed = -1;
  int64_t threads = 0;
  int64_t jobs = 0;
  std::string share;   // I/N: run only this share of the trials; a run without it collects them
  int64_t job_of = 0;  // id of the process that started this one as a job
  bool dry_run = false;
  bool quiet = false;
  bool json = false;
  bool untrusted = false;  // nothing in the recipe may execute code

  void add_to(CLI::App& command);
  void add_common(CLI::App& command);       // all but the recipe and where things lie
  void add_jobs(CLI::App& command);         // the flag --jobs
  std::vector<Override> overrides() const;  // --data, --weights, --seed and --set, in that order
  Study read(const std::vector<Override>& more = {}) const;
  Study allowed(Study study) const;  // returns `study`; throws UsageError if --untrusted refuses it
  RunOptions run_options(const Study& study) const;  // in --out, default runs/NAME
  std::string folder(const Study& study) const;      // where this process works: a job has its own
  ConsoleProgress::Mode progress() const {
    return quiet ? ConsoleProgress::Mode::quiet : ConsoleProgress::Mode::automatic;
  }
  void set_threads() const;  // before the first network; several jobs share the processor
};

/// Runs a study in its folder (study/folder.h) and prints the result and the path of the report.
/// The commands run, train and demo end with it. --dry-run prints the plan. It writes only probes
/// to the frame cache.
void run_and_report(const Study& study, const RecipeArguments& arguments);

nlohmann::ordered_json plan_json(const Plan& plan);

}  // namespace distal
