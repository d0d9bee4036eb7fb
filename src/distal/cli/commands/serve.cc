#include <cmath>
#include <optional>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/cli/command.h"
#include "distal/cli/output.h"
#include "distal/cli/serve_branches.h"
#include "distal/serve/server.h"

namespace distal {
namespace {

struct ServeArguments {
  RecipeArguments recipe;
  serve::ServeOptions options;
  double proxies_gb = 20;
  bool no_run = false;
};

bool is_store(const std::string& text) { return text.starts_with("sqlite:"); }

void add_study(ServeArguments& arguments, std::optional<Branches>& branches) {
  const Study study = arguments.recipe.read();
  if (!study.shared.oracle.people()) {
    throw UsageError(
        fmt::format("{}: oracle.kind is not people, so that nobody is asked; set it, or "
                    "run the recipe by distal run",
                    arguments.recipe.recipe));
  }
  serve::ServeOptions& options = arguments.options;
  options.probes_folder = study.shared.cache.probes_folder();
  options.proxies_folder = study.shared.cache.resolved_folder() + "/proxies";
  branches.emplace(arguments.recipe, study);
  options.study = branches->first();
  if (arguments.no_run) {
    options.study->run_command.clear();
    return;
  }
  make_folder(options.study->folder);
  options.branches = branches->earlier();
  options.branch_maker = branches->maker();
}

void serve_people(ServeArguments& arguments) {
  serve::ServeOptions& options = arguments.options;
  options.store = arguments.recipe.store;
  std::optional<Branches> branches;
  if (is_store(arguments.recipe.recipe)) {
    options.store = arguments.recipe.recipe;
    const CacheOptions cache;
    options.probes_folder = cache.probes_folder();
    options.proxies_folder = cache.resolved_folder() + "/proxies";
  } else {
    add_study(arguments, branches);
  }
  options.most_proxy_bytes = std::llround(arguments.proxies_gb * 1e9);
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
                  "recipe of a study whose oracle.kind, or oracle.then, is people; or a store "
                  "(sqlite:PATH) alone")
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
  command
      ->add_option("--proxies-gb", arguments->proxies_gb,
                   "most gigabytes of copies that browsers play; the longest unused go first")
      ->transform(number_from(0.1, 1e6))
      ->capture_default_str();
  command->add_flag("--no-run", arguments->no_run, "serve the page alone; do not run the study");
  command->callback([arguments] { serve_people(*arguments); });
}

}  // namespace

extern const Command serve_command;
const Command serve_command{75, add_serve};

}  // namespace distal
