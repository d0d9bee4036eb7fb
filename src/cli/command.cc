#include "cli/command.h"

#include <fstream>
#include <thread>

#include <ATen/Parallel.h>

#include "experiment/report.h"
#include "experiment/text.h"
#include "experiment/thumbnail.h"

namespace distal {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"demo", add_demo},   {"probe", add_probe}, {"import", add_import}, {"new", add_new},   {"train", add_train},
      {"run", add_run},     {"report", add_report}, {"list", add_list},   {"doctor", add_doctor},
  };
  return table;
}

std::string& command_line() {
  static std::string line;
  return line;
}

void RecipeArguments::add_to(CLI::App& command) {
  command.add_option("recipe", recipe, "recipe file (YAML)")->required();
  command.add_option("--data", data, "folder of the lists and the videos (data.root)");
  command.add_option("--weights", weights, "folder that init paths are relative to (weights)");
  command.add_option("--store", store, "where answers and runs live")->capture_default_str();
  command.add_option("--out", out, "folder of the results [runs/RECIPE]");
  command.add_option("--set", sets, "key=value over the recipe, e.g. training.steps=50; may be repeated")->take_all()->delimiter('\0');
  command.add_option("--seed", seed, "first seed");
  command.add_option("--threads", threads, "threads of the networks [all]")->check(CLI::Range(1, 1024));
  command.add_flag("--dry-run", dry_run, "say what would happen, how long and at what cost; do nothing");
  command.add_flag("--quiet", quiet, "no progress");
  command.add_flag("--json", json, "the result as JSON on stdout");
  Recipe defaults;
  command.footer("Recipe options, their defaults and ranges (a method's own options: distal list NAME):\n" +
                 help_text([&](OptionVisitor& v) { defaults.visit(v); }));
}

std::vector<Override> RecipeArguments::overrides() const {
  std::vector<Override> all;
  if (!data.empty()) all.push_back({"data.root", data});
  if (!weights.empty()) all.push_back({"weights", weights});
  if (seed >= 0) all.push_back({"seed", fmt::format("{}", seed)});
  for (const auto& text : sets) all.push_back(Override::parse(text));
  return all;
}

Experiment RecipeArguments::read(const std::vector<Override>& more) const {
  std::vector<Override> all = overrides();
  all.insert(all.end(), more.begin(), more.end());
  return read_experiment(recipe, all);
}

RunPlace RecipeArguments::place(const Experiment& experiment) const {
  return {out.empty() ? "runs/" + experiment.name : out, store, command_line()};
}

void run_and_report(const Experiment& experiment, const RecipeArguments& arguments) {
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  Progress progress(arguments.progress());
  if (arguments.dry_run) {
    fmt::print("{}", plan(experiment, progress).text);
    return;
  }
  const RunPlace place = arguments.place(experiment);
  const Results results = run(experiment, place, progress);
  write_report(place.folder, results, thumbnail);
  std::ofstream(place.folder + "/recipe.yaml") << results.recipe;
  std::filesystem::remove_all(place.folder + "/unfinished");
  if (arguments.json) fmt::print("{}\n", to_json(results));
  else fmt::print("{}{}/report.html\n", summary_text(results), place.folder);
}

}  // namespace distal
