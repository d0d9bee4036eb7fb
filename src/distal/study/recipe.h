#pragma once
// A recipe is one YAML file that describes a study. It contains only options that differ from the
// defaults.
//
// A study has a shared part (data, input, oracle, seeds) and arms (student, loss, strategy,
// budget). The top level of the file contains the options of both. The section `arms` lists named
// arms. Each entry contains the options that differ from the top level. An arm may repeat an option
// of the shared part, but not change its value.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distal/active/mixup.h"
#include "distal/active/strategy.h"
#include "distal/base/choice.h"
#include "distal/base/document.h"
#include "distal/data/batches.h"
#include "distal/learn/embedding_options.h"
#include "distal/learn/learner.h"
#include "distal/oracles/oracle_recipe.h"
#include "distal/video/synthetic.h"

namespace distal {

class DistillLoss;
class OptionVisitor;

struct SyntheticData {  // written into data.root when absent
  SyntheticSet set;     // videos are square: the height equals the width
  void visit(OptionVisitor& v) const;
  bool operator==(const SyntheticData&) const = default;
  SyntheticSet videos(int64_t seed) const;  // as they are generated
};

struct DataOptions {
  std::string root = ".";  // folder the lists and their paths are relative to; `--data PATH`
  std::optional<SyntheticData> synthetic;
  ListOptions pool, test;
  std::optional<ListOptions> start;  // where the initial answers come from; absent: from the pool
  std::vector<std::string> classes;  // names, in order; empty: those of the lists, sorted
  int64_t test_clips = -1;           // of the test list, drawn evenly over its groups and alike for
                                     // every seed, whole videos where people answer by ranges; -1:
                                     // all
  void visit(OptionVisitor& v) const;
  bool operator==(const DataOptions&) const = default;
};

/// A teacher that the study trains before its students. Its videos are neither in the pool nor in
/// the test list.
struct TeacherRecipe {
  ListOptions train;
  Learner learner;
  std::optional<InputOptions> input;  // absent: the study's
  void visit(OptionVisitor& v) const;
  bool operator==(const TeacherRecipe&) const = default;
};

/// The options that all arms of a study share: data, input, oracle, seeds.
struct SharedOptions {
  std::string question;  // what the report answers
  // paired repeats: seed, seed + 1, ...
  int64_t seed = 1;
  int64_t seeds = 5;
  std::string no_random_arm;  // the reason, in words, why no random arm is wanted
  std::string weights;        // folder that init paths are relative to; `--weights PATH`
  DataOptions data;
  ClipOptions clips;
  InputOptions input;
  CacheOptions cache;
  std::optional<TeacherRecipe> teacher;
  OracleRecipe oracle;  // who answers about the pool; kind `teacher`: the one trained here
  std::string chooses = "each_seed";  // each_seed: every seed for itself; first_seed: all seeds
                                      // learn from what the first one chose, so that people answer
                                      // once, and seeds differ by training alone
  void visit(OptionVisitor& v) const;
  bool operator==(const SharedOptions&) const = default;
  InputOptions teacher_input() const;  // of the teacher that the study trains
};

/// The options of Active Mixup. The defaults are coarser than for images, because the scores of a
/// clip take longer.
struct MixesOptions : MixupOptions {
  MixesOptions() {
    lambda_step = 0.1;
    pairs = -1;
    batch = 64;
  }
};

/// The options of an arm: student, loss, and choice of clips.
struct ArmOptions {
  std::string control;  // the arm this one is tested against; empty: the study's
  Learner student;
  Choice<DistillLoss> loss{"black_box"};
  // The teacher's network runs in every step on the student's augmented view of a clip
  // (train/taught.h), and its stored answer is not used. Each clip still costs one answer.
  bool matching = false;
  int64_t start = 40;  // number of initial clips with true labels; -1: all
  // draw of the initial clips: random; stratified_by_labels: even over the classes of data.start,
  // whose labels are known; stratified_by_hidden_labels: even over the classes of the pool, whose
  // labels are hidden; typiclust, k_center: by that strategy, over the features of the untrained
  // student
  std::string start_draw = "random";
  bool ask_start = false;  // the teacher also answers about the initial clips
  // number of clips of the pool that a trial may ask about; the seed determines the draw, and a
  // smaller draw is part of a larger one; -1: all
  int64_t pool_size = -1;
  int64_t rounds = 4;
  double budget = 40;  // of each round, in selection.unit; -1: the whole pool
  Choice<Strategy> strategy{"random"};
  // where the embeddings of the strategy, and of start_draw, come from; absent: from the student
  std::optional<EmbeddingOptions> embeddings;
  SelectionOptions selection;
  // Rounds ask about mixes of known clips (study/mixing.h) instead of clips of the pool.
  std::optional<MixesOptions> mixes;
  // number of answers per chosen clip: the clip itself and fixed views of it (Clip::view); each
  // counts in the budget and is a training sample
  int64_t answers_per_clip = 1;
  void visit(OptionVisitor& v) const;
  bool operator==(const ArmOptions&) const = default;

