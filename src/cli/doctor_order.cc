#include "cli/doctor_order.h"

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "experiment/order_sensitivity.h"
#include "experiment/report.h"
#include "experiment/thumbnail.h"

namespace distal {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kCure = "give another --out, or remove the folder";

// Another number of seeds is the same experiment, as for distal run.
bool same(const Experiment& a, const Experiment& b) {
  return std::equal(a.arms.begin(), a.arms.end(), b.arms.begin(), b.arms.end(),
                    [](const Arm& x, const Arm& y) { return x.name == y.name && essence(x.recipe) == essence(y.recipe); });
}

void require_own_folder(const std::string& folder, const Experiment& experiment) {
  const std::string path = folder + "/recipe.yaml";
  if (std::filesystem::exists(path) && !same(read_experiment(path, {}), experiment)) fail("{}: holds another experiment; {}", folder, kCure);
}

Results measure_order(const Experiment& experiment, const RunPlace& place, Progress& progress) {
  make_folder(place.folder);
  const FileLock lock(place.folder + "/.lock", place.folder, kCure);
  require_own_folder(place.folder, experiment);
  write_atomically(place.folder + "/recipe.yaml", experiment.resolved);
  const Results results = run(experiment, place, progress);
  write_report(place.folder, results, thumbnail);
  std::error_code kept;
  std::filesystem::remove_all(place.folder + "/unfinished", kept);
  return results;
}

Json json_of(const Estimate& e, const char* counted) {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  return {{"mean", number(e.mean)}, {"low", number(e.low)}, {"high", number(e.high)}, {counted, e.seeds}};
}

Json json_of(const OrderSensitivity& found, const std::string& report) {
  return {{"tsn", json_of(found.tsn, "seeds")}, {"tsm", json_of(found.tsm, "seeds")}, {"difference", json_of(found.difference, "pairs")},
          {"p", std::isfinite(found.p) ? Json(found.p) : Json()}, {"over_videos", json_of(found.over_videos, "videos")},
          {"test", found.test}, {"sentence", found.sentence}, {"report", report}};
}

}  // namespace

void doctor_order(const RecipeArguments& arguments) {
  if (arguments.recipe.empty()) throw UsageError("--order wants a recipe: its data, input and training are what is measured with");
  if (arguments.jobs > 1) throw UsageError("--jobs: not with --order; run DIR/recipe.yaml with distal run --jobs afterwards, or leave it out");
  const std::string name = std::filesystem::path(arguments.recipe).stem().string() + "-order";
  const Experiment experiment = order_experiment(Document::file(arguments.recipe).with(arguments.overrides()), name);
  Progress progress(arguments.progress());
  if (arguments.dry_run) {
    const Plan planned = plan(experiment, progress);
    return fmt::print("{}", arguments.json ? plan_json(planned).dump(2) + "\n" : planned.text);
  }
  const RunPlace place = arguments.place(experiment);
  const OrderSensitivity found = order_sensitivity(measure_order(experiment, place, progress));
  const std::string report = place.folder + "/report.html";
  if (arguments.json) fmt::print("{}\n", json_of(found, report).dump(2));
  else fmt::print("{}{}\n", found.text(), report);
}

}  // namespace distal
