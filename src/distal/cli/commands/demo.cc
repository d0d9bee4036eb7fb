#include "distal/cli/command.h"
#include "distal/cli/demo_recipe.h"

namespace distal {
namespace {

void add_demo(CLI::App* command) {
  command->description("runs the whole loop on generated H.264 videos: a teacher, its student, "
                       "three strategies; one to four minutes");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->out = "demo";
  command->add_option("--out", arguments->out, "folder of videos, store and report")
      ->capture_default_str();
  arguments->add_common(*command);
  command->callback([arguments] {
    arguments->store = "sqlite:" + arguments->out + "/distal.db";
    arguments->data = arguments->out + "/videos";
    auto overrides = arguments->overrides();
    overrides.push_back({"cache.folder", arguments->out + "/frames", /*literal=*/true});
    run_and_report(arguments->allowed(read_study(
                       Document::text(kDemoRecipe, "recipes/demo.yaml").with(overrides), "demo")),
                   *arguments);
  });
}

}  // namespace

extern const Command demo_command;
const Command demo_command{10, add_demo};

}  // namespace distal
