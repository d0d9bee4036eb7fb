#include "distal/study/recipe.h"

#include <algorithm>
#include <map>

#include <fmt/ranges.h>

#include "distal/base/text.h"
#include "distal/base/yaml.h"
#include "distal/study/recipe_checks.h"
#include "distal/study/sweep.h"

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

// Augmentation that may contradict the labels: they stay, and the network is not told.
void note_label_changes(Experiment& experiment) {
  std::map<std::string, std::vector<std::string>> learners;  // by what is done to their clips
  const auto add = [&](const Learner& learner, const std::string& who) {
    const auto& family = learner.augment.family;
    const auto changes = family->label_changing();
    if (!changes.empty() && family->head_classes() == 0) learners[fmt::format("{} ({})", family.name, fmt::join(changes, ", "))].push_back(who);
  };
  for (const Arm& arm : experiment.arms) add(arm.recipe.student, arm.name);
  if (const auto& teacher = experiment.base().teacher) add(teacher->learner, "the teacher");
  for (const auto& [what, names] : learners)
    experiment.notes.push_back(fmt::format("Augmentation {} of {} may change what class a clip shows while its label stays; task_aware tells the network what "
                                           "was done, temporal_safe does nothing of the kind.", what, fmt::join(names, ", ")));
}

void set_controls(Experiment& experiment, const Document& base, const std::string& place) {
  std::vector<std::string> names;
  for (const Arm& arm : experiment.arms) names.push_back(arm.name);
  Recipe common;
  base.read(common);
  const auto random = std::find_if(experiment.arms.begin(), experiment.arms.end(), [](const Arm& arm) { return is_random(arm.recipe); });
  experiment.control = !common.control.empty() ? common.control : random != experiment.arms.end() ? random->name : names.front();
  for (Arm& arm : experiment.arms) {
    const std::string& wanted = arm.recipe.control.empty() ? experiment.control : arm.recipe.control;
    if (std::find(names.begin(), names.end(), wanted) == names.end())
      throw UsageError(fmt::format("{}: control = '{}' is no arm; arms: {}", place, wanted, fmt::join(names, ", ")));
    if (wanted != arm.name) arm.against = wanted;
  }
}

}  // namespace

