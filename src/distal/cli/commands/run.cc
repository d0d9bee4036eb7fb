#include "distal/cli/command.h"

namespace distal {
namespace {

void add_run(CLI::App* command) {
  command->description("runs every arm of a recipe with every seed and writes the report; "
                       "continues where it was stopped");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  arguments->add_jobs(*command);
  command->callback([arguments] { run_and_report(arguments->read(), *arguments); });
}

}  // namespace

extern const Command run_command;
const Command run_command{70, add_run};

}  // namespace distal
