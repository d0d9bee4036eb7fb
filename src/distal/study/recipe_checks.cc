#include "distal/study/recipe_checks.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "distal/base/catalogue.h"
#include "distal/base/error.h"
#include "distal/base/machine.h"
#include "distal/base/options.h"
#include "distal/base/text.h"
#include "distal/distill/loss.h"
#include "distal/models/backbone.h"
#include "distal/networks/network.h"
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
    if (const auto* number = std::get_if<const double*>(&field);
        number && std::string_view(name) == "dropout")
      found = **number;
  }
  void section(const char*, const char*, const Section&) override {}
};

// The tasks of a pre-training can make their clips of as many frames as the network sees.
void require_views(const Learner& learner, const InputOptions& input,
                   const std::function<void(const std::string&)>& refuse) {
  if (!learner.pretext) return;
  try {
    learner.pretext->view_frames(input.sampling.frames);
  } catch (const Error& error) {
    refuse(fmt::format("pretext: {}", error.what()));
  }
}

// Whether an arm's strategy looks at what is asked of its Needs; the others, its random twin first,
// then share the options it does so with.
bool any_needs(const Study& study, const std::function<bool(const Needs&)>& asked) {
  return std::any_of(study.arms.begin(), study.arms.end(), [&](const Arm& arm) {
    return arm.options.scores_pool() && asked(arm.options.strategy->needs());
  });
}

// What makes the backbone of a learner a frozen one.
std::string freezing(const Learner& learner) {
  return learner.model.head_alone() ? "model.name = " + learner.model.backbone.name
                                    : "model.freeze";
}

// A student of features has them, and nobody shows it frames.
void require_files(const Learner& learner, const std::string& whose,
                   const std::function<void(const std::string&)>& refuse) {
  const FeatureFiles* files = learner.model.feature_files();
  if (!files) return;
  for (const auto& [name, file] : {std::pair("features", files->features), {"list", files->list}}) {
    if (file.empty())
      refuse(fmt::format("{0}.model.{1} is missing; model.name = features reads a .npy file, "
                         "{0}.model.features, and the CSV that names its rows, {0}.model.list",
                         whose, name));
  }
  if (learner.pretext)
    refuse(fmt::format("{}.pretext trains a backbone, and model.name = features has none; leave "
                       "pretext out, or take another model",
                       whose));
}

// The network of others can be trained on as the recipe says.
void require_network(const Learner& learner, const std::string& whose,
                     const std::function<void(const std::string&)>& refuse) {
  const NetworkOptions* network = learner.model.network();
  if (!network) return;
  check_network(*network, whose + ".model.network");
  if (learner.pretext)
    refuse(fmt::format("{}.pretext trains a backbone, and that of model.name = network is a file "
                       "which nothing trains; leave pretext out, or take another model",
                       whose));
}

// A frozen backbone sees each clip once, as it is: what augmentation would do to it is never seen,
// but by a strategy that looks at the pool `augmented`.
void require_seen(Learner learner, const char* whose, bool augmented,
                  const std::function<void(const std::string&)>& refuse) {
  if (!learner.backbone_frozen()) return;
  const std::string cure =
      fmt::format("has no effect on a frozen backbone, whose features are computed once; leave it "
                  "out, or {}",
                  freezing(learner));
  if (const auto& family = learner.augment.family.name; family != "none")
    refuse(fmt::format("{}.augment.family = {} {}", whose, family, cure));
  AugmentOptions plain;
  if (!augmented && learner.augment != plain) refuse(fmt::format("{}.augment {}", whose, cure));
}

// A probe is fitted without steps: of its training, class_weights alone counts.
void require_stepless(const Learner& learner, const char* whose,
                      const std::function<void(const std::string&)>& refuse) {
  if (!learner.fits_head()) return;
  const TrainingOptions plain;
  TrainingOptions training = learner.training;
  training.class_weights = plain.class_weights;
  training.threads = plain.threads;
  training.checkpoint_every = plain.checkpoint_every;
  if (training != plain)
    refuse(fmt::format("{}.training has no effect on a probe, which is fitted without steps "
                       "(class_weights alone has one); leave it out, or probe",
                       whose));
}

