#include "distal/study/recipe_checks.h"

#include <algorithm>
#include <cctype>

#include <fmt/ranges.h>

#include "distal/base/machine.h"
#include "distal/base/text.h"
#include "distal/study/pretraining_alone.h"

namespace distal {
namespace {

constexpr size_t kMostNameBytes = 120;

class FindDropout final : public OptionVisitor {
 public:
  double found = 0;
  void done() override {}

 protected:
  void value(const char* name, Field field, const char*, Range, const OneOf&) override {
    if (const auto* number = std::get_if<double*>(&field); number && std::string_view(name) == "dropout") found = **number;
  }
  void section(const char*, const char*, bool, const Body&) override {}
};

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

std::string unmet_passes(const Recipe& recipe, const std::string& passes) {
  if (passes == "dropout" && dropout_of(recipe.student.model) == 0)
    return fmt::format("strategy {} needs passes with dropout, and the student has none; set student.model.dropout to 0.5, say, where {} has it, or take ensemble",
                       recipe.strategy.name, recipe.student.model.backbone.name);
  if (passes == "augmented" && !recipe.student.augment.label_safe().draws_something())
    return fmt::format("strategy {} needs looks that differ, and student.augment draws none; set its scales, flip, brightness, contrast or saturation",
                       recipe.strategy.name);
  if (passes == "members" && recipe.student.probe)
    return fmt::format("strategy {} needs students that differ by their seed, and student.probe fits one and the same head for each; set probe: false",
                       recipe.strategy.name);
  return "";
}

}  // namespace

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

double dropout_of(ModelOptions model) {
  FindDropout visitor;
  model.visit(visitor);
  return visitor.found;
}

std::string unmet_need(const Recipe& recipe) {
  const Needs needs = recipe.strategy->needs();
  if (const auto passes = unmet_passes(recipe, needs.passes); !passes.empty()) return passes;
  const auto& oracle = recipe.oracle;
  const bool at_hand = oracle.kind == "teacher" || oracle.kind == "model" || oracle.kind == "torchscript";
  if (needs.teacher && (!at_hand || oracle.price > 0))
    return fmt::format("strategy {} asks the teacher about the whole pool beside the budget, so it must cost nothing and be at hand: oracle.kind teacher, model or "
                       "torchscript with price 0, not {} with price {:g}", recipe.strategy.name, oracle.kind, oracle.price);
  if (needs.teacher_error && oracle.kind != "truth" && !recipe.ask_start)
    return fmt::format("strategy {} needs to know how often the teacher is wrong; set ask_start: true, so that it answers about clips whose labels are known, or "
                       "strategy.error", recipe.strategy.name);
  return "";
}

}  // namespace distal
