#pragma once
// A recipe: one YAML file that says what is compared, as differences from the defaults. The sections are the options of
// the rooms; `arms` are named differences from the recipe itself, so that each arm is a whole recipe of its own.

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
#include "distal/oracles/teacher.h"
#include "distal/video/synthetic.h"

namespace distal {

struct SyntheticData {               // written into data.root when absent
  SyntheticSet set;
  void visit(OptionVisitor& v);
};

struct DataOptions {
  std::string root = ".";            // folder the lists and their paths are relative to; `--data PATH`
  std::optional<SyntheticData> synthetic;
  ListOptions pool, test;
  std::optional<ListOptions> start;  // where the initial answers come from; absent: from the pool
  void visit(OptionVisitor& v);
};

/// A teacher that this recipe trains first, on videos that are neither in the pool nor in the test set.
struct TeacherRecipe {
  ListOptions train;
  Learner learner;
  std::optional<InputOptions> input;  // absent: the recipe's
  void visit(OptionVisitor& v);
};

/// Active Mixup's options; coarser by default than for images, as a clip costs more to score.
struct MixesOptions : MixupOptions {
  MixesOptions() { lambda_step = 0.1, pairs = -1, batch = 64; }
};

struct Recipe {
  std::string question;              // what the report answers
  int64_t seed = 1, seeds = 5;       // paired repeats: seed, seed + 1, ...
  std::string control;               // the arm this one is tested against; empty: random
  std::string no_random_arm;         // the reason, in words, why no random arm is wanted
  std::string weights;               // folder that init paths are relative to; `--weights PATH`
  DataOptions data;
  ClipOptions clips;
  InputOptions input;
  CacheOptions cache;
  std::optional<TeacherRecipe> teacher;
  TeacherOptions oracle;             // who answers about the pool; kind `teacher`: the one trained here
  Learner student;
  Choice<DistillLoss> loss{"black_box"};
  bool matching = false;             // the teacher's network looks at the student's own view of a clip in every step (train/taught.h),
                                     // instead of one answer kept for ever; an answer is paid and counted once all the same
  int64_t start = 40;                // initial answers with true labels; -1: all
  std::string start_draw = "random"; // how they are drawn: random; stratified_by_labels: even over the classes of data.start, whose labels are known;
                                     // stratified_by_hidden_labels: even over the classes of the pool, which nobody knows
  bool ask_start = false;            // the teacher answers about the initial clips too, beside their labels
  int64_t pool_size = -1;            // clips of the pool that a run may ask about, drawn by seed, the smaller within the larger; -1: all
  int64_t rounds = 4;
  double budget = 40;                // of each round, in selection.unit; -1: the whole pool
  Choice<Strategy> strategy{"random"};
  SelectionOptions selection;
  std::optional<MixesOptions> mixes; // rounds ask about mixes of the clips known so far (study/mixing.h) instead of clips of the pool
  int64_t answers_per_clip = 1;      // the teacher answers about so many views of a chosen clip: it as it is, and fixed views (Clip::view);
                                     // each is an answer of the budget, and a sample to learn from
  void visit(OptionVisitor& v);
};

/// What its results depend on: the options less those that only name, place, repeat or pace a run, or say how long it goes on (rounds:
/// a round depends on those before it, not on how many follow); init files by content. The same essence on the same clips is the same
/// run.
std::string essence(Recipe recipe);
/// Whether rounds look at the whole pool with the student before they choose.
bool scores_pool(const Recipe& recipe);
/// Whether a teacher, the same for every seed, tells it something.
bool hears_teacher(const Recipe& recipe);
/// Whether rounds want the student before they choose: for the pool, or for mixes.
bool scores(const Recipe& recipe);
/// Whether rounds choose what to ask about: clips or mixes, within a budget.
bool selects(const Recipe& recipe);
/// The strategy, or with mixes the criterion, by which they choose.
const std::string& chooses_by(const Recipe& recipe);
/// Whether they choose by chance.
bool is_random(const Recipe& recipe);

/// An arm before it is read: its name, and how it differs from the recipe.
using NamedDifference = std::pair<std::string, Document>;
/// The arm to add where some select and none by chance: `random` (where an arm has that name, `random twin`), which spends by
/// chance what the first of them spends, and is tested against no arm of its own.
std::optional<NamedDifference> random_twin(const Document& base, const std::vector<NamedDifference>& arms);

struct Arm {
  std::string name;                  // one line; `slug(name)` names its files, and is no other arm's
  Recipe recipe;
  std::string resolved;              // YAML, every option
  std::string against;               // the arm it is tested against; empty: none
};

/// Most arms of an experiment, a sweep's multiplied out.
inline constexpr int64_t kMostArms = 1000;

struct Experiment {
  std::string name;                  // the slug of the recipe file's stem
  std::vector<Arm> arms;             // at least one; the random arm is added where strategies are compared
  std::string resolved;              // the recipe and its arms
  std::string control;               // the arm most others are tested against
  std::vector<std::string> notes;
  const Recipe& base() const { return arms.front().recipe; }
  bool asks_views() const;           // an arm has answers_per_clip > 1
  std::string start_words() const;   // how many initial clips the arms draw, and how
};

/// Reads a recipe and all its arms; refuses contradictions before anything is decoded. Throws UsageError.
Experiment read_experiment(const std::string& path, const std::vector<Override>& overrides);
Experiment read_experiment(const Document& document, const std::string& name);

}  // namespace distal
