#pragma once
// A recipe is one YAML file that says what a study compares. Only differences from the defaults are
// written.
//
// A study has a shared part (data, input, who answers, seeds) and arms (who learns, from what, how
// clips are chosen). In the file both stand side by side at the top level. The section `arms` names
// differences from the arm that the top level describes; a difference may hold no option of the
// shared part.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distal/active/mixup.h"
#include "distal/active/strategy.h"
#include "distal/base/options.h"
#include "distal/data/batches.h"
#include "distal/distill/loss.h"
#include "distal/learn/learner.h"
#include "distal/oracles/oracle.h"
#include "distal/video/synthetic.h"

namespace distal {

struct SyntheticData {  // written into data.root when absent
  SyntheticSet set;     // square videos: what their width is
  void visit(OptionVisitor& v) const;
  bool operator==(const SyntheticData&) const = default;
  SyntheticSet videos(int64_t seed) const;  // as they are generated
};

struct DataOptions {
  std::string root = ".";  // folder the lists and their paths are relative to; `--data PATH`
  std::optional<SyntheticData> synthetic;
  ListOptions pool, test;
  std::optional<ListOptions> start;  // where the initial answers come from; absent: from the pool
  void visit(OptionVisitor& v) const;
  bool operator==(const DataOptions&) const = default;
};

/// A teacher that the study trains first, on videos that are neither in the pool nor in the test
/// set.
struct TeacherRecipe {
  ListOptions train;
  Learner learner;
  std::optional<InputOptions> input;  // absent: the study's
  void visit(OptionVisitor& v) const;
  bool operator==(const TeacherRecipe&) const = default;
};

/// What all arms of a study have in common: what they are measured on, and who answers.
struct SharedOptions {
  std::string question;         // what the report answers
  int64_t seed = 1, seeds = 5;  // paired repeats: seed, seed + 1, ...
  std::string no_random_arm;    // the reason, in words, why no random arm is wanted
  std::string weights;          // folder that init paths are relative to; `--weights PATH`
  DataOptions data;
  ClipOptions clips;
  InputOptions input;
  CacheOptions cache;
  std::optional<TeacherRecipe> teacher;
  OracleOptions oracle;  // who answers about the pool; kind `teacher`: the one trained here
  void visit(OptionVisitor& v) const;
  bool operator==(const SharedOptions&) const = default;
  InputOptions teacher_input() const;  // of the teacher that the study trains
};

/// Active Mixup's options; coarser by default than for images, as a clip costs more to score.
struct MixesOptions : MixupOptions {
  MixesOptions() {
    lambda_step = 0.1;
    pairs = -1;
    batch = 64;
  }
};

/// Who learns, from what, and how clips are chosen.
struct ArmOptions {
  std::string control;  // the arm this one is tested against; empty: the study's
  Learner student;
  Choice<DistillLoss> loss{"black_box"};
  bool matching = false;  // the teacher's network looks at the student's own view of a clip in
                          // every step (train/taught.h), instead of one answer kept for ever; an
                          // answer is paid and counted once all the same
  int64_t start = 40;     // initial answers with true labels; -1: all
  std::string start_draw =
      "random";  // how they are drawn: random; stratified_by_labels: even over the classes of
                 // data.start, whose labels are known; stratified_by_hidden_labels: even over the
                 // classes of the pool, which nobody knows
  bool ask_start = false;  // the teacher answers about the initial clips too, beside their labels
  int64_t pool_size = -1;  // clips of the pool that a trial may ask about, drawn by seed, the
                           // smaller within the larger; -1: all
  int64_t rounds = 4;
  double budget = 40;  // of each round, in selection.unit; -1: the whole pool
  Choice<Strategy> strategy{"random"};
  SelectionOptions selection;
  std::optional<MixesOptions> mixes;  // rounds ask about mixes of the clips known so far
                                      // (study/mixing.h) instead of clips of the pool
  int64_t answers_per_clip =
      1;  // the teacher answers about so many views of a chosen clip: it as it is, and fixed views
          // (Clip::view); each is an answer of the budget, and a sample to learn from
  void visit(OptionVisitor& v) const;
  bool operator==(const ArmOptions&) const = default;

  bool selects() const;      // rounds choose what to ask about, within a budget: clips or mixes
  bool scores_pool() const;  // rounds predict the whole pool with the student before they choose
  bool scores() const;  // rounds want the student before they choose: for the pool, or for mixes
  const std::string& criterion() const;  // the strategy, or with mixes their criterion
  bool is_random() const;                // rounds choose by chance
};

/// The top level of a recipe file, without its arms and its sweep.
struct Recipe {
  SharedOptions shared;
  ArmOptions arm;
  void visit(OptionVisitor& v) const;
  bool operator==(const Recipe&) const = default;
};

struct Arm {
  std::string name;  // one line; `slug(name)` names its files, and is no other arm's
  ArmOptions options;
  std::string resolved;  // YAML, every option of the shared part and of the arm
  std::string against;   // the arm it is tested against; empty: none
};

/// Most arms of a study, a sweep's multiplied out.
inline constexpr int64_t kMostArms = 1000;

struct Study {
  std::string name;  // the slug of the recipe file's stem
  SharedOptions shared;
  std::vector<Arm> arms;  // at least one; a random arm is added where strategies are compared
  std::string resolved;   // the recipe and its arms
  std::string control;    // the arm most others are tested against
  std::vector<std::string> notes;
  bool asks_views() const;  // an arm has answers_per_clip > 1
  bool hears_teacher(
      const Arm& arm) const;  // a teacher, the same for every seed, tells the arm something
  const std::string& budget_unit() const;  // selection.unit, the same in every arm
  std::string start_words() const;         // how many initial clips the arms draw, and how
};

/// The options, as YAML, that the results of an arm depend on: all but those that only name, place,
/// repeat or pace a trial, or say how long it goes on (rounds: a round depends on those before it,
/// not on how many follow). Init files stand by content.
std::string decisive_options(const SharedOptions& shared, const ArmOptions& arm);

/// An arm as a recipe names it: how it differs, and what that makes.
struct ArmDifference {
  std::string name;
  Document difference;
  ArmOptions options;
};
/// The part of a recipe's top level that describes an arm.
Document arm_part(const Document& recipe);
/// Reads the named differences from the top level of `recipe`. Throws UsageError: a difference sets
/// an option that arms share to another value.
std::vector<ArmDifference> read_arms(
    const Document& recipe, const std::vector<std::pair<std::string, Document>>& differences);
/// The arm to add where some select and none by chance: `random` (where an arm has that name,
/// `random twin`), which spends by chance what the first of them spends, and is tested against no
/// arm of its own.
std::optional<ArmDifference> random_twin(const Document& base,
                                         const std::vector<ArmDifference>& arms);

/// Reads a recipe and all its arms; refuses contradictions before anything is decoded. Throws
/// UsageError.
Study read_study(const std::string& path, const std::vector<Override>& overrides);
Study read_study(const Document& document, const std::string& name);

}  // namespace distal
