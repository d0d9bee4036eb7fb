#include <unistd.h>

#include <algorithm>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/cli/command.h"
#include "distal/cli/output.h"
#include "distal/serve/server.h"

namespace distal {
namespace {

struct ServeArguments {
  RecipeArguments recipe;
  serve::ServeOptions options;
  bool no_run = false;
};

bool is_store(const std::string& text) { return text.starts_with("sqlite:"); }

serve::ServedStudy served_study(const Study& study) {
  serve::ServedStudy served;
  served.name = study.name;
  served.classes = study.shared.data.classes;
  served.seeds = study.shared.seeds;
  for (const Arm& arm : study.arms) {
    served.arms.push_back(arm.name);
    served.rounds = std::max(served.rounds, arm.options.rounds);
  }
  return served;
}

// The same words as here, and the process ends when this one does.
std::vector<std::string> run_words(const RecipeArguments& recipe, const std::string& folder) {
  std::vector<std::string> words = {
      "run",   recipe.recipe, "--store",     recipe.store,
      "--out", folder,        "--ends-with", fmt::format("{}", ::getpid())};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {name, value});
  };
  const std::vector<std::string>& given =
      command_words();  // plugins first: distal CMD --plugin FILE
  for (size_t i = 2; i + 1 < given.size() && given[i] == "--plugin"; i += 2)
    add("--plugin", given[i + 1]);
  add("--data", recipe.data);
  add("--weights", recipe.weights);
  for (const std::string& set : recipe.sets) add("--set", set);
  if (recipe.seed >= 0) add("--seed", fmt::format("{}", recipe.seed));
  if (recipe.threads > 0) add("--threads", fmt::format("{}", recipe.threads));
  if (recipe.jobs > 0) add("--jobs", fmt::format("{}", recipe.jobs));
  return words;
}

void add_study(ServeArguments& arguments) {
  const Study study = arguments.recipe.read();
  if (!study.shared.oracle.kind->traits().people) {
    throw UsageError(
        fmt::format("{}: oracle.kind is not people, so that nobody is asked; set it, or "
                    "run the recipe by distal run",
                    arguments.recipe.recipe));
  }
  serve::ServeOptions& options = arguments.options;
  options.study = served_study(study);
  options.probes_folder = study.shared.cache.probes_folder();
  options.proxies_folder = study.shared.cache.resolved_folder() + "/proxies";
  if (arguments.no_run) return;
  const std::string folder =
      arguments.recipe.out.empty() ? "runs/" + study.name : arguments.recipe.out;
  make_folder(folder);
  options.run_log = folder + "/serve.log";
  options.run_command = run_words(arguments.recipe, folder);
}

void serve_people(ServeArguments& arguments) {
  serve::ServeOptions& options = arguments.options;
  options.store = arguments.recipe.store;
  if (is_store(arguments.recipe.recipe)) {
    options.store = arguments.recipe.recipe;
    const CacheOptions cache;
    options.probes_folder = cache.probes_folder();
    options.proxies_folder = cache.resolved_folder() + "/proxies";
  } else {
    add_study(arguments);
  }
  make_folder(options.probes_folder);
  {
    serve::Server server(options);
    print_now(server.address() + "\n");
    server.listen();
  }
  check_interrupted();
}

void add_recipe_options(CLI::App& command, RecipeArguments& recipe) {
  command
      .add_option("recipe", recipe.recipe,
                  "recipe of a study whose oracle.kind is people; or a store (sqlite:PATH) alone")
      ->required();
  command.add_option("--data", recipe.data, "folder of the lists and the videos (data.root)");
  command.add_option("--weights", recipe.weights,
                     "folder that init paths are relative to (weights)");
  command.add_option("--store", recipe.store, "the store of answers and runs")
      ->capture_default_str();
  command.add_option("--out", recipe.out, "folder of the results [runs/RECIPE]");
  command
      .add_option("--set", recipe.sets,
                  "key=value over the recipe, e.g. student.training.steps=50; may be repeated")
      ->take_all()
      ->delimiter('\0');
  command.add_option("--threads", recipe.threads, "threads of the networks [as distal run]")
      ->transform(number_from(1, 1024));
  recipe.add_jobs(command);
}

void add_serve(CLI::App* command) {
  command->description(
      "shows people what a study asks, on a page, and takes their answers; runs the study beside "
      "it, which goes on when they have answered");
  const auto arguments = std::make_shared<ServeArguments>();
  add_recipe_options(*command, arguments->recipe);
  serve::ServeOptions& options = arguments->options;
  command
      ->add_option("--bind", options.bind,
                   "address to listen at; others than this machine's own "
                   "need an owner with a password")
      ->capture_default_str();
  command->add_option("--port", options.port, "port to listen at; 0: a free one")
      ->transform(number_from(0, 65535))
      ->capture_default_str();
  command->add_option("--trust-proxy", options.trusted_proxies,
                      "address of a reverse proxy whose header X-Forwarded-User is believed; may "
                      "be repeated");
  command->add_flag("--no-run", arguments->no_run, "serve the page alone; do not run the study");
  command->callback([arguments] { serve_people(*arguments); });
}

}  // namespace

extern const Command serve_command;
const Command serve_command{75, add_serve};

}  // namespace distal
