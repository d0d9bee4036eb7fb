#include "cli/command.h"

namespace distal {

void add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "the loop of a recipe: arms x seeds x rounds, then the report; continues where it was stopped");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->callback([arguments] { run_and_report(arguments->read(), *arguments); });
}

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "one model on all labels of data.pool: a teacher, or a student alone; one per seed");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->callback([arguments] {
    const Experiment experiment = arguments->read({{"start", "-1"}, {"rounds", "0"}});
    if (experiment.arms.size() > 1) throw UsageError(fmt::format("{}: has arms; distal run compares them, distal train wants one model", arguments->recipe));
    run_and_report(experiment, *arguments);
  });
}

}  // namespace distal
