#include <thread>

#include "distal/base/error.h"
#include "distal/cli/command.h"

namespace distal {
namespace {

void add_sweep(CLI::App* command) {
  command->description("runs a grid of pool sizes, rounds and answers (the section sweep of the "
                       "recipe); otherwise like run");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  arguments->add_jobs(*command);
  command->callback([arguments] {
    if (arguments->jobs == 0 && arguments->threads > 0)
      arguments->jobs =
          std::max<int64_t>(1, std::thread::hardware_concurrency() / arguments->threads);
    if (!Document::file(arguments->recipe).with(arguments->overrides()).section("sweep"))
      throw UsageError(fmt::format(
          "{}: has no sweep section; give lists of pool, rounds or answers, or use distal run",
          arguments->recipe));
    run_and_report(arguments->read(), *arguments);
  });
}

}  // namespace

extern const Command sweep_command;
const Command sweep_command{80, add_sweep};

}  // namespace distal
