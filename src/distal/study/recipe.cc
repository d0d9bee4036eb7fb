#include "distal/study/recipe.h"

#include <algorithm>
#include <map>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/text.h"
#include "distal/base/yaml.h"
#include "distal/data/augmentation.h"
#include "distal/lists/feature_table.h"
#include "distal/models/opened_network.h"
#include "distal/study/recipe_checks.h"
#include "distal/study/sweep.h"

namespace distal {
namespace {

void place_weights(ModelOptions& model, const std::string& folder) {
  if (folder.empty()) return;
  if (!model.init.empty()) model.init = (std::filesystem::path(folder) / model.init).string();
  const NetworkOptions* network = model.network();
  if (network && !network->file.empty())
    model = model.with_network_file((std::filesystem::path(folder) / network->file).string());
}

// What a network of others takes, and whose it is.
struct WantedInput {
  std::string who;  // "arm margin: student.model.network"
  int64_t size_px, frames;
};

std::optional<WantedInput> wanted_input(ModelOptions model, const std::string& weights,
                                        const std::string& who, const std::string& place) {
  if (!model.network()) return std::nullopt;
  place_weights(model, weights);
  check_network(*model.network(), fmt::format("{}: {}", place, who));
  try {
    const auto network = opened_network(*model.network());
    return WantedInput{who, network->size_px(), network->frames()};
  } catch (const Error& error) {
    throw UsageError(fmt::format("{}: {}: {}", place, who, error.what()));
  }
}

// The options of `section` that a network needs and the recipe does not say. Throws UsageError
// where it says otherwise. `input` is what holds without them.
std::vector<Override> input_of(const Document& recipe, const std::string& section,
                               const InputOptions& input, const WantedInput& wanted) {
  std::vector<Override> missing;
  const auto agree = [&](const char* name, int64_t ours, int64_t theirs) {
    if (ours == theirs) return;
    const std::string key = section + "." + name;
    if (recipe.section(key))
      throw UsageError(fmt::format("{}: {} = {}, and {} takes {}; set {}, or leave {} out",
                                   recipe.place(), key, ours, wanted.who, theirs, theirs, key));
    missing.push_back({key, fmt::format("{}", theirs)});
  };
  agree("size_px", input.size_px, wanted.size_px);
  if (wanted.frames > 1) agree("sampling.frames", input.sampling.frames, wanted.frames);
  return missing;
}

// What the networks of the arms take, which is the same for all. Throws UsageError: it is not.
std::optional<WantedInput> input_of_arms(const Document& recipe, const SharedOptions& shared,
                                         const std::vector<ArmDifference>& arms) {
  std::optional<WantedInput> all;
  for (const ArmDifference& arm : arms) {
    const auto wanted =
        wanted_input(arm.options.student.model, shared.weights,
                     fmt::format("student.model.network of arm {}", arm.name), recipe.place());
    if (!wanted) continue;
    if (!all) all = wanted;
    const bool frames_differ =
        all->frames > 1 && wanted->frames > 1 && all->frames != wanted->frames;
    if (all->size_px != wanted->size_px || frames_differ)
      throw UsageError(fmt::format(
          "{}: {} takes {} px and {} frames, and {} takes {} px and {}; arms share their input, so "
          "write two recipes and compare them with distal report",
          recipe.place(), all->who, all->size_px, all->frames, wanted->who, wanted->size_px,
          wanted->frames));
    all->frames = std::max(all->frames, wanted->frames);
  }
  return all;
}

// The recipe with the input that its networks of others take, where it does not say that input;
// none where nothing is to be added.
std::optional<Document> with_input_of_networks(const Document& recipe, const SharedOptions& shared,
                                               const std::vector<ArmDifference>& arms) {
  std::vector<Override> missing;
  if (const auto wanted = input_of_arms(recipe, shared, arms))
    missing = input_of(recipe, "input", shared.input, *wanted);
  if (!missing.empty()) return recipe.with(missing);
  if (!shared.teacher) return std::nullopt;
  const auto wanted = wanted_input(shared.teacher->learner.model, /*weights=*/"",  // placed already
                                   "teacher.model.network", recipe.place());
  if (wanted) missing = input_of(recipe, "teacher.input", shared.teacher_input(), *wanted);
  if (missing.empty()) return std::nullopt;
  if (!shared.teacher->input)
    missing.insert(missing.begin(), {"teacher.input", resolved(shared.input)});
  return recipe.with(missing);
}

// The names of the options that arms share.
class Names final : public OptionVisitor {
 public:
  std::vector<std::string> names;
  void done() override {}

