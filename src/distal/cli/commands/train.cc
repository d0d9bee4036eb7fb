#include "distal/cli/command.h"

#include <thread>

#include "distal/cli/pretrain.h"
#include "distal/study/pretraining_alone.h"

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
  arguments->add_jobs(*command);
  command->callback([arguments] { run_and_report(arguments->read(), *arguments); });
}

void add_sweep(CLI::App& app) {
  auto* command = app.add_subcommand("sweep", "a grid of pool sizes, rounds and answers (the recipe's sweep section), cells in parallel processes; as run in all else");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  arguments->add_jobs(*command);
  command->callback([arguments] {
    if (arguments->jobs == 0 && arguments->threads > 0) arguments->jobs = std::max<int64_t>(1, std::thread::hardware_concurrency() / arguments->threads);
    if (!Document::file(arguments->recipe).with(arguments->overrides()).section("sweep"))
      throw UsageError(fmt::format("{}: has no sweep section; give lists of pool, rounds or answers, or use distal run", arguments->recipe));
    run_and_report(arguments->read(), *arguments);
  });
}

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "one model on all labels of data.pool (whatever start and rounds say): a teacher, or a student alone; one per seed. "
                                               "Of a pool without labels: pre-training alone (student.pretext), with the first seed");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->callback([arguments] {
    refuse_what_train_sets(*arguments);
    const Study study = arguments->read({{"start", "-1"}, {"rounds", "0"}});
    if (study.arms.size() > 1) throw UsageError(fmt::format("{}: has arms; distal run compares them, distal train wants one model", arguments->recipe));
    if (pretrains_only(study.shared, study.arms.front().options.student)) return pretrain_and_print(study, *arguments);
    run_and_report(study, *arguments);
  });
}

}  // namespace distal
