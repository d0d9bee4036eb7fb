#pragma once
// A subcommand is a function that adds itself to the program; main.cc is their table. Each prints its result to stdout (or
// as JSON), progress to stderr, and throws Error for main.cc to print.

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/options.h"
#include "base/progress.h"
#include "experiment/run.h"

namespace distal {

struct Command {
  const char* name;
  void (*add)(CLI::App& app);
};
const std::vector<Command>& commands();

void add_demo(CLI::App& app);
void add_doctor(CLI::App& app);
void add_import(CLI::App& app);
void add_list(CLI::App& app);
void add_new(CLI::App& app);
void add_probe(CLI::App& app);
void add_report(CLI::App& app);
void add_run(CLI::App& app);
void add_train(CLI::App& app);

/// The command line as typed, for reports.
std::string& command_line();

/// What every command that works on a recipe understands.
struct RecipeArguments {
  std::string recipe, data, weights, store = "sqlite:distal.db", out;
  std::vector<std::string> sets;
  int64_t seed = -1, threads = 0;
  bool dry_run = false, quiet = false, json = false;

  void add_to(CLI::App& command);
  std::vector<Override> overrides() const;        // --data, --seed and --set, in that order
  Experiment read(const std::vector<Override>& more = {}) const;
  RunPlace place(const Experiment& experiment) const;  // --out, default runs/NAME
  Progress::Mode progress() const { return quiet ? Progress::Mode::quiet : Progress::Mode::automatic; }
};

/// Runs an experiment, writes DIR and prints where and what; the common end of run, train and demo.
void run_and_report(const Experiment& experiment, const RecipeArguments& arguments);

}  // namespace distal
