#include "distal/base/error.h"
#include "distal/cli/command.h"
#include "distal/cli/pretrain.h"
#include "distal/study/pretraining_alone.h"

namespace distal {
namespace {

void refuse_what_train_sets(const RecipeArguments& arguments) {
  for (const auto& text : arguments.sets) {
    const std::string key = Override::parse(text).key;
    if (key == "start" || key == "rounds")
      throw UsageError(fmt::format("--set {}: distal train uses all labels of data.pool, in one "
                                   "training; leave it out, or use distal run",
                                   text));
  }
}

void add_train(CLI::App* command) {
  command->description(
      "one model on all labels of data.pool (whatever start and rounds say): a teacher, or a "
      "student alone; one per seed. "
      "Of a pool without labels: pre-training alone (student.pretext), with the first seed");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->callback([arguments] {
    refuse_what_train_sets(*arguments);
    const Study study = arguments->read({{"start", "-1"}, {"rounds", "0"}});
    if (study.arms.size() > 1)
      throw UsageError(
          fmt::format("{}: has arms; distal run compares them, distal train wants one model: "
                      "--set arms= leaves them out (with another --out than that of the run)",
                      arguments->recipe));
    if (pretrains_only(study.shared, study.arms.front().options.student))
      return pretrain_and_print(study, *arguments);
    run_and_report(study, *arguments);
  });
}

}  // namespace

extern const Command train_command;
const Command train_command{60, add_train};

}  // namespace distal
