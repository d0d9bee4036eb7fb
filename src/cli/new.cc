#include "cli/command.h"
#include "data/lists.h"
#include "models/weights.h"

namespace distal {
namespace {

struct Arguments {
  std::string recipe, data = ".", init;
  bool force = false;
};

// Sizes that 2 to 16 threads train in minutes; a frame network with ImageNet weights where there are some.
std::string text(const Arguments& arguments, int64_t train, int64_t test, int64_t classes) {
  const int64_t round = std::max<int64_t>(classes, train / 12 / classes * classes);
  const std::string model = arguments.init.empty() ? "{name: resnet3d, depth: 10, width: 16}" : "{name: tsn, base: mobilenet_v2, init: " + arguments.init + "}";
  return fmt::format(R"(# {0} training clips, {1} test clips, {2} classes. Only differences from the defaults are written; `distal run --help` lists all.
question: Does choosing what to label beat labelling at random on this data?

data:
  root: {3}
  pool: {{csv: train.csv}}      # path,label,group; the labels answer as hidden truth
  test: {{csv: test.csv}}       # other source videos

input:
  sampling: {{frames: 8}}
  size_px: 96

student:
  model: {4}
  training:
    steps: 300                # 300 x 16 = 4,800 clips seen in each training
    learning_rate: 0.02
  augment: {{flip: 0.5}}        # 0 where left and right are classes, or give flip_labels

start: {5}                     # initial labels, even over the classes
rounds: 4
budget: {5}                    # each round; {6} labels at the end, {7:.0f} % of the pool

seeds: 5                       # paired
arms:
  random: {{strategy: random}}
  margin: {{strategy: margin}}
  badge: {{strategy: badge}}
)", train, test, classes, arguments.data, model, round, 5 * round, 500.0 * static_cast<double>(round) / static_cast<double>(train));
}

void make_recipe(const Arguments& arguments) {
  namespace fs = std::filesystem;
  if (fs::exists(arguments.recipe) && !arguments.force) fail("{}: exists; --force writes over it", arguments.recipe);
  const auto train = read_rows((fs::path(arguments.data) / "train.csv").string(), "");
  const auto test = read_rows((fs::path(arguments.data) / "test.csv").string(), "");
  const int64_t classes = classes_of(train).size();
  if (static_cast<int64_t>(train.size()) < 5 * classes) fail("{}/train.csv: {} clips for {} classes; five a class are the least a loop can use", arguments.data, train.size(), classes);
  write_atomically(arguments.recipe, text(arguments, static_cast<int64_t>(train.size()), static_cast<int64_t>(test.size()), classes));
  Progress quiet(Progress::Mode::quiet);
  fmt::print("{}\n{}next: distal run {}\n", arguments.recipe, plan(read_experiment(arguments.recipe, {}), quiet).text, arguments.recipe);
}

}  // namespace

void add_new(CLI::App& app) {
  auto* command = app.add_subcommand("new", "a commented recipe for a folder with train.csv and test.csv, with the minutes it will take here");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("recipe", arguments->recipe, "file to write")->required();
  command->add_option("--data", arguments->data, "folder with train.csv and test.csv (distal import makes them)")->capture_default_str();
  command->add_option("--init", arguments->init, "ImageNet weights of mobilenet_v2 (safetensors) to start from");
  command->add_flag("--force", arguments->force, "write over an existing file");
  command->callback([arguments] { make_recipe(*arguments); });
}

}  // namespace distal
