#include "distal/cli/doctor_order.h"

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/study/order_sensitivity.h"

namespace distal {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Estimate& e, const char* counted) {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  return {{"mean", number(e.mean)},
          {"low", number(e.low)},
          {"high", number(e.high)},
          {counted, e.seeds}};
}

Json json_of(const OrderSensitivity& found, const std::string& report) {
  return {{"tsn", json_of(found.tsn, "seeds")},
          {"tsm", json_of(found.tsm, "seeds")},
          {"difference", json_of(found.difference, "pairs")},
          {"p", std::isfinite(found.p) ? Json(found.p) : Json()},
          {"over_groups", json_of(found.over_groups, "groups")},
          {"test", found.test},
          {"sentence", found.sentence},
          {"report", report}};
}

}  // namespace

void doctor_order(const RecipeArguments& arguments) {
  if (arguments.recipe.empty())
    throw UsageError(
        "--order wants a recipe: its data, input and training are what is measured with");
  if (arguments.jobs > 1)
    throw UsageError("--jobs: not with --order; run DIR/recipe.yaml with distal run --jobs "
                     "afterwards, or leave it out");
  const std::string name = std::filesystem::path(arguments.recipe).stem().string() + "-order";
  const Study study = arguments.allowed(
      order_study(Document::file(arguments.recipe).with(arguments.overrides()), name));
  ConsoleProgress progress(arguments.progress());
  if (arguments.dry_run) {
    const Plan planned = plan(study, progress);
    return fmt::print("{}",
                      arguments.json ? json_text(plan_json(planned), 2) + "\n" : planned.text);
  }
  const OrderSensitivity found =
      order_sensitivity(run_in_folder(study, arguments.run_options(study), progress));
  const std::string report = arguments.folder(study) + "/report.html";
  if (arguments.json)
    fmt::print("{}\n", json_text(json_of(found, report), 2));
  else
    fmt::print("{}{}\n", found.text(), report);
}

}  // namespace distal
