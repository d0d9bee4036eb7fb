#pragma once
// The steps of a cell, in the order study/run.cc takes them.

#include <functional>
#include <set>

#include "distal/learn/learning.h"
#include "distal/oracles/oracle.h"
#include "distal/study/material.h"
#include "distal/study/run.h"

namespace distal {

struct Workbench {
  const Experiment& experiment;
  Material& material;
  Learning& learning;
  Oracle& oracle;
  Store& store;
  std::string folder;
  Progress& progress;
  bool collects = true;           // the folder is where the students shall stand, whoever trained them; false in one of several jobs
  std::set<int64_t> runs = {};    // of the store, whose events the report tells
};

/// What a run knows: labelled samples, and which clips of the pool are not open any more.
struct Known {
  std::vector<Sample> samples;
  std::set<std::string> closed;   // Clip::key() of clips that were asked or could not be read
  std::vector<Clip> clips() const;
};

struct TaughtBy {
  std::unique_ptr<Teacher> teacher;  // null: hidden truth
  std::string line;                  // for the report
  double accuracy = -1;              // of the teacher on the test set
};

/// Throws Error: the event of a run is not as distal wrote it, `wanted`.
[[noreturn]] void refuse_event(int64_t run, const Store::Event& event, const char* wanted);

/// Trains or opens the teacher of the recipe; its network is kept as teacher.safetensors in place.folder.
TaughtBy make_teacher(const Experiment& experiment, Material& material, const RunPlace& place, Progress& progress);

Results describe(const Experiment& experiment, const Material& material, const RunPlace& place);
/// What the reader of the report must know: notes and quarantined videos of the bench's runs, whichever process they happened in.
void add_findings(Results& results, const Workbench& bench);

Cell run_cell(Workbench& bench, const Arm& arm, int64_t seed);
Cell run_rounds(Workbench& bench, const Arm& arm, const Store::Run& run);
Store::Run begin(Workbench& bench, const Arm& arm, int64_t seed);
/// The initial clips that a recipe draws from `clips`: a function of start, start_draw and `random`. The fewer are the first of the more, but among all
/// of `clips`, which come in their own order. Evenly over the classes: one of each in turn, as far as there are some.
std::vector<Clip> initial_draw(const ClipRefs& clips, const Recipe& recipe, int64_t classes, Random random);
/// The initial answers: true labels, drawn as start_draw says, and with ask_start a teacher's too; the same clips for every arm of a
/// seed with the same start, start_draw and pool_size, the fewer among the more where start alone differs.
Known start(Workbench& bench, const Arm& arm, const Store::Run& run, Random random, RoundResult& result);
/// The clips of a round, reserved against the budget. A round that was reserved before a kill is returned as it was.
std::vector<Clip> choose(Workbench& bench, const Arm& arm, const Store::Run& run, Known& known, int64_t round,
                         const std::function<Model()>& student, Random random, RoundResult& result);
void add_answers(Workbench& bench, const std::vector<Clip>& picks, Known& known, RoundResult& result);
/// The network that make_teacher trained or opened, for a recipe that learns with it at hand (matching); else null.
Model teachers_network(const Workbench& bench, const Recipe& recipe);
Model train_student(Workbench& bench, const Arm& arm, const Store::Run& run, const Known& known, int64_t round, RoundResult& result);
void measure_student(Workbench& bench, const Arm& arm, Net& student, RoundResult& result);
/// The last student of an arm's first seed becomes FOLDER/slug(ARM).safetensors, and the store learns what and where that is.
void keep_student(Workbench& bench, const Arm& arm, const Store::Run& run, int64_t round, const Net& student);
/// Whether it has to be trained once more because the folder has another one or none: the rounds were measured elsewhere, or more of them.
bool lacks_student(const Workbench& bench, const Arm& arm, const Store::Run& run);
/// Copies what another process kept of the same run, in whatever folder (one of several jobs, a share that somebody else started); false where that is gone.
bool take_student(Workbench& bench, const Arm& arm, const Store::Run& run);
void finish_round(Workbench& bench, const Arm& arm, const Store::Run& run, const std::vector<Clip>& picks, RoundResult& result);

}  // namespace distal
