#include "distal/cli/bench.h"

namespace distal {
namespace {

void add_bench(CLI::App* command) {
  command->description(
      "measures the speed of distal on this machine: distal bench decode, score or train");
  command->require_subcommand(1);
  add_bench_decode(*command);
  add_bench_score(*command);
  add_bench_train(*command);
}

}  // namespace

extern const Command bench_command;
const Command bench_command{140, add_bench};

}  // namespace distal
