#include "distal/study/recipe.h"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/ranges.h>

#include "distal/base/machine.h"
#include "distal/base/text.h"
#include "distal/base/yaml.h"
#include "distal/study/pool_scores.h"
#include "distal/study/pretraining_alone.h"
#include "distal/study/sweep.h"

namespace distal {
namespace {

constexpr size_t kMostNameBytes = 120;

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

// The tasks of a pre-training can make their clips of as many frames as the network sees.
void require_views(const Learner& learner, const InputOptions& input, const std::function<void(const std::string&)>& refuse) {
  if (!learner.pretext) return;
  try {
    learner.pretext->view_frames(input.sampling.frames);
  } catch (const Error& error) {
    refuse(fmt::format("pretext: {}", error.what()));
  }
}

// Whether an arm's strategy looks at what is asked of its Needs; the others, its random twin first, then share the options it does so with.
bool any_needs(const Experiment& experiment, const std::function<bool(const Needs&)>& asked) {
  return std::any_of(experiment.arms.begin(), experiment.arms.end(), [&](const Arm& arm) { return scores_pool(arm.recipe) && asked(arm.recipe.strategy->needs()); });
}

// A frozen backbone sees each clip once, as it is: what augmentation would do to it is never seen, but by a strategy that looks at
// the pool `augmented`.
void require_seen(Learner learner, const char* whose, bool augmented, const std::function<void(const std::string&)>& refuse) {
  if (!learner.backbone_frozen()) return;
  const char* cure = "has no effect on a frozen backbone, whose features are computed once; leave it out, or model.freeze";
  if (const auto& family = learner.augment.family.name; family != "none") refuse(fmt::format("{}.augment.family = {} {}", whose, family, cure));
  AugmentOptions plain;
  if (!augmented && resolved(learner.augment) != resolved(plain)) refuse(fmt::format("{}.augment {}", whose, cure));
}

// A probe is fitted without steps: of its training, class_weights alone counts.
void require_stepless(const Learner& learner, const char* whose, const std::function<void(const std::string&)>& refuse) {
  if (!learner.probe) return;
  TrainingOptions plain, training = learner.training;
  training.class_weights = plain.class_weights, training.threads = plain.threads, training.checkpoint_every = plain.checkpoint_every;
  if (resolved(training) != resolved(plain))
    refuse(fmt::format("{}.training has no effect on a probe, which is fitted without steps (class_weights alone has one); leave it out, or probe", whose));
}

// Nor does it learn from a teacher but by its word about clips without a label.
void require_probed(const Recipe& recipe, bool errors_counted, const std::function<void(const std::string&)>& refuse) {
  require_stepless(recipe.student, "student", refuse);
  if (recipe.teacher) require_stepless(recipe.teacher->learner, "teacher", refuse);
  if (!recipe.student.probe) return;
  Choice<DistillLoss> plain = Recipe().loss, loss = recipe.loss;
  if (resolved(loss) != resolved(plain)) refuse(fmt::format("loss = {} has no effect on a probe, which is fitted to labels or answers alone; leave loss or student.probe out", loss.name));
  if (recipe.ask_start && !errors_counted)
    refuse("ask_start has no effect on a probe, which is fitted to a clip's label where it has one; leave ask_start or student.probe out");
}

// What the loss wants to see of a teacher, and whether it can be had.
void require_teacher(const Recipe& recipe, const std::function<void(const std::string&)>& refuse) {
  const bool at_hand = recipe.oracle.kind == "teacher" || recipe.oracle.kind == "model";
  if (recipe.loss->needs_teacher_network() && !recipe.matching)
    refuse(fmt::format("loss {} looks into the teacher's network, which cached answers do not show; set matching: true (with oracle.kind teacher or model)", recipe.loss.name));
  if (!recipe.matching) return;
  if (!at_hand) refuse(fmt::format("matching runs the teacher's network in every step, and oracle.kind = {} gives none; take kind teacher or model, or leave matching out", recipe.oracle.kind));
  if (recipe.student.backbone_frozen())
    refuse("matching shows the teacher the student's view, and a frozen backbone's features are computed once without one; leave matching or student.model.freeze out");
}

// A mix is neither filmed nor labelled: a teacher must answer, and a frozen backbone has no features of it.
void require_mixable(const Recipe& recipe, const std::function<void(const std::string&)>& refuse) {
  if (recipe.answers_per_clip > 1 && recipe.oracle.kind == "truth") refuse("answers_per_clip asks about several views of a clip, whose truth is one; leave it out, or take an oracle that is a teacher");
  const bool frozen = recipe.student.backbone_frozen();
  if (recipe.answers_per_clip > 1 && frozen) refuse("answers_per_clip shows the student several views of a clip, and a frozen backbone's features are computed once; leave one of them out");
  if (!recipe.mixes) return;
  if (recipe.oracle.kind == "truth") refuse("mixes: nobody knows the truth about a mix of clips; take an oracle that is a teacher");
  if (frozen) refuse("mixes: a frozen backbone's features are computed once, of the clips of the lists; leave student.model.freeze: [backbone] out");
  if (recipe.strategy.name != "random") refuse(fmt::format("mixes are chosen by mixes.criterion, and strategy = {} chooses clips; leave one of them out", recipe.strategy.name));
  if (recipe.selection.unit == "seconds") refuse("mixes are counted, not timed; set selection.unit: answers");
  if (recipe.budget < 0) refuse("mixes: budget = -1 means the whole pool; say how many mixes a round may ask about");
  if (recipe.answers_per_clip > 1) refuse("mixes: a mix has one view; leave answers_per_clip out");
}

// An arm's name becomes a file's beside those of the run, on file systems that may not know large letters from small ones. `taken`: the
// arms so far, by their files.
void require_name(const Arm& arm, std::map<std::string, std::string>& taken, const std::function<void(const std::string&)>& refuse) {
  if (arm.name.empty() || arm.name.size() > kMostNameBytes) refuse(fmt::format("its name becomes a file's; give it 1 to {} bytes, not {}", kMostNameBytes, arm.name.size()));
  if (printable(arm.name) != arm.name) refuse("its name has a control character in it; take it away");
  if (arm.name.find_first_of("/\\") != std::string::npos) refuse("its name becomes a file's; no '/' and no '\\'");
  if (std::string_view(" .-").find(arm.name.front()) != std::string_view::npos || arm.name.back() == ' ')
    refuse("its name becomes a file's; it neither begins with a space, '.' or '-' nor ends with a space");
  std::string file = slug(arm.name);
  std::transform(file.begin(), file.end(), file.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* own : {"teacher", "pretrained", "report", "recipe", "curve", "metrics", "unfinished", "jobs"})
    if (file == own) refuse(fmt::format("its name becomes a file's, and not '{}', which the run writes itself; give it another name", own));
  const auto [other, first] = taken.try_emplace(file, arm.name);
  if (!first) refuse(fmt::format("its files would be those of arm {} ({}.safetensors); give it another name", other->second, slug(arm.name)));
}

// What a batch takes at least: the clips, and as much again for the first layer's output.
void require_memory(const Learner& learner, const InputOptions& input, const std::string& whose, const std::function<void(const std::string&)>& refuse) {
  const int64_t there = memory_bytes();
  const auto check = [&](int64_t batch, const std::string& option) {
    const double side = static_cast<double>(input.size_px), bytes = 2.0 * 4 * 3 * static_cast<double>(batch) * static_cast<double>(input.sampling.frames) * side * side;
    if (there > 0 && bytes > static_cast<double>(there))
      refuse(fmt::format("{} = {} clips of {} frames of {} x {} x 3 values of 4 bytes, held twice, are {:.1f} GB, and this machine has {:.1f}; lower it, input.size_px or "
                         "input.sampling.frames", option, batch, input.sampling.frames, input.size_px, input.size_px, bytes / 1e9, static_cast<double>(there) / 1e9));
  };
  check(learner.training.batch_size, whose + ".training.batch_size");
  if (learner.pretext) check(learner.pretext->training.batch_size, whose + ".pretext.training.batch_size");
}

// A draw by labels says whose labels they are.
void require_draw(const Recipe& recipe, const std::function<void(const std::string&)>& refuse) {
  if (recipe.start_draw == "stratified_by_labels" && !recipe.data.start)
    refuse("start_draw = stratified_by_labels needs a list whose labels are known, data.start; those of the pool are hidden: random, or stratified_by_hidden_labels");
  if (recipe.start_draw == "stratified_by_hidden_labels" && recipe.data.start)
    refuse("start_draw = stratified_by_hidden_labels, but data.start has labels that are known; set stratified_by_labels, or random");
}

void check(const Arm& arm, const Experiment& experiment, std::map<std::string, std::string>& taken, const std::string& place) {
  const Recipe& recipe = arm.recipe;
  const auto refuse = [&](const std::string& what) { throw UsageError(fmt::format("{}: arm {}: {}", place, excerpt(arm.name), what)); };
  require_name(arm, taken, refuse);
  if (recipe.data.pool.csv.empty()) refuse("data.pool.csv is missing; name a list with the columns path,label[,group]");
  if (recipe.data.test.csv.empty() && !(recipe.rounds == 0 && pretrains_only(recipe))) refuse("data.test.csv is missing; without a test set nothing can be claimed");
  if (recipe.oracle.kind == "teacher" && !recipe.teacher)
    refuse("oracle.kind = teacher needs a teacher section (its training list and model)");
  if (recipe.budget < 0 && recipe.budget != -1) refuse(fmt::format("budget = {:g}; give what a round may spend, or -1 for the whole pool", recipe.budget));
  if (recipe.ask_start && recipe.oracle.kind == "truth") refuse("ask_start needs an oracle that is a teacher; hidden truth is what the start has already");
  require_views(recipe.student, recipe.input, refuse);
  require_memory(recipe.student, recipe.input, "student", refuse);
  if (recipe.teacher) {
    const InputOptions seen = recipe.teacher->input.value_or(recipe.input);
    require_views(recipe.teacher->learner, seen, refuse);
    require_memory(recipe.teacher->learner, seen, "teacher", refuse);
  }
  require_seen(recipe.student, "student", any_needs(experiment, [](const Needs& needs) { return needs.passes == "augmented"; }), refuse);
  if (recipe.teacher) require_seen(recipe.teacher->learner, "teacher", false, refuse);
  require_probed(recipe, any_needs(experiment, [](const Needs& needs) { return needs.teacher_error; }), refuse);
  require_teacher(recipe, refuse);
  if (recipe.start == 0 && recipe.rounds == 0) refuse("start = 0 and rounds = 0 leave nothing to learn from; set one of them");
  if (recipe.budget == 0 && recipe.rounds > 0) refuse("budget = 0 asks nothing in any round; set a budget, or rounds to 0");
  require_draw(recipe, refuse);
  require_mixable(recipe, refuse);
  const TeacherOptions& oracle = recipe.oracle;
  if ((oracle.kind == "model" || oracle.kind == "torchscript") && oracle.path.empty())
    refuse(fmt::format("oracle.kind = {} needs oracle.path, the file of who answers", oracle.kind));
  if (oracle.kind == "http" && oracle.url.empty()) refuse("oracle.kind = http needs oracle.url, such as http://host:8000/v2/models/NAME");
  if (recipe.rounds == 0 || recipe.budget < 0) return;
  if (recipe.answers_per_clip > 1 && recipe.selection.unit == "answers" && recipe.budget < static_cast<double>(recipe.answers_per_clip))
    refuse(fmt::format("budget = {:g} buys no clip at {} answers each; raise it", recipe.budget, recipe.answers_per_clip));
  if (const auto unmet = unmet_need(recipe); !unmet.empty()) refuse(unmet);
  if (const auto wrong = contradiction(recipe.selection, *recipe.strategy); !wrong.empty()) refuse("selection: " + wrong);
}

// Arms differ in who learns, from what and how it is chosen. What they are measured on, and who answers, is one for all.
void require_shared(const Arm& arm, const Arm& first, const std::string& place) {
  const auto shared = [](Recipe recipe) {
    Recipe only;
    only.seed = recipe.seed, only.seeds = recipe.seeds, only.weights = recipe.weights, only.data = recipe.data, only.clips = recipe.clips;
    only.input = recipe.input, only.cache = recipe.cache, only.teacher = recipe.teacher, only.oracle = recipe.oracle;
    only.selection.unit = recipe.selection.unit;
    return resolved(only);
  };
  if (shared(arm.recipe) == shared(first.recipe)) return;
  throw UsageError(fmt::format("{}: arms {} and {} differ in seed, seeds, weights, data, clips, input, cache, teacher, oracle or selection.unit, which arms "
                               "share; write two recipes and compare them with distal report", place, first.name, arm.name));
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