 protected:
  void value(const char* name, Field, const char*, Range, const OneOf&) override {
    names.push_back(name);
  }
  void section(const char* name, const char*, const Section&) override { names.push_back(name); }
};

const std::vector<std::string>& shared_names() {
  static const std::vector<std::string> names = [] {
    Names visitor;
    SharedOptions defaults;
    defaults.visit(visitor);
    return visitor.names;
  }();
  return names;
}

// Throws UsageError: an arm's difference sets an option that arms share to something else than
// `shared` has. `other`: another arm; empty: there is none.
Document own_part(const Document& recipe, const std::string& arm, const std::string& other,
                  const Document& difference) {
  Document own = difference;
  for (const std::string& name : shared_names()) {
    const auto section = difference.section(name);
    if (!section) continue;
    own = own.without(name);
    Recipe top, with_arm;
    recipe.read(top);
    recipe.overlaid_by(difference).read(with_arm);
    if (top.shared == with_arm.shared) continue;
    const std::string who = other.empty() ? fmt::format("arm {} sets {}", excerpt(arm), name)
                                          : fmt::format("arms {} and {} differ in {}",
                                                        excerpt(other), excerpt(arm), name);
    throw UsageError(fmt::format("{}: {}, which arms share; set it at the top level, or write two "
                                 "recipes and compare them with distal report",
                                 difference.at(), who));
  }
  return own;
}

ArmDifference read_difference(const Document& base, const std::string& name,
                              const Document& difference) {
  ArmDifference arm{name, difference, {}};
  base.overlaid_by(difference).read(arm.options);
  return arm;
}

Arm arm_of(const ArmDifference& read, const SharedOptions& shared) {
  Arm arm{read.name, read.options, "", ""};
  place_weights(arm.options.student.model, shared.weights);
  if (arm.options.embeddings && arm.options.embeddings->network && !shared.weights.empty()) {
    std::string& file = arm.options.embeddings->network->file;
    if (!file.empty()) file = (std::filesystem::path(shared.weights) / file).string();
  }
  arm.resolved = resolved(Recipe{shared, arm.options});
  return arm;
}

// Augmentation that may contradict the labels: they stay, and the network is not told.
void note_label_changes(Study& study) {
  std::map<std::string, std::vector<std::string>> learners;  // by what is done to their clips
  const auto add = [&](const Learner& learner, const std::string& who) {
    const auto& family = learner.augment.family;
    const auto changes = family->label_changing();
    if (!changes.empty() && family->head_classes() == 0)
      learners[fmt::format("{} ({})", family.name, fmt::join(changes, ", "))].push_back(who);
  };
  for (const Arm& arm : study.arms) add(arm.options.student, arm.name);
  if (const auto& teacher = study.shared.teacher) add(teacher->learner, "the teacher");
  for (const auto& [what, names] : learners)
    study.notes.push_back(fmt::format("Augmentation {} of {} may change what class a clip shows "
                                      "while its label stays; task_aware tells the network what "
                                      "was done, temporal_safe does nothing of the kind.",
                                      what, fmt::join(names, ", ")));
}

// Strategies that look into the student, where embeddings come from elsewhere.
void note_own_embeddings(Study& study) {
  for (const Arm& arm : study.arms) {
    const ArmOptions& options = arm.options;
    const Needs needs = options.strategy->needs();
    const bool own = (needs.embeddings || needs.head) && !needs.any_embeddings;
    if (!options.embeddings || !options.selects() || options.mixes || !own) continue;
    study.notes.push_back(fmt::format("Arm {}: strategy {} looks into the student and keeps the "
                                      "student's own embeddings.",
                                      arm.name, options.strategy.name));
  }
}

// `common`: the control that the recipe's top level names, or nothing.
void set_controls(Study& study, const std::string& common, const std::string& place) {
  std::vector<std::string> names;
  for (const Arm& arm : study.arms) names.push_back(arm.name);
  const auto random = std::find_if(study.arms.begin(), study.arms.end(),
                                   [](const Arm& arm) { return arm.options.is_random(); });
  study.control = !common.empty()              ? common
                  : random != study.arms.end() ? random->name
                                               : names.front();
  for (Arm& arm : study.arms) {
    const std::string& wanted = arm.options.control.empty() ? study.control : arm.options.control;
    if (std::find(names.begin(), names.end(), wanted) == names.end())
      throw UsageError(fmt::format("{}: control = '{}' is no arm; arms: {}", place, wanted,
                                   fmt::join(names, ", ")));
    if (wanted != arm.name) arm.against = wanted;
  }
}

// What only paces a training.
void set_pace_aside(Learner& learner) {
  const TrainingOptions plain;
  const auto set_aside = [&plain](TrainingOptions& training) {
    training.threads = plain.threads;
    training.checkpoint_every = plain.checkpoint_every;
  };
  set_aside(learner.training);
  if (learner.pretext) set_aside(learner.pretext->training);
  std::string& init = learner.model.init;
  if (!init.empty() && std::filesystem::exists(init)) init = content_id(init);
  const NetworkOptions* network = learner.model.network();
  if (network && std::filesystem::exists(network->file))
    learner.model = learner.model.with_network_file(opened_network(*network)->id());
  const FeatureFiles* files = learner.model.feature_files();
  if (files && std::filesystem::exists(files->features))
    learner.model = learner.model.with_feature_files({content_id(*files), "by content"});
}

bool exists(const std::string& file) { return std::filesystem::exists(file); }

// The files by what they hold. Those of an old recipe may have moved, and keep their names.
void name_by_content(EmbeddingOptions& embeddings) {
  if (embeddings.network) {
    if (exists(embeddings.network->file))
      embeddings.network->file = network_id(*embeddings.network);
  } else if (exists(embeddings.files.features) && exists(embeddings.files.list)) {
    embeddings.files = {content_id(embeddings.files), "by content"};
  }
}

}  // namespace

void SyntheticData::visit(OptionVisitor& v) const {
  v("classes", set.classes, "motions", one_of(motions()));
  v("train", set.train, "videos in train.csv", between(0, 100000));
  v("pool", set.pool, "videos in pool.csv", between(1, 100000));
  v("test", set.test, "videos in test.csv", between(1, 100000));
  v("frames", set.video.frames, "frames of a video", between(2, 10000));
  v("size_px", set.video.width, "width and height", between(16, 1024));
}

SyntheticSet SyntheticData::videos(int64_t seed) const {
  SyntheticSet videos = set;
  videos.video.height = videos.video.width;
  videos.seed = static_cast<uint64_t>(seed);
  return videos;
}

void DataOptions::visit(OptionVisitor& v) const {
  v("root", root, "folder of the lists and the videos; --data sets it");
  v("synthetic", synthetic, "videos to generate into root");
  v("pool", pool, "clips to ask about");
  v("start", start, "where the initial answers come from; absent: the pool");
  v("test", test, "clips to measure on; shares no group with the others");
  v("classes", classes, "names of the classes; empty: those of the lists");
  v("test_clips", test_clips,
    "clips of the test list to measure on, drawn evenly over its groups; where people answer by "
    "ranges, whole videos that hold as many or more; -1: all",
    at_least(-1));
}

void TeacherRecipe::visit(OptionVisitor& v) const {
  v("train", train, "the teacher's own labelled clips");
  learner.visit(v);
  v("input", input, "what the teacher sees; absent: the recipe's input");
}

void SharedOptions::visit(OptionVisitor& v) const {
  v("question", question, "what the report answers, one sentence");
  v("seed", seed, "first seed", between(0, 9e15));
  v("seeds", seeds, "number of seeds; arms are compared in pairs by seed", between(1, 1000));
  v("no_random_arm", no_random_arm,
    "the reason for a study without a random arm; no random arm is then added");
  v("weights", weights, "folder that init paths are relative to; --weights sets it");
  v("data", data, "lists of clips");
  v("clips", clips, "what a clip is");
  v("input", input, "what a network sees of a clip");
  v("cache", cache, "decoded frames on disk");
  v("teacher", teacher, "a teacher to train first");
  v("oracle", oracle, "who answers about the pool");
  v("chooses", chooses,
    "who chooses what is asked: each_seed for itself, or the first_seed for all, which then differ "
    "by training alone",
    one_of({"each_seed", "first_seed"}));
}

InputOptions SharedOptions::teacher_input() const {
  return teacher ? teacher->input.value_or(input) : input;
}

void ArmOptions::visit(OptionVisitor& v) const {
  v("control", control, "the arm that this one is tested against; empty: random");
  v("student", student, "the network to train");
  v("loss", loss, "how a teacher's answers are learned");
  v("matching", matching,
    "the teacher's network runs in every step on the student's view of the answered clips; oracle "
    "kinds teacher and model");
  v("start", start, "initial answers with true labels; -1: all", at_least(-1));
  v("start_draw", start_draw,
    "draw of the initial clips: random; stratified_by_labels: even over the classes of data.start; "
    "stratified_by_hidden_labels: even over the hidden classes of the pool, which a real user does "
    "not know; typiclust, k_center: by that strategy over `embeddings`, or where these are absent "
    "over the features of the untrained student",
    one_of({"random", "stratified_by_labels", "stratified_by_hidden_labels", "typiclust",
            "k_center"}));
  v("ask_start", ask_start, "the teacher also answers about the initial clips");
  v("pool_size", pool_size,
    "number of clips of the pool that a run may ask about; a smaller draw is part of a larger one; "
    "-1: all",
    at_least(-1));
  v("rounds", rounds, "number of rounds after the initial one", between(0, 1000));
  v("budget", budget, "budget of each round, in selection.unit; -1: the whole pool", at_least(-1));
  v("strategy", strategy, "which clips to ask about");
  v("embeddings", embeddings,
    "where the strategy's embeddings come from, and those of start_draw; strategies that look into "
    "the student (badge, boundary, learning_loss) keep its own; absent: the student");
  v("selection", selection, "limits around the strategy");
  v("mixes", mixes,
    "rounds ask about mixes of the clips known so far (Active Mixup) instead of clips of the pool");
  v("answers_per_clip", answers_per_clip,
    "number of answers per chosen clip: the clip and fixed views of it; each counts in the budget",
    between(1, 1000));
}

bool ArmOptions::selects() const { return rounds > 0 && budget > 0; }

bool ArmOptions::embeds_elsewhere() const {
  const Needs needs = strategy->needs();
  return embeddings && needs.embeddings && needs.any_embeddings;
}

bool ArmOptions::uses_embeddings() const {
  return embeddings && (draws_start_by_features() || (selects() && !mixes && embeds_elsewhere()));
}

Needs ArmOptions::student_needs() const {
  Needs needs = strategy->needs();
  needs.embeddings = needs.embeddings && !embeds_elsewhere();
  return needs;
}

bool ArmOptions::scores_pool() const {
  return selects() && !mixes && (student_needs().anything() || selection.class_balance);
}

bool ArmOptions::scores() const {
  return scores_pool() || (rounds > 0 && mixes && mixes->criterion != "random");
}

bool ArmOptions::draws_start_by_features() const {
  return start_draw == "typiclust" || start_draw == "k_center";
}

const std::string& ArmOptions::criterion() const {
  return mixes ? mixes->criterion : strategy.name;
}

bool ArmOptions::is_random() const { return selects() && criterion() == "random"; }

void Recipe::visit(OptionVisitor& v) const {
  shared.visit(v);
  arm.visit(v);
}

std::string decisive_options(const SharedOptions& shared, const ArmOptions& arm) {
  Recipe recipe{shared, arm};
  for (auto* text : {&recipe.shared.question, &recipe.arm.control, &recipe.shared.no_random_arm,
                     &recipe.shared.weights})
    text->clear();
  recipe.shared.seeds = 1;
  recipe.arm.rounds = 0;
  recipe.shared.cache = {};
  recipe.shared.data.root = std::filesystem::weakly_canonical(shared.data.root).string();
  recipe.shared.input.deadline_s = InputOptions().deadline_s;
  recipe.shared.oracle = {};  // its identity says what counts
  set_pace_aside(recipe.arm.student);
  if (!arm.uses_embeddings())  // with its rounds
    recipe.arm.embeddings.reset();
  else
    name_by_content(*recipe.arm.embeddings);
  if (recipe.shared.teacher) set_pace_aside(recipe.shared.teacher->learner);
  return fmt::format("{}who answers: {}\n", resolved(recipe), shared.oracle.identity());
}

Document arm_part(const Document& recipe) {
  Document part = recipe.without("arms");
  for (const std::string& name : shared_names()) part = part.without(name);
  return part;
}

std::vector<ArmDifference> read_arms(
    const Document& recipe, const std::vector<std::pair<std::string, Document>>& differences) {
  const Document top = recipe.without("arms");
  const Document base = arm_part(recipe);
  std::vector<ArmDifference> arms;
  for (const auto& [name, difference] : differences) {
    const std::string& first = differences.front().first;
    const std::string other = name != first            ? first
                              : differences.size() > 1 ? differences.back().first
                                                       : "";
    arms.push_back(read_difference(base, name, own_part(top, name, other, difference)));
  }
  return arms;
}

std::optional<ArmDifference> random_twin(const Document& base,
                                         const std::vector<ArmDifference>& arms) {
  const auto is_random = [](const ArmDifference& arm) { return arm.options.is_random(); };
  const auto selecting = std::find_if(
      arms.begin(), arms.end(), [](const ArmDifference& arm) { return arm.options.selects(); });
  if (selecting == arms.end() || std::any_of(arms.begin(), arms.end(), is_random))
    return std::nullopt;
  std::vector<Override> chance = {{"control", "''"}};
  if (selecting->options.mixes)
    chance.push_back({"mixes.criterion", "random"});
  else
    chance.insert(chance.end(), {{"strategy", "random"}, {"selection.fill", "rank"}});
  const bool taken = std::any_of(arms.begin(), arms.end(),
                                 [](const ArmDifference& arm) { return arm.name == "random"; });
  return read_difference(base, taken ? "random twin" : "random",
                         selecting->difference.with(chance));
}

std::string Study::start_words() const {
  std::vector<std::string> words;
  for (const Arm& arm : arms) {
    const ArmOptions& recipe = arm.options;
    const std::string how = recipe.draws_start_by_features()
                                ? fmt::format("by {} over {}", recipe.start_draw,
                                              recipe.embeddings ? "embeddings" : "features")
                            : recipe.start_draw == "random" ? "at random"
                            : recipe.start_draw == "stratified_by_labels"
                                ? "evenly over the classes by their labels"
                                : "evenly over the classes by hidden labels, as nobody could";
    const std::string text =
        recipe.start < 0 ? "all" : fmt::format("{} drawn {}", recipe.start, how);
    if (std::find(words.begin(), words.end(), text) == words.end()) words.push_back(text);
  }
  return fmt::format("{}", fmt::join(words, ", or "));
}

bool Study::asks_views() const {
  return std::any_of(arms.begin(), arms.end(),
                     [](const Arm& arm) { return arm.options.answers_per_clip > 1; });
}

bool Study::hears_teacher(const Arm& arm) const {
  return shared.oracle.is_teacher() && (arm.options.rounds > 0 || arm.options.ask_start);
}

const std::string& Study::budget_unit() const { return arms.front().options.selection.unit; }

Study read_study(const std::string& path, const std::vector<Override>& overrides) {
  return read_study(Document::file(path).with(overrides),
                    slug(std::filesystem::path(path).stem().string()));
}

Study read_study(const Document& recipe, const std::string& name) {
  const Document document = swept(recipe);
  Study study;
  study.name = name;
  study.resolved = document.dump();
  if (static_cast<int64_t>(study.resolved.size()) >
      kMostYamlBytes)  // it is read again where the run continues
    throw UsageError(
        fmt::format("{}: {} bytes with its arms multiplied out, at most {} are read; compare fewer",
                    document.place(), study.resolved.size(), kMostYamlBytes));
  Recipe top;
  document.without("arms").read(top);
  study.shared = top.shared;
  if (study.shared.teacher) place_weights(study.shared.teacher->learner.model, top.shared.weights);

  auto differences = document.entries("arms");
  if (differences.empty())
    differences.emplace_back(top.arm.selects() ? top.arm.criterion() : "all labels",
                             Document::text("{}", document.place()));
  if (static_cast<int64_t>(differences.size()) > kMostArms)
    throw UsageError(fmt::format("{}: {} arms, at most {} are run; compare fewer", document.place(),
                                 differences.size(), kMostArms));
  const Document base = arm_part(document);
  std::vector<ArmDifference> arms = read_arms(document, differences);
  if (const auto fitted = with_input_of_networks(document, study.shared, arms))
    return read_study(*fitted, name);
  std::vector<std::string> places;
  for (const ArmDifference& arm : arms) places.push_back(arm.difference.at());
  if (auto twin = random_twin(base, arms)) {
    const std::string& refusal = study.shared.no_random_arm;
    study.notes.push_back(
        refusal.empty() ? "A random arm was added: without it no strategy can be called better."
                        : "No random arm: " + refusal);
    if (refusal.empty()) {
      arms.push_back(*std::move(twin));
      places.push_back(document.place());
    }
  }
  for (const ArmDifference& arm : arms) study.arms.push_back(arm_of(arm, study.shared));
  require_consistent(study, places);
  set_controls(study, top.arm.control, document.place());
  note_label_changes(study);
  note_own_embeddings(study);
  return study;
}

}  // namespace distal