// Nor does it learn from a teacher but by its word about clips without a label.
void require_probed(const SharedOptions& shared, const ArmOptions& arm, bool errors_counted,
                    const std::function<void(const std::string&)>& refuse) {
  require_stepless(arm.student, "student", refuse);
  if (shared.teacher) require_stepless(shared.teacher->learner, "teacher", refuse);
  if (!arm.student.fits_head()) return;
  Choice<DistillLoss> plain = ArmOptions().loss;
  Choice<DistillLoss> loss = arm.loss;
  if (loss != plain)
    refuse(fmt::format("loss = {} has no effect on a probe, which is fitted to labels or answers "
                       "alone; leave loss or student.probe out",
                       loss.name));
  if (arm.ask_start && !errors_counted)
    refuse("ask_start has no effect on a probe, which is fitted to a clip's label where it has "
           "one; leave ask_start or student.probe out");
}

// What the loss wants to see of a teacher, and whether it can be had.
void require_teacher(const SharedOptions& shared, const ArmOptions& arm,
                     const std::function<void(const std::string&)>& refuse) {
  const auto with_network = [] {
    return kinds_with([](const OracleTraits& traits) { return traits.network; });
  };
  if (arm.loss->needs_teacher_network() && !arm.matching)
    refuse(fmt::format("loss {} looks into the teacher's network, which cached answers do not "
                       "show; set matching: true (with oracle.kind {})",
                       arm.loss.name, with_network()));
  if (!arm.matching) return;
  if (shared.oracle.mixed())
    refuse("matching learns from the network of one teacher alone, and oracle.then answers about "
           "some clips; leave matching out, or take oracle.first as oracle.kind");
  const Choice<Oracle>& teacher = shared.oracle.only.kind;
  if (!teacher->traits().network)
    refuse(fmt::format("matching runs the teacher's network in every step, and oracle.kind = {} "
                       "gives none; take kind {}, or leave matching out",
                       teacher.name, with_network()));
  if (arm.student.backbone_frozen())
    refuse("matching shows the teacher the student's view, and a frozen backbone's features are "
           "computed once without one; leave matching or student." +
           freezing(arm.student) + " out");
}

// A mix is neither filmed nor labelled: a teacher must answer, and a frozen backbone has no
// features of it.
void require_mixable(const SharedOptions& shared, const ArmOptions& arm,
                     const std::function<void(const std::string&)>& refuse) {
  const bool derived =
      !shared.oracle.any([](const OracleTraits& traits) { return !traits.derived_clips; });
  if (arm.answers_per_clip > 1 && !derived)
    refuse("answers_per_clip asks about several views of a clip, whose truth is one; leave it out, "
           "or take an oracle that is a teacher");
  const bool frozen = arm.student.backbone_frozen();
  if (arm.answers_per_clip > 1 && frozen)
    refuse("answers_per_clip shows the student several views of a clip, and a frozen backbone's "
           "features are computed once; leave one of them out");
  if (!arm.mixes) return;
  if (!derived)
    refuse("mixes: nobody knows the truth about a mix of clips; take an oracle that is a teacher");
  if (frozen)
    refuse("mixes: a frozen backbone's features are computed once, of the clips of the lists; "
           "leave mixes or student." +
           freezing(arm.student) + " out");
  if (arm.strategy.name != "random")
    refuse(fmt::format("mixes are chosen by mixes.criterion, and strategy = {} chooses clips; "
                       "leave one of them out",
                       arm.strategy.name));
  if (arm.selection.unit != "answers")
    refuse("mixes are counted, not timed; set selection.unit: answers");
  if (arm.budget < 0)
    refuse("mixes: budget = -1 means the whole pool; say how many mixes a round may ask about");
  if (arm.answers_per_clip > 1) refuse("mixes: a mix has one view; leave answers_per_clip out");
}

// An arm's name becomes a file's beside those of the run, on file systems that may not know large
// letters from small ones. `taken`: the arms so far, by their files.
void require_name(const Arm& arm, std::map<std::string, std::string>& taken,
                  const std::function<void(const std::string&)>& refuse) {
  if (arm.name.empty() || arm.name.size() > kMostNameBytes)
    refuse(fmt::format("its name becomes a file's; give it 1 to {} bytes, not {}", kMostNameBytes,
                       arm.name.size()));
  if (printable(arm.name) != arm.name)
    refuse("its name has a control character in it; take it away");
  if (arm.name.find_first_of("/\\") != std::string::npos)
    refuse("its name becomes a file's; no '/' and no '\\'");
  if (std::string_view(" .-").find(arm.name.front()) != std::string_view::npos ||
      arm.name.back() == ' ')
    refuse("its name becomes a file's; it neither begins with a space, '.' or '-' nor ends with a "
           "space");
  std::string file = slug(arm.name);
  std::transform(file.begin(), file.end(), file.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* own :
       {"teacher", "pretrained", "report", "recipe", "curve", "metrics", "unfinished", "jobs"}) {
    if (file == own)
      refuse(fmt::format("its name becomes a file's, and not '{}', which the run writes itself; "
                         "give it another name",
                         own));
  }
  const auto [other, first] = taken.try_emplace(file, arm.name);
  if (!first)
    refuse(fmt::format("its files would be those of arm {} ({}.safetensors); give it another name",
                       other->second, slug(arm.name)));
}

