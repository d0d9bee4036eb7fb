#include "distal/cli/command.h"

#include <algorithm>
#include <cmath>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/base/options.h"
#include "distal/base/text.h"
#include "distal/cli/openmp.h"
#include "distal/models/opened_network.h"
#include "distal/report/report.h"
#include "distal/report/text.h"
#include "distal/study/jobs.h"

namespace distal {
namespace {

constexpr double kMostWhole = 9e15;  // that a double holds exactly, and a little less

void print_plan(const Plan& plan, bool json) {
  fmt::print("{}", json ? json_text(plan_json(plan), 2) + "\n" : plan.text);
}

}  // namespace

const std::vector<CommandRow>& commands() {
  static const std::vector<CommandRow> rows = [] {
    std::vector<CommandRow> all = command_files();
    std::stable_sort(all.begin(), all.end(), [](const CommandRow& a, const CommandRow& b) {
      return a.command->order < b.command->order;
    });
    return all;
  }();
  return rows;
}

CLI::Validator number_from(double low, double high) {
  const std::string limits = std::isfinite(high) ? fmt::format("from {:.15g} to {:.15g}", low, high)
                                                 : fmt::format("{:.15g} or more", low);
  return {[=](std::string& text) {
            const auto value = number_of(text);
            if (!value || *value < low || *value > high)
              return fmt::format("'{}' is no number {}", excerpt(text, 60), limits);
            if (std::abs(*value) <= kMostWhole && *value == std::floor(*value))
              text = fmt::format("{}", static_cast<int64_t>(*value));  // +2 and 1e3 too
            return std::string();
          },
          limits, ""};
}

std::vector<std::string>& command_words() {
  static std::vector<std::string> words;
  return words;
}

std::string command_line() { return fmt::format("{}", fmt::join(command_words(), " ")); }

void RecipeArguments::add_common(CLI::App& command) {
  command
      .add_option("--set", sets,
                  "key=value over the recipe, e.g. student.training.steps=50; may be repeated")
      ->take_all()
      ->delimiter('\0');
  command.add_option("--seed", seed, "first seed, 0 or more [the recipe's]")
      ->check([](const std::string& text) {
        return text.starts_with('-') ? text + " is no seed; give 0 or more" : std::string();
      });
  command
      .add_option("--threads", threads,
                  "threads of the networks [where cells can share the processor: as measured at "
                  "the start; else all]")
      ->transform(number_from(1, 1024))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  command.add_flag("--dry-run", dry_run,
                   "say what would happen, how long and at what cost; do nothing");
  command.add_flag("--quiet", quiet, "no progress");
  command.add_flag_function(
      "--untrusted",
      [this](int64_t) {
        untrusted = true;
        refuse_network_programs();
      },
      "refuse what executes code: TorchScript and AOTInductor files (oracle.kind torchscript, "
      "model.network)");
  command.add_flag("--json", json, "the result as JSON on stdout");
  command.add_option("--share", share)->group("");
  command
      .add_option_function<int64_t>("--job-of",
                                    [this](int64_t parent) { end_with_parent(job_of = parent); })
      ->group("");
  command.add_option_function<int64_t>("--ends-with", end_with_parent)->group("");  // a server's
}

void RecipeArguments::add_to(CLI::App& command) {
  command.add_option("recipe", recipe, "recipe file (YAML)")->required();
  command.add_option("--data", data, "folder of the lists and the videos (data.root)");
  command.add_option("--weights", weights, "folder that init paths are relative to (weights)");
  command.add_option("--store", store, "the store of answers and runs")->capture_default_str();
  command.add_option("--out", out, "folder of the results, one experiment each [runs/RECIPE]");
  add_common(command);
  Recipe defaults;
  command.footer(
      "Recipe options, their defaults and ranges (a method's own options: distal list NAME):\n" +
      help_text([&](OptionVisitor& v) { defaults.visit(v); }));
}

void RecipeArguments::add_jobs(CLI::App& command) {
  command
      .add_option("--jobs", jobs,
                  "processes that share the cells, one an arm and seed; --threads is of each [as "
                  "measured at the start; with --threads 1]")
      ->transform(number_from(1, 256));
}

std::vector<Override> RecipeArguments::overrides() const {
  std::vector<Override> all;
  if (!data.empty()) all.push_back({"data.root", data, /*literal=*/true});
  if (!weights.empty()) all.push_back({"weights", weights, /*literal=*/true});
  if (seed >= 0) all.push_back({"seed", fmt::format("{}", seed)});
  for (const auto& text : sets) all.push_back(Override::parse(text));
  return all;
}

Study RecipeArguments::read(const std::vector<Override>& more) const {
  std::vector<Override> all = overrides();
  all.insert(all.end(), more.begin(), more.end());
  return allowed(read_study(recipe, all));
}

Study RecipeArguments::allowed(Study study) const {
  const auto trusted = [](const OracleTraits& traits) {
    return traits.soft && !traits.trained_here && !traits.foreign_code;
  };
  for (const OracleOptions* oracle : study.shared.oracle.parts()) {
    if (untrusted && oracle->kind->traits().foreign_code)
      throw UsageError(fmt::format(
          "{0}.{1}, which --untrusted refuses; use {0}.kind {2}, or leave --untrusted out",
          oracle->section, oracle->kind->program(), kinds_with(trusted)));
  }
  return study;
}

std::string RecipeArguments::folder(const Study& study) const {
  return place_of(run_options(study)).folder;
}

RunOptions RecipeArguments::run_options(const Study& study) const {
  return {out.empty() ? "runs/" + study.name : out,
          store,
          command_words(),
          threads,
          jobs,
          share,
          job_of};
}

void RecipeArguments::set_threads() const {
  if (threads != 1) wait_briefly();
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
}

void run_and_report(const Study& study, const RecipeArguments& arguments) {
  arguments.set_threads();
  ConsoleProgress progress(arguments.progress());
  if (arguments.dry_run) {
    require_places(arguments.run_options(study));
    return print_plan(plan(study, progress), arguments.json);
  }
  const Results results = run_in_folder(study, arguments.run_options(study), progress);
  if (!arguments.share.empty()) return;
  if (arguments.json)
    fmt::print("{}\n", report_json(results));
  else
    fmt::print("{}{}/report.html\n", summary_text(results), arguments.folder(study));
}

nlohmann::ordered_json plan_json(const Plan& plan) {
  return {{"runs", plan.cells},
          {"trainings", plan.trainings},
          {"answers_at_most", plan.answers},
          {"pool_s", plan.pool_s},
          {"seconds_asked_at_most", plan.seconds_asked},
          {"price_at_most", plan.price},
          {"minutes", plan.minutes},
          {"cache_bytes_at_most", plan.cache_bytes},
          {"text", plan.text}};
}

}  // namespace distal
