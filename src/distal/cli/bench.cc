#include "distal/cli/bench.h"

#include <ATen/Parallel.h>

#include "distal/base/options.h"

namespace distal {

void BenchRecipe::visit(OptionVisitor& v) const {
  v("list", list, "which clips");
  v("input", input, "how they are prepared");
  v("model", model, "the network, with random weights");
  v("training", training, "how it is trained, where it is");
  v("int8", int8, "how it is quantised, where it is");
}

void BenchArguments::add_to(CLI::App& command) {
  command.add_option("--data", data, "folder of the list and the videos")->required();
  command
      .add_option("--set", sets,
                  "key=value: list.csv, input.size_px, model.name, training.precision, int8.range, "
                  "...; may be repeated")
      ->take_all()
      ->delimiter('\0');
  command.add_option("--clips", clips, "at most so many")
      ->capture_default_str()
      ->transform(number_from(1));
  command.add_option("--batch", batch, "clips of a batch")
      ->capture_default_str()
      ->transform(number_from(1, 1024));
  command.add_option("--threads", threads, "of the networks [all]")
      ->transform(number_from(1, 1024));
  command.add_flag("--json", json, "the rows as JSON");
}

BenchClips::BenchClips(const BenchArguments& arguments) {
  std::vector<Override> overrides;
  for (const auto& set : arguments.sets) overrides.push_back(Override::parse(set));
  Document::text("{list: {csv: train.csv}, model: {name: resnet3d}, input: {sampling: {frames: "
                 "16}, size_px: 112}}",
                 "--set")
      .with(overrides)
      .read(recipe);
  if (arguments.threads > 0) at::set_num_threads(static_cast<int>(arguments.threads));
  reader.emplace(recipe.input, CacheOptions{});
  auto rows = read_rows(arguments.data + "/" + recipe.list.csv, recipe.list.groups);
  classes = classes_of(rows);
  rows.resize(std::min(rows.size(), static_cast<size_t>(arguments.clips)));
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
  clips = make_clips(
              rows, arguments.data, {}, classes,
              [&](const std::string& path) { return reader->probe(path); }, quiet)
              .clips;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace distal