// What a batch takes at least: the clips, and as much again for the first layer's output.
void require_memory(const Learner& learner, const InputOptions& input, const std::string& whose,
                    const std::function<void(const std::string&)>& refuse) {
  if (!learner.reads_frames()) return;
  const int64_t there = memory_bytes();
  const auto check = [&](int64_t batch, const std::string& option) {
    const double side = static_cast<double>(input.size_px);
    const double bytes = 2.0 * 4 * 3 * static_cast<double>(batch) *
                         static_cast<double>(input.sampling.frames) * side * side;
    if (there > 0 && bytes > static_cast<double>(there))
      refuse(fmt::format("{} = {} clips of {} frames of {} x {} x 3 values of 4 bytes, held twice, "
                         "are {:.1f} GB, and this machine has {:.1f}; lower it, input.size_px or "
                         "input.sampling.frames",
                         option, batch, input.sampling.frames, input.size_px, input.size_px,
                         bytes / 1e9, static_cast<double>(there) / 1e9));
  };
  check(learner.training.batch_size, whose + ".training.batch_size");
  if (learner.pretext)
    check(learner.pretext->training.batch_size, whose + ".pretext.training.batch_size");
}

// People are asked about what no list says: who they are asked about, and as what.
void require_askable(const SharedOptions& shared, const ArmOptions& arm,
                     const std::function<void(const std::string&)>& refuse) {
  std::set<std::string> names;
  for (const std::string& name : shared.data.classes) {
    if (name.empty() || printable(name) != name)
      refuse("data.classes: a name is empty, or has a control character in it; mend it");
    if (!names.insert(name).second)
      refuse(fmt::format("data.classes: '{}' stands there twice; take one away", name));
  }
  if (names.size() == 1) refuse("data.classes: one class is no choice; name two or more");
  if (arm.selection.unit == "minutes" && shared.oracle.mixed())
    refuse("selection.unit = minutes counts the time of people who answer about every clip, and "
           "oracle.then answers about some; take oracle.kind: people, or unit: answers");
  if (arm.selection.unit == "minutes" && shared.oracle.asked_then().kind->traits().share < 1)
    refuse("oracle.share and selection.unit = minutes both end a round before all of it is "
           "answered; leave one of them out");
  if (arm.selection.unit == "minutes" && !shared.oracle.people())
    refuse(fmt::format("selection.unit = minutes counts the time of people who answer, and "
                       "oracle.kind = {} asks nobody; take kind people, or unit: answers",
                       shared.oracle.only.kind.name));
  if (!shared.oracle.people()) return;
  if (names.empty())
    refuse("oracle.kind = people answers by the names in data.classes, and there are none; give "
           "data.classes: [first, second]");
  if (shared.oracle.mixed()) return;  // labels of a list, or a teacher, may make the beginning
  if (shared.data.start)
    refuse("data.start holds labels, and oracle.kind = people is asked about the initial clips; "
           "leave data.start out");
  if (arm.start == 0) refuse("start = 0 leaves people nothing to begin with; set start");
}

// Ranges of a time line label the segments of a whole video.
void require_ranges(const SharedOptions& shared, const ArmOptions& arm,
                    const std::function<void(const std::string&)>& refuse) {
  for (const OracleOptions* part : shared.oracle.parts()) {
    if (const auto wrong = part->kind->contradiction(shared.data.classes); !wrong.empty())
      refuse(fmt::format("{}: {}", part->section, wrong));
  }
  if (!shared.oracle.asked_then().kind->traits().by_video) return;
  if (shared.clips.unit != "segment")
    refuse(
        "oracle.answers = ranges labels segments of videos; set clips: {unit: segment, length_s: "
        "8, stride_s: 8}");
  if (arm.selects() && arm.selection.ask != "video")
    refuse("oracle.answers = ranges asks about whole videos; set selection: {ask: video}");
  if (arm.selection.unit == "minutes")
    refuse("selection.unit = minutes counts the time for clips, and oracle.answers = ranges asks "
           "about whole videos; set unit: answers or seconds");
  if (arm.pool_size >= 0)
    refuse("pool_size draws single segments, and oracle.answers = ranges asks about whole videos; "
           "leave pool_size out");
}