  bool selects() const;           // rounds choose clips or mixes within a budget
  bool scores_pool() const;       // the choice needs the student's predictions of the whole pool
  bool scores() const;            // the choice needs the student, for the pool or for mixes
  bool embeds_elsewhere() const;  // the strategy takes its embeddings from `embeddings`
  bool uses_embeddings() const;   // `embeddings` has an effect: in rounds, or in start_draw
  Needs student_needs() const;    // what the strategy requires of the student
  bool draws_start_by_features() const;  // start_draw names a strategy
  const std::string& criterion() const;  // the strategy, or with mixes their criterion
  bool is_random() const;                // rounds choose at random
};

/// The top level of a recipe file, without its arms and its sweep.
struct Recipe {
  SharedOptions shared;
  ArmOptions arm;
  void visit(OptionVisitor& v) const;
  bool operator==(const Recipe&) const = default;
};

struct Arm {
  std::string name;  // one line; `slug(name)`, unique in the study, names its files
  ArmOptions options;
  std::string resolved;  // YAML, every option of the shared part and of the arm
  std::string against;   // the arm it is tested against; empty: none
};

/// The maximum number of arms of a study, after the expansion of a sweep.
inline constexpr int64_t kMostArms = 1000;

struct Study {
  std::string name;  // the slug of the recipe file's stem
  SharedOptions shared;
  std::vector<Arm> arms;  // at least one; a random arm is added where strategies are compared
  std::string resolved;   // the recipe and its arms
  std::string control;    // the arm most others are tested against
  std::vector<std::string> notes;
  bool asks_views() const;                   // an arm has answers_per_clip > 1
  bool hears_teacher(const Arm& arm) const;  // the arm learns from one teacher for all seeds
  const std::string& budget_unit() const;    // selection.unit, the same in every arm
  std::string start_words() const;           // how many initial clips the arms draw, and how
};

/// The options that the results of an arm depend on, as YAML. They exclude options that only name,
/// place, repeat or pace a trial, and the number of rounds, because a round does not depend on the
/// number of later rounds. The content of init files replaces their names.
std::string decisive_options(const SharedOptions& shared, const ArmOptions& arm);

/// An arm of a recipe: its name, its difference from the top level, and the resulting options.
struct ArmDifference {
  std::string name;
  Document difference;
  ArmOptions options;
};
/// The part of a recipe's top level that describes an arm.
Document arm_part(const Document& recipe);
/// Makes the arms of the named differences from the top level of `recipe`. Throws UsageError if a
/// difference gives an option of the shared part another value.
std::vector<ArmDifference> read_arms(
    const Document& recipe, const std::vector<std::pair<std::string, Document>>& differences);
/// The random arm that is added if arms choose clips and none chooses at random. It has the budget
/// of the first arm that chooses. It has no control of its own. Its name is `random`, or `random
/// twin` if another arm has that name.
std::optional<ArmDifference> random_twin(const Document& base,
                                         const std::vector<ArmDifference>& arms);

/// Reads a recipe with all its arms. Refuses contradictory options before any video is decoded.
/// Throws UsageError.
Study read_study(const std::string& path, const std::vector<Override>& overrides);
Study read_study(const Document& document, const std::string& name);

}  // namespace distal
