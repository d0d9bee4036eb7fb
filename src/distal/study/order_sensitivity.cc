#include "distal/study/order_sensitivity.h"

#include <algorithm>

#include "distal/base/error.h"
#include "distal/evaluation/statistics.h"

namespace distal {
namespace {

constexpr const char* kQuestion = "Does the class depend on the order of the frames?";

bool is_frame_net(const std::string& backbone) { return backbone == "tsn" || backbone == "tsm"; }

// The options of student.model as YAML, the backbone one of the two.
std::string model_text(const Document& recipe, const std::string& backbone) {
  Recipe base;
  recipe.read(base);
  if (!is_frame_net(base.arm.student.model.backbone.name))
    return "{name: " + backbone + ", base: resnet18, width: 0.25}";
  if (!recipe.section("student.model.name")) return "{name: " + backbone + ", freeze: []}";
  Document model = *recipe.section("student.model");
  if (backbone == "tsn") model = model.without("shift_div").without("online");
  return model.with({{"name", backbone}, {"freeze", "[]"}}).dump();
}

Document order_document(const Document& recipe) {
  Document base = recipe;
  for (const char* key :
       {"arms", "sweep", "teacher", "oracle", "ask_start", "loss", "matching", "strategy",
        "selection", "mixes", "answers_per_clip", "budget", "pool_size", "no_random_arm"})
    base = base.without(key);
  std::vector<Override> changes = {
      {"question", kQuestion}, {"control", "tsn"}, {"start", "-1"}, {"rounds", "0"}};
  const std::pair<const char*, const char*> off[] = {
      {"student.augment.family", "none"}, {"student.pretext", "null"}, {"student.probe", "false"}};
  for (const auto& [key, value] : off) {
    if (recipe.section(key)) changes.push_back({key, value});
  }
  for (const std::string backbone : {"tsn", "tsm"})
    changes.push_back({"arms." + backbone + ".student.model", model_text(base, backbone)});
  return base.with(changes);
}

const ArmView& arm_of(const Summary& summary, const std::string& name) {
  const auto arm = std::find_if(summary.arms.begin(), summary.arms.end(),
                                [&](const ArmView& a) { return a.name == name; });
  expect(arm != summary.arms.end() && arm->ran(), "both arms were measured");
  return *arm;
}

std::string interval(const Estimate& e) {
  return std::isfinite(e.low) && e.high - e.low > 1e-9
             ? fmt::format(" [{:.4f}, {:.4f}]", e.low, e.high)
             : "";
}

std::string meaning(const OrderSensitivity& found, Shown shown, size_t classes) {
  const double chance = 1 / static_cast<double>(std::max<size_t>(classes, 1));
  const auto at_chance = [&](const Estimate& e) { return !(e.low > chance); };
  if (at_chance(found.tsn) && at_chance(found.tsm))
    return fmt::format("Neither network is shown to be above chance ({:.4f}), so nothing follows "
                       "about order: train longer, or on more labels.",
                       chance);
  if (shown == Shown::this_test_set)
    return fmt::format("On this test set seeing the order of the frames {}; whether it does so for "
                       "other videos is not shown.",
                       found.difference.mean > 0 ? "helps" : "costs accuracy");
  if (shown == Shown::other_groups && found.difference.mean > 0)
    return "The order of the frames tells classes apart here: reverse, shuffle and large speed may "
           "change them, and a student should see order.";
  if (shown == Shown::other_groups)
    return "Seeing the order of the frames costs accuracy here: single frames tell the classes, "
           "and a student needs no more.";
  return "That the order of the frames matters is not shown here: single frames may tell the "
         "classes.";
}

}  // namespace

Study order_study(const Document& recipe, const std::string& name) {
  Study study = read_study(order_document(recipe), name);
  const SharedOptions& base = study.shared;
  if (base.seeds < 2)
    throw UsageError(
        fmt::format("{}: seeds = 1 leaves nothing to test; --set seeds=5", recipe.place()));
  if (base.input.sampling.frames < 2)
    throw UsageError(
        fmt::format("{}: input.sampling.frames = 1 has no order; --set input.sampling.frames=8",
                    recipe.place()));
  return study;
}

OrderSensitivity order_sensitivity(const Results& results) {
  const Summary summary(results);
  const auto accuracies = [&](const char* arm) {
    return estimate_share(final_values(arm_of(summary, arm), accuracy));
  };
  const auto compared = std::find_if(summary.comparisons.begin(), summary.comparisons.end(),
                                     [](const Comparison& c) { return c.arm->name == "tsm"; });
  expect(compared != summary.comparisons.end(), "tsm is compared with tsn");
  OrderSensitivity found{
      accuracies("tsn"), accuracies("tsm"), compared->difference, compared->p, {}};
  if (const auto& both = compared->crossed)
    found.over_groups = {both->difference, both->interval.low, both->interval.high, both->groups};
  found.test = verdict("TSM", "TSN", compared->evidence(100), "accuracy points");
  found.sentence = meaning(found, compared->shown(), results.classes.size());
  return found;
}

std::string OrderSensitivity::text() const {
  std::string text;
  for (const auto& [name, e] :
       {std::pair("TSN, blind to order", tsn), std::pair("TSM, sees order", tsm)})
    text +=
        fmt::format("  {:<20} accuracy {:.4f}{}  {} seeds\n", name, e.mean, interval(e), e.seeds);
  text += "  " + test + "\n";
  return text + "  " + sentence + "\n";
}

}  // namespace distal