// A draw by labels says whose labels they are.
void require_draw(const SharedOptions& shared, const ArmOptions& arm,
                  const std::function<void(const std::string&)>& refuse) {
  if (arm.start_draw == "stratified_by_labels" && !shared.data.start)
    refuse("start_draw = stratified_by_labels needs a list whose labels are known, data.start; "
           "those of the pool are hidden: random, or stratified_by_hidden_labels");
  if (arm.start_draw == "stratified_by_hidden_labels" && shared.data.start)
    refuse("start_draw = stratified_by_hidden_labels, but data.start has labels that are known; "
           "set stratified_by_labels, or random");
  if (arm.start_draw == "stratified_by_hidden_labels" && shared.oracle.people())
    refuse("start_draw = stratified_by_hidden_labels: nobody knows the labels of the pool before "
           "people answer; set random, typiclust or k_center");
}

std::string unmet_passes(const ArmOptions& arm, const std::string& passes) {
  if (passes == "augmented" && !arm.student.reads_frames())
    return fmt::format("strategy {} looks at augmented clips, and student.model.name = features "
                       "reads no frames; take another strategy or model",
                       arm.strategy.name);
  if (passes == "dropout" && dropout_of(arm.student.model) == 0)
    return fmt::format("strategy {} needs passes with dropout, and the student has none; set "
                       "student.model.dropout to 0.5, say, where {} has it, or take ensemble",
                       arm.strategy.name, arm.student.model.backbone.name);
  if (passes == "augmented" && !arm.student.augment.label_safe().draws_something())
    return fmt::format("strategy {} needs looks that differ, and student.augment draws none; set "
                       "its scales, flip, brightness, contrast or saturation",
                       arm.strategy.name);
  if (passes == "members" && arm.student.fits_head())
    return fmt::format("strategy {} needs students that differ by their seed, and a probe fits one "
                       "and the same head for each; set {}",
                       arm.strategy.name,
                       arm.student.probe ? "probe: false" : "student.model.head: linear or mlp");
  return "";
}

// Embeddings from elsewhere have one source, and a strategy that takes them.
void require_embeddings(const Study& study, const ArmOptions& arm,
                        const std::function<void(const std::string&)>& refuse) {
  if (!arm.embeddings) return;
  if (const auto wrong = arm.embeddings->contradiction(); !wrong.empty()) refuse(wrong);
  if (arm.embeddings->network) check_network(*arm.embeddings->network, "embeddings.network");
  const bool used = std::any_of(study.arms.begin(), study.arms.end(),
                                [](const Arm& other) { return other.options.uses_embeddings(); });
  if (used) return;
  std::vector<std::string> takers;
  for (const auto& row : catalogue<Strategy>()) {
    if (make<Strategy>(row.name)->needs().any_embeddings) takers.push_back(row.name);
  }
  refuse(fmt::format("embeddings has no effect: neither a strategy takes it ({} do) nor start_draw "
                     "(typiclust and k_center do); leave it out",
                     fmt::join(takers, ", ")));
}

// The networks can be made and trained as they are described.
void require_networks(const Study& study, const ArmOptions& arm,
                      const std::function<void(const std::string&)>& refuse) {
  const SharedOptions& shared = study.shared;
  require_network(arm.student, "student", refuse);
  require_files(arm.student, "student", refuse);
  require_views(arm.student, shared.input, refuse);
  require_memory(arm.student, shared.input, "student", refuse);
  require_seen(arm.student, "student",
               any_needs(study, [](const Needs& needs) { return needs.passes == "augmented"; }),
               refuse);
  require_probed(shared, arm,
                 any_needs(study, [](const Needs& needs) { return needs.teacher_error; }), refuse);
  if (!shared.teacher) return;
  require_network(shared.teacher->learner, "teacher", refuse);
  if (shared.teacher->learner.model.feature_files())
    refuse("teacher.model.name = features answers about no frames; give students the features, or "
           "train a teacher of another model");
  require_views(shared.teacher->learner, shared.teacher_input(), refuse);
  require_memory(shared.teacher->learner, shared.teacher_input(), "teacher", refuse);
  require_seen(shared.teacher->learner, "teacher", false, refuse);
}

// Two oracles fit together, and a teacher that is trained here has something to learn from.
void require_oracles(const SharedOptions& shared,
                     const std::function<void(const std::string&)>& refuse) {
  if (const auto wrong = shared.oracle.contradiction(); !wrong.empty()) refuse(wrong);
  for (const OracleOptions* part : shared.oracle.parts()) {
    if (part->kind->traits().trained_here && !shared.teacher)
      refuse(fmt::format("{}.kind = {} needs a teacher section (its training list and model)",
                         part->section, part->kind.name));
  }
}

