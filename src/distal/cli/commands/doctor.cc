#include <sys/resource.h>

#include <ATen/Context.h>
#include <nlohmann/json.hpp>

#include "distal/base/json.h"
#include "distal/base/machine.h"
#include "distal/base/revision.h"
#include "distal/cli/command.h"
#include "distal/cli/doctor_network.h"
#include "distal/cli/doctor_order.h"
#include "distal/infer/openvino.h"
#include "distal/learn/pace.h"
#include "distal/models/gate.h"
#include "distal/study/describe.h"

namespace distal {
namespace {

using Json = nlohmann::ordered_json;

// The most memory this process has held so far.
int64_t peak_bytes() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<int64_t>(used.ru_maxrss) * 1024;
}

int64_t disk_bytes(const std::filesystem::path& folder) {
  std::filesystem::path at = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(at) && at.has_relative_path()) at = at.parent_path();
  std::error_code unknown;
  const auto space = std::filesystem::space(at, unknown);
  return unknown ? 0 : static_cast<int64_t>(space.available);
}

std::string gpu_line() {
  if (!at::globalContext().hasCUDART())
    return "this LibTorch has no CUDA; distal trains on the processor";
  return at::hasCUDA() ? "a CUDA device is there, and not used: distal trains on the processor"
                       : "LibTorch has CUDA, but no device is there";
}

std::string gb(const Json& bytes) { return fmt::format("{:.1f} GB", bytes.get<double>() / 1e9); }

Json machine() {
  const CacheOptions cache;
  const std::string frames = cache.resolved_folder();
  const double load = load_average();
  return {{"revision", revision()},
          {"machine", machine_line()},
          {"load", load > 0 ? Json(load) : Json()},  // 0: unknown
          {"memory_bytes", memory_bytes()},
          {"memory_free_bytes", free_memory_bytes()},
          {"bf16", cpu_has_bf16()},
          {"gpu", gpu_line()},
          {"openvino", openvino_line()},
          {"disk_here_free_bytes", disk_bytes(".")},
          {"frames_folder", frames},
          {"frames_free_bytes", disk_bytes(frames)},
          {"frames_cap_bytes", static_cast<int64_t>(cache.gigabytes * 1e9)}};
}

std::string text_of(const Json& m) {
  const auto word = [&](const char* key) { return m.at(key).get<std::string>(); };
  return fmt::format(
      "distal     {}\nmachine    {}{}\nmemory     {}, {} free\nbf16       {}\nGPU        "
      "{}\nOpenVINO   {}\n"
      "disk here  {} free\nframes in  {} ({} free, cap {})\n",
      word("revision"), word("machine"),
      m["load"].is_null()
          ? ""
          : fmt::format(", load {:.1f} over the last minute", m["load"].get<double>()),
      gb(m["memory_bytes"]), gb(m["memory_free_bytes"]),
      m["bf16"].get<bool>() ? "yes: training.precision auto uses it, behind a numerical gate"
                            : "no: training.precision auto means f32",
      word("gpu"), word("openvino"), gb(m["disk_here_free_bytes"]), word("frames_folder"),
      gb(m["frames_free_bytes"]), gb(m["frames_cap_bytes"]));
}

// What stands in a recipe's way on this machine, each with its cure. The plan has trained a few
// steps of every network at its batch size, so this process's peak is about what a run needs.
std::vector<std::string> troubles(const Plan& plan, const CacheOptions& cache,
                                  int64_t memory_free) {
  std::vector<std::string> found;
  const int64_t need = peak_bytes();
  const int64_t free = disk_bytes(cache.resolved_folder());
  if (need > memory_free)
    found.push_back(fmt::format("does not fit: a run needs about {} of memory, {} are free; lower "
                                "training.batch_size, input.size_px or input.sampling.frames",
                                gb(need), gb(memory_free)));
  if (plan.cache_bytes > free)
    found.push_back(fmt::format("does not fit: {} of frames, {} free on their disk; set "
                                "cache.folder, or a smaller input.short_side_px",
                                gb(plan.cache_bytes), gb(free)));
  else if (static_cast<double>(plan.cache_bytes) > cache.gigabytes * 1e9)
    found.push_back(fmt::format(
        "slow: {} of frames against a cap of {:g} GB means decoding again; raise cache.gigabytes",
        gb(plan.cache_bytes), cache.gigabytes));
  return found;
}

void doctor(const RecipeArguments& arguments) {
  arguments.set_threads();
  Json found = machine();
  if (!arguments.json) fmt::print("{}", text_of(found));
  if (!arguments.recipe.empty()) {
    const Study study = arguments.read();
    ConsoleProgress progress(arguments.progress());
    const Plan planned = plan(study, progress);
    const auto trouble =
        troubles(planned, study.shared.cache, found["memory_free_bytes"].get<int64_t>());
    found["plan"] = plan_json(planned);
    found["memory_need_bytes"] = peak_bytes();
    found["trouble"] = trouble;
    if (!arguments.json)
      fmt::print("\n{}  about {} of memory\n", planned.text, gb(found["memory_need_bytes"]));
    for (const auto& line : trouble) {
      if (!arguments.json) fmt::print("{}\n", line);
    }
    if (!arguments.json && trouble.empty()) fmt::print("fits this machine\n");
  }
  if (arguments.json) fmt::print("{}\n", json_text(found, 2));
}

void add_doctor(CLI::App* command) {
  command->description(
      "prints what distal finds on this machine and whether a recipe fits it; or "
      "what a network's file (.onnx, .xml, .pt2, .pt) takes and gives; or measures "
      "whether the order of frames matters");
  const auto arguments = std::make_shared<RecipeArguments>();
  arguments->add_to(*command);
  command->get_option("recipe")->required(false);
  const auto order = std::make_shared<bool>(false);
  command->add_flag("--order", *order,
                    "trains TSN and TSM on the recipe's labels instead, and says what seeing the "
                    "order of the frames is worth");
  command->callback([=] {
    if (!*order && is_network_file(arguments->recipe))
      return doctor_network(arguments->recipe, arguments->json);
    if (!*order) return doctor(*arguments);
    arguments->jobs = std::max<int64_t>(1, arguments->jobs);  // its two arms are compared here
    arguments->set_threads();
    doctor_order(*arguments);
  });
}

}  // namespace

extern const Command doctor_command;
const Command doctor_command{150, add_doctor};

}  // namespace distal
