#include <fstream>
#include <thread>

#include <torch/types.h>

#include "base/revision.h"
#include "cli/command.h"
#include "infer/openvino.h"
#include "models/gate.h"

namespace distal {
namespace {

double memory_gb(const std::string& field) {
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with(field)) return std::stod(line.substr(line.find(':') + 1)) / 1e6;
  return 0;
}

double disk_gb(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::path at = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(at) && at.has_relative_path()) at = at.parent_path();
  return static_cast<double>(std::filesystem::space(at, ignored).available) / 1e9;
}

void machine() {
  const CacheOptions cache;
  fmt::print("distal     {}\nmachine    {}\nmemory     {:.1f} GB, {:.1f} GB free\n", revision(), machine_line(), memory_gb("MemTotal"), memory_gb("MemAvailable"));
  fmt::print("bf16       {}\n", cpu_has_bf16() ? "yes: training.precision auto uses it, behind a numerical gate" : "no: training.precision auto means f32");
  fmt::print("GPU        {}\n", at::hasCUDA() ? "CUDA device found; distal trains on the processor" : "none");
  fmt::print("OpenVINO   {}\n", openvino_line());
  fmt::print("disk here  {:.1f} GB free\nframes in  {} ({:.1f} GB free, cap {:g} GB)\n", disk_gb("."), cache.resolved_folder(), disk_gb(cache.resolved_folder()), cache.gigabytes);
}

void recipe(const RecipeArguments& arguments) {
  const Experiment experiment = arguments.read();
  Progress progress(arguments.progress());
  const Plan planned = plan(experiment, progress);
  fmt::print("\n{}", planned.text);
  const double cached = static_cast<double>(planned.cache_bytes) / 1e9;
  const CacheOptions& cache = experiment.base().cache;
  if (cached > disk_gb(cache.resolved_folder())) fmt::print("does not fit: {:.1f} GB of frames, {:.1f} GB free; set cache.folder, or a smaller input.short_side_px\n", cached, disk_gb(cache.resolved_folder()));
  else if (cached > cache.gigabytes) fmt::print("slow: {:.1f} GB of frames against a cap of {:g} GB means decoding again; raise cache.gigabytes\n", cached, cache.gigabytes);
  else fmt::print("fits this machine\n");
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto* command = app.add_subcommand("doctor", "what this machine has, and whether a recipe fits it");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->get_option("recipe")->required(false);
  command->callback([arguments] {
    machine();
    if (!arguments->recipe.empty()) recipe(*arguments);
  });
}

}  // namespace distal