void check(const Study& study, const Arm& checked, std::map<std::string, std::string>& taken,
           const std::string& place) {
  const SharedOptions& shared = study.shared;
  const ArmOptions& arm = checked.options;
  const auto refuse = [&](const std::string& what) {
    throw UsageError(fmt::format("{}: arm {}: {}", place, excerpt(checked.name), what));
  };
  require_name(checked, taken, refuse);
  if (shared.data.pool.csv.empty())
    refuse("data.pool.csv is missing; name a list with the columns path,label[,group]");
  if (shared.data.test.csv.empty() && !(arm.rounds == 0 && pretrains_only(shared, arm.student)))
    refuse("data.test.csv is missing; without a test set nothing can be claimed");
  require_oracles(shared, refuse);
  if (arm.budget < 0 && arm.budget != -1)
    refuse(fmt::format("budget = {:g}; give what a round may spend, or -1 for the whole pool",
                       arm.budget));
  if (arm.ask_start && !shared.oracle.is_teacher())
    refuse(
        "ask_start needs an oracle that is a teacher; hidden truth is what the start has already");
  require_networks(study, arm, refuse);
  require_teacher(shared, arm, refuse);
  require_embeddings(study, arm, refuse);
  if (arm.start == 0 && arm.rounds == 0)
    refuse("start = 0 and rounds = 0 leave nothing to learn from; set one of them");
  if (arm.budget == 0 && arm.rounds > 0)
    refuse("budget = 0 asks nothing in any round; set a budget, or rounds to 0");
  require_draw(shared, arm, refuse);
  require_askable(shared, arm, refuse);
  require_ranges(shared, arm, refuse);
  require_mixable(shared, arm, refuse);
  for (const OracleOptions* part : shared.oracle.parts()) {
    if (const auto missing = part->missing(); !missing.empty()) refuse(missing);
  }
  if (arm.selection.unit != study.budget_unit())
    throw UsageError(fmt::format("{}: arms {} and {} differ in selection.unit, which arms share; "
                                 "write two recipes and compare them with distal report",
                                 place, study.arms.front().name, checked.name));
  if (arm.rounds == 0 || arm.budget < 0) return;
  if (arm.answers_per_clip > 1 && arm.selection.unit == "answers" &&
      arm.budget < static_cast<double>(arm.answers_per_clip))
    refuse(fmt::format("budget = {:g} buys no clip at {} answers each; raise it", arm.budget,
                       arm.answers_per_clip));
  if (const auto unmet = unmet_need(shared.oracle.asked_first(), arm); !unmet.empty())
    refuse(unmet);
  if (const auto wrong = contradiction(arm.selection, *arm.strategy); !wrong.empty())
    refuse("selection: " + wrong);
}

}  // namespace

void require_consistent(const Study& study, const std::vector<std::string>& places) {
  std::map<std::string, std::string> taken;
  for (size_t i = 0; i < study.arms.size(); ++i) check(study, study.arms[i], taken, places.at(i));
}

double dropout_of(ModelOptions model) {
  FindDropout visitor;
  model.visit(visitor);
  return visitor.found;
}

std::string unmet_need(const OracleOptions& oracle, const ArmOptions& arm) {
  const Needs needs = arm.strategy->needs();
  if (needs.head && arm.student.model.backbone && !arm.student.model.backbone->linear_head())
    return fmt::format(
        "strategy {} looks at the one linear layer that gives the logits, and the "
        "student's head has a hidden layer before it; set student.model.head: linear",
        arm.strategy.name);
  if (const auto passes = unmet_passes(arm, needs.passes); !passes.empty()) return passes;
  if (needs.teacher && !oracle.free_at_hand()) {
    const auto fitting = [](const OracleTraits& traits) { return traits.soft && traits.at_hand; };
    return fmt::format("strategy {} asks the teacher about the whole pool beside the budget, so it "
                       "must cost nothing and be at hand: {}.kind {} with price 0, not {} "
                       "with price {:g}",
                       arm.strategy.name, oracle.section, kinds_with(fitting), oracle.kind.name,
                       oracle.price);
  }
  if (needs.teacher_error && oracle.is_teacher() && !arm.ask_start)
    return fmt::format("strategy {} needs to know how often the teacher is wrong; set ask_start: "
                       "true, so that it answers about clips whose labels are known, or "
                       "strategy.error",
                       arm.strategy.name);
  return "";
}

}  // namespace distal
