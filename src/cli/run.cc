#include "cli/command.h"

namespace distal {
namespace {

void refuse_what_train_sets(const RecipeArguments& arguments) {
  for (const auto& text : arguments.sets) {
    const std::string key = Override::parse(text).key;
    if (key == "start" || key == "rounds")
      throw UsageError(fmt::format("--set {}: distal train uses all labels of data.pool, in one training; leave it out, or use distal run", text));
  }
}

}  // namespace

void add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "the loop of a recipe: arms x seeds x rounds, then the report; continues where it was stopped");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->callback([arguments] { run_and_report(arguments->read(), *arguments); });
}

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "one model on all labels of data.pool (whatever start and rounds say): a teacher, or a student alone; one per seed");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->callback([arguments] {
    refuse_what_train_sets(*arguments);
    const Experiment experiment = arguments->read({{"start", "-1"}, {"rounds", "0"}});
    if (experiment.arms.size() > 1) throw UsageError(fmt::format("{}: has arms; distal run compares them, distal train wants one model", arguments->recipe));
    run_and_report(experiment, *arguments);
  });
}

}  // namespace distal