void SyntheticData::visit(OptionVisitor& v) {
  v("classes", set.classes, "motions", one_of(motions()));
  v("train", set.train, "videos in train.csv", between(0, 100000));
  v("pool", set.pool, "videos in pool.csv", between(1, 100000));
  v("test", set.test, "videos in test.csv", between(1, 100000));
  v("frames", set.video.frames, "frames of a video", between(2, 10000));
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

void TeacherRecipe::visit(OptionVisitor& v) {
  v("train", train, "the teacher's own labelled clips");
  learner.visit(v);
  v("input", input, "what the teacher sees; absent: the recipe's input");
}

void Recipe::visit(OptionVisitor& v) {
  v("question", question, "what the report answers, one sentence");
  v("seed", seed, "first seed", between(0, 9e15));
  v("seeds", seeds, "paired repeats", between(1, 1000));
  v("control", control, "the arm this one is tested against; empty: random");
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
  v("matching", matching, "the teacher is run in every step on the student's own view of the clips it answered for; kinds teacher and model");
  v("start", start, "initial answers with true labels; -1: all", at_least(-1));
  v("start_draw", start_draw, "how they are drawn: random; stratified_by_labels, even over the classes of data.start; stratified_by_hidden_labels, even over those of the pool, "
                              "a draw that nobody could make", one_of({"random", "stratified_by_labels", "stratified_by_hidden_labels"}));
  v("ask_start", ask_start, "the teacher answers about the initial clips too, beside their labels");
  v("pool_size", pool_size, "clips of the pool that a run may ask about, drawn by seed, the smaller within the larger; -1: all", at_least(-1));
  v("rounds", rounds, "rounds of asking", between(0, 1000));
  v("budget", budget, "of each round, in selection.unit; -1: the whole pool", at_least(-1));
  v("strategy", strategy, "which clips to ask about");
  v("selection", selection, "limits around the strategy");
  v("mixes", mixes, "rounds ask about mixes of the clips known so far (Active Mixup) instead of clips of the pool");
  v("answers_per_clip", answers_per_clip, "views of a chosen clip that the teacher answers about, each an answer of the budget", between(1, 1000));
}

std::string essence(Recipe recipe) {
  for (auto* text : {&recipe.question, &recipe.control, &recipe.no_random_arm, &recipe.weights}) text->clear();
  recipe.seeds = 1, recipe.rounds = 0, recipe.cache = {};
  recipe.data.root = std::filesystem::weakly_canonical(recipe.data.root).string();
  const TeacherOptions pace;
  auto& oracle = recipe.oracle;
  oracle.requests_per_s = pace.requests_per_s, oracle.timeout_s = pace.timeout_s, oracle.retries = pace.retries;
  oracle.backoff_s = pace.backoff_s, oracle.batch_size = pace.batch_size, oracle.token_env = pace.token_env, oracle.ask_again = pace.ask_again;
  recipe.input.deadline_s = InputOptions().deadline_s;
  const auto settle = [](Learner& learner) {
    learner.training.threads = TrainingOptions().threads, learner.training.checkpoint_every = TrainingOptions().checkpoint_every;
    if (learner.pretext) learner.pretext->training.threads = learner.training.threads, learner.pretext->training.checkpoint_every = learner.training.checkpoint_every;
    auto& init = learner.model.init;
    if (!init.empty() && std::filesystem::exists(init)) init = content_id(init);
  };
  settle(recipe.student);
  if (recipe.teacher) settle(recipe.teacher->learner);
  return resolved(recipe);
}

bool scores_pool(const Recipe& recipe) {
  return selects(recipe) && !recipe.mixes && (recipe.strategy->needs().anything() || recipe.selection.class_balance);
}

bool scores(const Recipe& recipe) { return scores_pool(recipe) || (recipe.rounds > 0 && recipe.mixes && recipe.mixes->criterion != "random"); }

bool hears_teacher(const Recipe& recipe) { return recipe.oracle.kind != "truth" && (recipe.rounds > 0 || recipe.ask_start); }

bool selects(const Recipe& recipe) { return recipe.rounds > 0 && recipe.budget > 0; }

const std::string& chooses_by(const Recipe& recipe) { return recipe.mixes ? recipe.mixes->criterion : recipe.strategy.name; }

bool is_random(const Recipe& recipe) { return selects(recipe) && chooses_by(recipe) == "random"; }

std::optional<NamedDifference> random_twin(const Document& base, const std::vector<NamedDifference>& arms) {
  std::optional<NamedDifference> twin;
  bool taken = false;
  for (const auto& [name, difference] : arms) {
    Recipe recipe;
    base.overlaid_by(difference).read(recipe);
    if (is_random(recipe)) return std::nullopt;
    taken |= name == "random";
    if (twin || !selects(recipe)) continue;
    std::vector<Override> chance = {{"control", "''"}};
    if (recipe.mixes) chance.push_back({"mixes.criterion", "random"});
    else chance.insert(chance.end(), {{"strategy", "random"}, {"selection.fill", "rank"}});
    twin.emplace("random", difference.with(chance));
  }
  if (twin && taken) twin->first = "random twin";
  return twin;
}

std::string Experiment::start_words() const {
  std::vector<std::string> words;
  for (const Arm& arm : arms) {
    const Recipe& recipe = arm.recipe;
    const std::string how = recipe.start_draw == "random"                 ? "at random"
                            : recipe.start_draw == "stratified_by_labels" ? "evenly over the classes by their labels"
                                                                          : "evenly over the classes by hidden labels, as nobody could";
    const std::string text = recipe.start < 0 ? "all" : fmt::format("{} drawn {}", recipe.start, how);
    if (std::find(words.begin(), words.end(), text) == words.end()) words.push_back(text);
  }
  return fmt::format("{}", fmt::join(words, ", or "));
}

bool Experiment::asks_views() const {
  return std::any_of(arms.begin(), arms.end(), [](const Arm& arm) { return arm.recipe.answers_per_clip > 1; });
}

Experiment read_experiment(const std::string& path, const std::vector<Override>& overrides) {
  return read_experiment(Document::file(path).with(overrides), slug(std::filesystem::path(path).stem().string()));
}

Experiment read_experiment(const Document& recipe, const std::string& name) {
  const Document document = swept(recipe);
  Experiment experiment;
  experiment.name = name;
  experiment.resolved = document.dump();
  if (static_cast<int64_t>(experiment.resolved.size()) > kMostYamlBytes)  // it is read again where the run continues
    throw UsageError(fmt::format("{}: {} bytes with its arms multiplied out, at most {} are read; compare fewer", document.place(), experiment.resolved.size(), kMostYamlBytes));
  const Document base = document.without("arms");
  auto arms = document.entries("arms");
  if (arms.empty()) {
    Recipe only;
    base.read(only);
    arms.emplace_back(selects(only) ? chooses_by(only) : "all labels", Document::text("{}", base.place()));
  }
  if (static_cast<int64_t>(arms.size()) > kMostArms) throw UsageError(fmt::format("{}: {} arms, at most {} are run; compare fewer", document.place(), arms.size(), kMostArms));
  std::vector<std::string> places;
  for (const auto& [arm, difference] : arms) {
    experiment.arms.push_back(read_arm(arm, base.overlaid_by(difference)));
    places.push_back(difference.at());
  }
  const std::string refusal = experiment.base().no_random_arm;
  if (const auto twin = random_twin(base, arms)) {
    if (refusal.empty()) {
      experiment.arms.push_back(read_arm(twin->first, base.overlaid_by(twin->second)));
      places.push_back(document.place());
      experiment.notes.push_back("A random arm was added: without it no strategy can be called better.");
    } else {
      experiment.notes.push_back("No random arm: " + refusal);
    }
  }
  std::map<std::string, std::string> taken;
  for (size_t i = 0; i < places.size(); ++i) {
    check(experiment.arms[i], experiment, taken, places[i]);
    require_shared(experiment.arms[i], experiment.arms.front(), places[i]);
  }
  set_controls(experiment, base, document.place());
  note_label_changes(experiment);
  return experiment;
}

}  // namespace distal
