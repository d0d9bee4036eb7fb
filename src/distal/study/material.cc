#include "distal/study/material.h"

#include <cmath>
#include <numeric>
#include <set>

#include "distal/base/random.h"
#include "distal/data/read_ahead.h"
#include "distal/lists/leaks.h"
#include "distal/models/weights.h"

namespace distal {
namespace {

struct List {
  std::string path;
  std::vector<Row> rows;
};

List read_list(const DataOptions& data, const ListOptions& options, bool labelled = true) {
  const std::string path = (std::filesystem::path(data.root) / options.csv).string();
  return {path, read_rows(path, options.groups, labelled)};
}

uint64_t content_hash(const List& list, uint64_t basis) {
  for (const Row& row : list.rows) basis = fnv1a(fmt::format("{}|{}|{}|{}|{}|{}", row.path, row.label, row.start_s, row.end_s, row.start_frame, row.end_frame), basis);
  return basis;
}

ClipList usable(const List& list, const Recipe& recipe, Material& material, ClipReader& reader, Progress& progress) {
  const auto probe_video = [&](const std::string& path) { return reader.probe(path); };
  ClipList made = make_clips(list.rows, recipe.data.root, recipe.clips, material.classes, probe_video, progress);
  if (made.clips.empty()) fail("{}: no usable clip among {} rows; {} videos were refused, the first because: {}", list.path, list.rows.size(),
                               made.quarantined.size(), made.quarantined.empty() ? "its segments have no label" : made.quarantined.front().reason);
  std::move(made.quarantined.begin(), made.quarantined.end(), std::back_inserter(material.quarantined));
  material.unlabelled_segments += made.unlabelled_segments;
  material.duplicates += made.duplicates;
  return made;
}

// How a saved model wants its clips.
InputOptions input_of(const std::string& model) {
  InputOptions input;
  read_described(input, load_model(model).input_yaml, model + " (input)");
  return input;
}

void require_learnable(const std::vector<Clip>& learn_from, const std::vector<Clip>& more, const Classes& classes, const std::string& list) {
  std::set<int64_t> seen;
  for (const auto* clips : {&learn_from, &more}) for (const Clip& clip : *clips) seen.insert(clip.label);
  for (int64_t k = 0; k < classes.size(); ++k)
    if (!seen.contains(k)) fail("{}: class '{}' has no usable clip to learn from; add some, or take it out of the test list", list, classes.names[k]);
}

void require_budget(const Arm& arm, const Material& material) {
  const Recipe& recipe = arm.recipe;
  const int64_t known = material.initial_clips(recipe);
  if (known > material.source_clips(recipe))
    fail("arm {}: start = {} exceeds the {} usable clips it is drawn from", arm.name, recipe.start, material.source_clips(recipe));
  if (recipe.mixes) {
    if (known < 3) fail("arm {}: mixes of {} clips; start from 3 or more", arm.name, known);
    const auto most = recipe.mixes->criterion == "unixkd" ? std::numeric_limits<int64_t>::max() : (known - 1) / 2 * known;
    if (recipe.budget * static_cast<double>(recipe.rounds) > static_cast<double>(most))
      fail("arm {}: {} rounds of {:g} mixes exceed the {} pairs of {} clips; lower rounds or budget, or raise start", arm.name, recipe.rounds, recipe.budget, most, known);
    return;
  }
  if (recipe.rounds == 0 || recipe.budget < 0) return;
  // What is left of the pool at most, counted in its longest clips: after pool_size and the initial answers.
  const int64_t open = material.pool_clips(recipe) - (material.start_in_pool() ? known : 0);
  std::vector<double> costs;
  for (const Clip& clip : material.pool) costs.push_back(static_cast<double>(recipe.answers_per_clip) * (recipe.selection.unit == "seconds" ? clip.duration_s() : 1));
  std::sort(costs.begin(), costs.end());
  const double available = std::accumulate(costs.end() - open, costs.end(), 0.0), wanted = recipe.budget * static_cast<double>(recipe.rounds);
  if (wanted > available) fail("arm {}: {} rounds of {:g} {} exceed the pool's {:g}; lower rounds or budget", arm.name, recipe.rounds, recipe.budget, recipe.selection.unit, available);
}

// A network at hand (Recipe::matching) is shown what the student sees: clips as it was trained on. A fixed view is of the same frames
// and place for both where these are drawn alike.
void require_same_view(const Experiment& experiment, const std::optional<InputOptions>& teacher) {
  const auto matches = [](const Arm& arm) { return arm.recipe.matching; };
  const bool views = experiment.asks_views();
  if (!teacher || !(views || std::any_of(experiment.arms.begin(), experiment.arms.end(), matches))) return;
  const auto shown = [&](const InputOptions& input) {
    const SamplingOptions& s = input.sampling;
    const std::string drawn = views ? fmt::format(", short_side_px {}, jitter_steps {}", input.cached_short_side_px(), s.jitter_steps) : "";
    return fmt::format("{} frames, rule {}{}, {} px{}", s.frames, s.rule, s.rule == "dense" ? fmt::format(", stride {}", s.stride) : "", input.size_px, drawn);
  };
  const InputOptions& student = experiment.base().input;
  if (shown(student) != shown(*teacher))
    fail("{0}: the teacher was made for clips of {1}, the student sees {2}; give both the same input, or leave {0} out", views ? "answers_per_clip" : "matching",
         shown(*teacher), shown(student));
}

// What was made of the lists of an experiment, in their roles; lists that it does not have are empty.
struct Opened {
  ClipList pool, start, test, teacher;
  RoleClips in_role(const ClipList Opened::*list) const {
    const char* role = list == &Opened::pool ? "data.pool" : list == &Opened::start ? "data.start" : list == &Opened::test ? "data.test" : "teacher.train";
    return {role, &(this->*list)};
  }
};

// Nobody may be measured on what was learned, nor answer for it.
void require_apart(const Opened& opened, const Classes& classes) {
  const RoleClips pool = opened.in_role(&Opened::pool), start = opened.in_role(&Opened::start), test = opened.in_role(&Opened::test),
                  teacher = opened.in_role(&Opened::teacher);
  require_one_label({pool, start, test, teacher}, classes);
  for (const RoleClips& learned : {pool, start, teacher}) require_disjoint(learned, test, classes);
  require_disjoint(teacher, pool, classes);
}

// How often the teacher is wrong (Needs::teacher_error) is counted on initial clips, where it must not have learned their labels.
void require_unseen_start(const Arm& arm, const Opened& opened, const Classes& classes) {
  const Recipe& recipe = arm.recipe;
  if (recipe.oracle.kind != "teacher" || !scores_pool(recipe) || !recipe.strategy->needs().teacher_error) return;
  try {
    require_disjoint(opened.in_role(&Opened::teacher), opened.in_role(&Opened::start), classes);
  } catch (const Error& error) {
    fail("arm {}: strategy {} counts the teacher's errors on data.start, where it makes fewer on what it learned: {}; or set strategy.error", arm.name,
         recipe.strategy.name, error.what());
  }
}

// How many clips of the pool an arm may ask about, if each counts once.
double asked_clips(const Recipe& recipe, const Material& material) {
  if (recipe.rounds == 0 || recipe.mixes || recipe.selection.unit == "seconds") return 0;
  return recipe.budget < 0 ? static_cast<double>(material.pool_clips(recipe)) : recipe.budget * static_cast<double>(recipe.rounds) / static_cast<double>(recipe.answers_per_clip);
}

// Whether the first pass keeps, of the pool or of the list of initial clips, what training may ask for beside the centre frames. That costs
// nearly half as much again, and spares a second pass over each clip that is trained on: worth it where that is every third, and where
// the cache has room. Arms of one seed begin with the same clips.
bool worth_training_frames(const Experiment& experiment, const Material& material, bool start) {
  const InputOptions& input = experiment.base().input;
  const auto clips = static_cast<double>(start ? std::ssize(material.start) : std::ssize(material.pool));
  if (clips == 0 || !input.training_frames_fit(clips, experiment.base().cache)) return false;
  double initial = 0, untouched = 1;  // clips; share of the others in one seed, if every arm asks about clips of its own
  for (const Arm& arm : experiment.arms) {
    if (arm.recipe.student.backbone_frozen()) continue;  // looks at centre frames only
    if (start != material.start_in_pool()) initial = std::max(initial, static_cast<double>(material.initial_clips(arm.recipe)));
  }
  for (const Arm& arm : experiment.arms)
    if (!start && !arm.recipe.student.backbone_frozen()) untouched *= std::max(0.0, 1 - asked_clips(arm.recipe, material) / std::max(1.0, clips - initial));
  return std::pow(untouched * (1 - initial / clips), experiment.base().seeds) <= 2.0 / 3;
}

}  // namespace

std::vector<Clip> Material::clips() const {
  std::vector<Clip> all = pool;
  all.insert(all.end(), start.begin(), start.end());
  all.insert(all.end(), test.begin(), test.end());
  return all;
}

int64_t Material::pool_clips(const Recipe& recipe) const { return recipe.pool_size < 0 ? std::ssize(pool) : std::min<int64_t>(recipe.pool_size, std::ssize(pool)); }

int64_t Material::source_clips(const Recipe& recipe) const { return start_in_pool() ? pool_clips(recipe) : std::ssize(start); }

int64_t Material::initial_clips(const Recipe& recipe) const { return recipe.start < 0 ? source_clips(recipe) : recipe.start; }

FilmedClips Material::filmed() const {
  FilmedClips all;
  for (const Clip& clip : clips()) all[clip.key()] = clip;
  return all;
}

AskedClips Material::asked() {
  return {classes, lists_id, teachers_reader(), [this] { return filmed(); }};
}

std::vector<Quarantined> Material::quarantine() const {
  std::vector<Quarantined> all = quarantined;
  for (const auto* from : {reader.get(), teacher_reader.get()})
    if (from != nullptr) for (const Quarantined& video : from->quarantined()) all.push_back(video);
  return all;
}

Material open_material(const Experiment& experiment, Progress& progress) {
  const Recipe& recipe = experiment.base();
  const DataOptions& data = recipe.data;
  if (data.synthetic) {
    SyntheticSet set = data.synthetic->set;
    set.seed = static_cast<uint64_t>(recipe.seed);
    progress.say(fmt::format("generating {} videos in {} (those that are absent)", set.train + set.pool + set.test, data.root));
    write_motion_set(data.root, set);
  }
  // A pool that a teacher answers for needs no labels where the initial answers come from another list.
  const bool needs_labels = recipe.oracle.kind == "truth" || !data.start;
  List pool = read_list(data, data.pool, needs_labels);
  const List test = read_list(data, data.test);
  const std::optional<List> start = data.start ? std::optional(read_list(data, *data.start)) : std::nullopt;
  const std::optional<List> teacher = recipe.teacher ? std::optional(read_list(data, recipe.teacher->train)) : std::nullopt;

  Material material;
  std::set<std::string> names;
  const auto add_names = [&](const List& list) {
    for (const std::string& name : classes_of(list.rows).names) names.insert(name);
  };
  add_names(pool);
  uint64_t hash = content_hash(pool, content_hash(test, 0));
  for (const auto* list : {&start, &teacher}) {
    if (!*list) continue;
    add_names(**list);
    hash = content_hash(**list, hash);
  }
  material.classes = {{names.begin(), names.end()}};
  material.lists_id = fmt::format("{:016x}", hash);
  material.reader = std::make_unique<ClipReader>(recipe.input, recipe.cache);
  std::optional<InputOptions> teacher_input = recipe.teacher ? recipe.teacher->input : std::nullopt;
  if (recipe.oracle.kind == "model") teacher_input = input_of(recipe.oracle.path);
  require_same_view(experiment, teacher_input);
  if (teacher_input) material.teacher_reader = std::make_unique<ClipReader>(*teacher_input, recipe.cache);

  Opened opened;
  opened.pool = usable(pool, recipe, material, *material.reader, progress);
  pool.rows = {};
  opened.test = usable(test, recipe, material, *material.reader, progress);
  if (start) opened.start = usable(*start, recipe, material, *material.reader, progress);
  if (teacher) opened.teacher = usable(*teacher, recipe, material, *material.reader, progress);

  require_learnable(opened.pool.clips, opened.start.clips, material.classes, pool.path);
  require_apart(opened, material.classes);
  for (const Arm& arm : experiment.arms) require_unseen_start(arm, opened, material.classes);
  material.pool = std::move(opened.pool.clips), material.start = std::move(opened.start.clips);
  material.test = std::move(opened.test.clips), material.teacher = std::move(opened.teacher.clips);
  for (const Arm& arm : experiment.arms) require_budget(arm, material);
  return material;
}

double drop_unreadable(const Experiment& experiment, Material& material, Progress& progress) {
  const auto reads_all = [](const Arm& arm) {
    return scores(arm.recipe) || (arm.recipe.rounds > 0 && arm.recipe.budget < 0);
  };
  if (std::none_of(experiment.arms.begin(), experiment.arms.end(), reads_all)) return 0;
  const auto began = std::chrono::steady_clock::now();
  std::vector<ClipReader::Ahead> ahead;
  const bool pool_trains = worth_training_frames(experiment, material, false), start_trains = worth_training_frames(experiment, material, true);
  for (const Clip& clip : material.pool) ahead.push_back({&clip, pool_trains});
  for (const Clip& clip : material.start) ahead.push_back({&clip, start_trains});
  for (const Clip& clip : material.test) ahead.push_back({&clip, false});
  read_ahead(*material.reader, ahead, progress, "reading every clip");
  std::set<std::string> bad;
  for (const Quarantined& video : material.reader->quarantined()) bad.insert(video.path);
  for (auto* list : {&material.pool, &material.start, &material.test, &material.teacher})
    std::erase_if(*list, [&](const Clip& clip) { return bad.contains(clip.video); });
  if (material.pool.empty() || material.test.empty()) fail("no clip of the {} could be read; the first because: {}", material.pool.empty() ? "pool" : "test list",
                                                           material.reader->quarantined().front().reason);
  require_learnable(material.pool, material.start, material.classes, "what can be read of the lists");
  for (const Arm& arm : experiment.arms) require_budget(arm, material);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace distal
