#include "experiment/recipe.h"

#include <algorithm>

#include <fmt/ranges.h>

namespace distal {
namespace {

void place_weights(ModelOptions& model, const std::string& folder) {
  if (!model.init.empty() && !folder.empty()) model.init = (std::filesystem::path(folder) / model.init).string();
}

Arm read_arm(const std::string& name, const Document& document) {
  Arm arm;
  arm.name = name;
  document.read(arm.recipe);
  place_weights(arm.recipe.student.model, arm.recipe.weights);
  if (arm.recipe.teacher) place_weights(arm.recipe.teacher->learner.model, arm.recipe.weights);
  arm.resolved = resolved(arm.recipe);
  return arm;
}

void check(const Arm& arm, const std::string& place) {
  const Recipe& recipe = arm.recipe;
  const auto refuse = [&](const std::string& what) { throw UsageError(fmt::format("{}: arm {}: {}", place, arm.name, what)); };
  if (recipe.data.pool.csv.empty()) refuse("data.pool.csv is missing; name a list with the columns path,label[,group]");
  if (recipe.data.test.csv.empty()) refuse("data.test.csv is missing; without a test set nothing can be claimed");
  if (recipe.oracle.kind == "teacher" && !recipe.teacher)
    refuse("oracle.kind = teacher needs a teacher section (its training list and model)");
  if (recipe.start == 0 && recipe.rounds == 0) refuse("start = 0 and rounds = 0 leave nothing to learn from; set one of them");
  if (recipe.budget == 0 && recipe.rounds > 0) refuse("budget = 0 asks nothing in any round; set a budget, or rounds to 0");
}

bool compares_strategies(const std::vector<Arm>& arms) {
  return std::any_of(arms.begin(), arms.end(), [](const Arm& arm) { return arm.recipe.rounds > 0 && arm.recipe.budget > 0; });
}

}  // namespace

void SyntheticData::visit(OptionVisitor& v) {
  v("classes", set.classes, "motions", one_of(motions()));
  v("train", set.train, "videos in train.csv", at_least(0));
  v("pool", set.pool, "videos in pool.csv", at_least(1));
  v("test", set.test, "videos in test.csv", at_least(1));
  v("frames", set.video.frames, "frames of a video", at_least(2));
  v("size_px", set.video.width, "width and height", between(16, 1024));
  set.video.height = set.video.width;
}

void DataOptions::visit(OptionVisitor& v) {
  v("root", root, "folder of the lists and the videos; --data sets it");
  v("synthetic", synthetic, "videos to generate into root");
  v("pool", pool, "clips to ask about");
  v("start", start, "where the initial answers come from; absent: the pool");
  v("test", test, "clips to measure on; shares no group with the others");
}

void Learner::visit(OptionVisitor& v) {
  v("model", model, "the network");
  v("training", training, "how it is trained");
  v("augment", augment, "augmentation of training clips");
}

void TeacherRecipe::visit(OptionVisitor& v) {
  v("train", train, "the teacher's own labelled clips");
  learner.visit(v);
  v("input", input, "what the teacher sees; absent: the recipe's input");
}

void Recipe::visit(OptionVisitor& v) {
  v("question", question, "what the report answers, one sentence");
  v("seed", seed, "first seed", at_least(0));
  v("seeds", seeds, "paired repeats", between(1, 1000));
  v("control", control, "arm the others are tested against; empty: random");
  v("no_random_arm", no_random_arm, "the reason why no random arm is wanted");
  v("weights", weights, "folder that init paths are relative to; --weights sets it");
  v("data", data, "lists of clips");
  v("clips", clips, "what a clip is");
  v("input", input, "what a network sees of a clip");
  v("cache", cache, "decoded frames on disk");
  v("teacher", teacher, "a teacher to train first");
  v("oracle", oracle, "who answers about the pool");
  v("student", student, "the network to train");
  v("loss", loss, "how a teacher's answers are learned");
  v("start", start, "initial answers with true labels, even over the classes; -1: all", at_least(-1));
  v("rounds", rounds, "rounds of asking", between(0, 1000));
  v("budget", budget, "of each round, in selection.unit; -1: the whole pool", at_least(-1));
  v("strategy", strategy, "which clips to ask about");
  v("selection", selection, "limits around the strategy");
}

Experiment read_experiment(const std::string& path, const std::vector<Override>& overrides) {
  return read_experiment(Document::file(path).with(overrides), std::filesystem::path(path).stem().string());
}

Experiment read_experiment(const Document& document, const std::string& name) {
  Experiment experiment;
  experiment.name = name;
  experiment.resolved = document.dump();
  const Document base = document.without("arms");
  const auto differences = document.entries("arms");
  for (const auto& [arm, difference] : differences) experiment.arms.push_back(read_arm(arm, base.overlaid_by(difference)));
  if (differences.empty()) {
    Arm arm = read_arm("", base);
    arm.name = arm.recipe.rounds > 0 && arm.recipe.budget > 0 ? arm.recipe.strategy.name : "all labels";
    experiment.arms.push_back(arm);
  }
  const std::string& refusal = experiment.base().no_random_arm;
  const auto random = std::find_if(experiment.arms.begin(), experiment.arms.end(), [](const Arm& arm) { return arm.recipe.strategy.name == "random" && arm.recipe.rounds > 0; });
  if (random == experiment.arms.end() && compares_strategies(experiment.arms)) {
    if (refusal.empty()) {
      experiment.arms.push_back(read_arm("random", base.overlaid_by(Document::text("{strategy: random}", "the random arm"))));
      experiment.notes.push_back("A random arm was added: without it no strategy can be called better.");
    } else {
      experiment.notes.push_back("No random arm: " + refusal);
    }
  }
  experiment.control = experiment.base().control;
  std::vector<std::string> names;
  for (const Arm& arm : experiment.arms) {
    check(arm, document.place());
    names.push_back(arm.name);
  }
  if (experiment.control.empty()) {
    const auto at = std::find_if(experiment.arms.begin(), experiment.arms.end(), [](const Arm& arm) { return arm.recipe.strategy.name == "random" && arm.recipe.rounds > 0; });
    experiment.control = at == experiment.arms.end() ? names.front() : at->name;
  } else if (std::find(names.begin(), names.end(), experiment.control) == names.end()) {
    throw UsageError(fmt::format("{}: control = '{}' is no arm; arms: {}", document.place(), experiment.control, fmt::join(names, ", ")));
  }
  return experiment;
}

}  // namespace distal
