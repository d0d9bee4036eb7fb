#include <cctype>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "cli/command.h"
#include "experiment/material.h"
#include "store/store.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr double kLongClip_s = 30;  // eight frames do not tell what happens in more

struct NewArguments {
  std::string recipe, data, store, init;
  bool force = false, quiet = false;
};

struct Found {
  int64_t train = 0, test = 0;  // usable clips
  Classes classes;
  double clip_s = 0;            // mean of the training clips
};

// JSON's strings are YAML's.
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

// --data, else where the last import of the store wrote its lists, else here.
std::string folder_of(const NewArguments& arguments) {
  std::string folder = arguments.data;
  if (folder.empty() && !arguments.store.empty()) {
    for (const auto& event : Store(arguments.store).events(0))
      if (event.kind == "lists") folder = event.text;
    if (folder.empty())
      fail("{}: no import has written lists into this store; distal import does, or --data names the folder of train.csv and test.csv", arguments.store);
  }
  return (fs::absolute(folder.empty() ? "." : folder) / "").lexically_normal().parent_path().string();
}

Found look_at(const std::string& folder, bool segments, Progress& progress) {
  const std::string yaml = fmt::format("{{data: {{root: {}, pool: {{csv: train.csv}}, test: {{csv: test.csv}}}}, clips: {{unit: {}}}, "
                                       "start: 1, rounds: 0}}",
                                       quoted(folder), segments ? "segment" : "video");
  const Material material = open_material(read_experiment(Document::text(yaml, folder), "new"), progress);
  Found found{std::ssize(material.pool), std::ssize(material.test), material.classes};
  for (const Clip& clip : material.pool) found.clip_s += clip.duration_s() / static_cast<double>(found.train);
  return found;
}

bool tells_sides(const Classes& classes) {
  return std::any_of(classes.names.begin(), classes.names.end(), [](std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name.find("left") != std::string::npos || name.find("right") != std::string::npos;
  });
}

// Sizes that 2 to 16 threads train in minutes; a frame network with ImageNet weights where there are some.
std::string recipe_text(const Found& found, const std::string& folder, const std::string& init, bool segments) {
  const int64_t classes = found.classes.size(), round = std::max(classes, found.train / 12 / classes * classes);
  const std::string model = init.empty() ? "{name: resnet3d, depth: 10, width: 16}" : "{name: tsn, base: mobilenet_v2, init: " + quoted(init) + "}";
  const std::string clips = segments ? "\nclips: {unit: segment, length_s: 8, stride_s: 8}   # the lists' own are longer\n" : "";
  const std::string flip = tells_sides(found.classes) ? "{flip: 0}          # a flip would change the class; or name pairs: flip_labels: [\"left:right\"]"
                                                      : "{flip: 0.5}        # 0 where a flip would change the class";
  return fmt::format(R"(# {0} training clips, {1} test clips, {2} classes. Only differences from the defaults are written; `distal run --help` lists all.
question: Does choosing what to label beat labelling at random on this data?

data:
  root: {3}
  pool: {{csv: train.csv}}      # path,label,group; the labels answer as hidden truth
  test: {{csv: test.csv}}       # other source videos
{4}
input:
  sampling: {{frames: 8}}
  size_px: 96

student:
  model: {5}
  training:
    steps: 300                # 300 x 16 = 4,800 clips seen in each training
    learning_rate: 0.02
  augment: {6}

start: {7}                     # initial labels, drawn at random
rounds: 4
budget: {7}                    # each round; {8} labels at the end, {9:.0f} % of the pool

seeds: 5                       # paired
arms:
  random: {{strategy: random}}
  margin: {{strategy: margin}}
  badge: {{strategy: badge}}
)", found.train, found.test, classes, quoted(folder), clips, model, flip, round, 5 * round,
                     100.0 * static_cast<double>(5 * round) / static_cast<double>(found.train));
}

void make_recipe(const NewArguments& arguments) {
  if (fs::exists(arguments.recipe) && !arguments.force) fail("{}: exists; --force writes over it", arguments.recipe);
  if (!arguments.init.empty() && !fs::exists(arguments.init))
    throw UsageError(fmt::format("--init {}: missing; give a safetensors file of mobilenet_v2", arguments.init));
  const std::string folder = folder_of(arguments);
  const std::string init = arguments.init.empty() ? "" : fs::absolute(arguments.init).lexically_normal().string();
  Progress progress(arguments.quiet ? Progress::Mode::quiet : Progress::Mode::automatic);
  Found found = look_at(folder, false, progress);
  const bool segments = found.clip_s > kLongClip_s;
  if (segments) found = look_at(folder, true, progress);
  if (found.train < 5 * found.classes.size())
    fail("{}/train.csv: {} usable clips for {} classes; five a class are the least a loop can use", folder, found.train, found.classes.size());
  const std::string text = recipe_text(found, folder, init, segments);
  const Plan what = plan(read_experiment(Document::text(text, arguments.recipe), fs::path(arguments.recipe).stem().string()), progress);
  write_atomically(arguments.recipe, text);  // only now: what is written can be run
  fmt::print("{}\n{}next: distal run {}{}\n", arguments.recipe, what.text, arguments.recipe, arguments.store.empty() ? "" : " --store " + arguments.store);
}

}  // namespace

void add_new(CLI::App& app) {
  auto* command = app.add_subcommand("new", "a commented recipe for a folder with train.csv and test.csv, with the minutes it will take here");
  const auto arguments = std::make_shared<NewArguments>();
  command->add_option("recipe", arguments->recipe, "file to write")->required();
  command->add_option("--data", arguments->data, "folder with train.csv and test.csv [of the store's last import, else this folder]");
  command->add_option("--store", arguments->store, "the store that distal import recorded the videos in");
  command->add_option("--init", arguments->init, "ImageNet weights of mobilenet_v2 (safetensors) to start from");
  command->add_flag("--force", arguments->force, "write over an existing file");
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->callback([arguments] { make_recipe(*arguments); });
}

}  // namespace distal
