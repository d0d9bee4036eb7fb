#include "distal/study/dataset.h"

#include <cmath>
#include <numeric>
#include <set>

#include "distal/base/error.h"
#include "distal/base/hash.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/data/read_ahead.h"
#include "distal/lists/feature_table.h"
#include "distal/lists/leaks.h"
#include "distal/lists/split.h"
#include "distal/study/whole_videos.h"

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
  for (const Row& row : list.rows)
    basis = fnv1a(fmt::format("{}|{}|{}|{}|{}|{}", row.path, row.label, row.start_s, row.end_s,
                              row.start_frame, row.end_frame),
                  basis);
  return basis;
}

ClipList usable(const List& list, const SharedOptions& shared, Dataset& dataset, ClipReader& reader,
                Progress& progress) {
  const auto probe_video = [&](const std::string& path) { return reader.probe(path); };
  ClipList made =
      make_clips(list.rows, shared.data.root, shared.clips, dataset.classes, probe_video, progress);
  if (made.clips.empty())
    fail("{}: no usable clip among {} rows; {} videos were refused, the first because: {}",
         list.path, list.rows.size(), made.quarantined.size(),
         made.quarantined.empty() ? "its segments have no label" : made.quarantined.front().reason);
  std::move(made.quarantined.begin(), made.quarantined.end(),
            std::back_inserter(dataset.quarantined));
  dataset.unlabelled_segments += made.unlabelled_segments;
  dataset.duplicates += made.duplicates;
  return made;
}

// A draw of its own, not the study's: all seeds, and all studies of a list, are measured on the
// same clips.
void draw_test(std::vector<Clip>& clips, int64_t count, bool whole_videos) {
  if (count < 0 || count >= std::ssize(clips)) return;
  if (whole_videos) {
    clips = draw_test_videos(clips, count);
    return;
  }
  std::vector<Interned> groups;
  for (const Clip& clip : clips) groups.push_back(clip.group);
  std::vector<Clip> kept;
  for (const int64_t row : draw_evenly(groups, count, /*seed=*/1)) kept.push_back(clips[row]);
  clips = std::move(kept);
}

// The names of the classes: those that the recipe gives, else those of the lists.
Classes named_classes(const DataOptions& data, const std::set<std::string>& in_lists) {
  if (data.classes.empty()) return {{in_lists.begin(), in_lists.end()}};
  const Classes classes{data.classes};
  for (const std::string& name : in_lists) {
    if (!classes.index(name)) {
      fail("{}: the lists hold the class '{}', which data.classes does not name; add it there, or "
           "leave data.classes out",
           data.root, name);
    }
  }
  return classes;
}

void require_learnable(const std::vector<Clip>& learn_from, const std::vector<Clip>& more,
                       const Classes& classes, const std::string& list) {
  std::set<int64_t> seen;
  for (const auto* clips : {&learn_from, &more}) {
    for (const Clip& clip : *clips) seen.insert(clip.label);
  }
  for (int64_t k = 0; k < classes.size(); ++k) {
    if (!seen.contains(k))
      fail("{}: class '{}' has no usable clip to learn from; add some, or take it out of the test "
           "list",
           list, classes.names[k]);
  }
}

void require_budget(const Arm& arm, const Dataset& dataset) {
  const ArmOptions& options = arm.options;
  const int64_t known = dataset.initial_clips(options);
  if (known > dataset.source_clips(options))
    fail("arm {}: start = {} exceeds the {} usable clips it is drawn from", arm.name, options.start,
         dataset.source_clips(options));
  if (options.mixes) {
    if (known < 3) fail("arm {}: mixes of {} clips; start from 3 or more", arm.name, known);
    const auto most = options.mixes->criterion == "unixkd" ? std::numeric_limits<int64_t>::max()
                                                           : (known - 1) / 2 * known;
    if (options.budget * static_cast<double>(options.rounds) > static_cast<double>(most))
      fail("arm {}: {} rounds of {:g} mixes exceed the {} pairs of {} clips; lower rounds or "
           "budget, or raise start",
           arm.name, options.rounds, options.budget, most, known);
    return;
  }
  if (options.rounds == 0 || options.budget < 0) return;
  if (options.selection.unit == "minutes") return;  // people may need more than is assumed
  // What is left of the pool at most, counted in its longest clips: after pool_size and the initial
  // answers.
  const int64_t open = dataset.pool_clips(options) - (dataset.start_in_pool() ? known : 0);
  std::vector<double> costs;
  for (const Clip& clip : dataset.pool)
    costs.push_back(static_cast<double>(options.answers_per_clip) *
                    (options.selection.unit == "seconds" ? clip.duration_s() : 1));
  std::sort(costs.begin(), costs.end());
  const double available = std::accumulate(costs.end() - open, costs.end(), 0.0);
  const double wanted = options.budget * static_cast<double>(options.rounds);
  if (wanted > available)
    fail("arm {}: {} rounds of {:g} {} exceed the pool's {:g}; lower rounds or budget", arm.name,
         options.rounds, options.budget, options.selection.unit, available);
}

// A network at hand (ArmOptions::matching) is shown what the student sees: clips as it was trained
// on. A fixed view is of the same frames and place for both where these are drawn alike.
void require_same_view(const Study& study, const std::optional<InputOptions>& teacher) {
  const auto matches = [](const Arm& arm) { return arm.options.matching; };
  const bool views = study.asks_views();
  if (!teacher || !(views || std::any_of(study.arms.begin(), study.arms.end(), matches))) return;
  const auto shown = [&](const InputOptions& input) {
    const SamplingOptions& s = input.sampling;
    const std::string drawn = views ? fmt::format(", short_side_px {}, jitter_steps {}",
                                                  input.cached_short_side_px(), s.jitter_steps)
                                    : "";
    return fmt::format("{} frames, rule {}{}, {} px{}", s.frames, s.rule,
                       s.rule == "dense" ? fmt::format(", stride {}", s.stride) : "", input.size_px,
                       drawn);
  };
  const InputOptions& student = study.shared.input;
  if (shown(student) != shown(*teacher))
    fail("{0}: the teacher was made for clips of {1}, the student sees {2}; give both the same "
         "input, or leave {0} out",
         views ? "answers_per_clip" : "matching", shown(*teacher), shown(student));
}

// What was made of the lists of a study, in their roles; lists that it does not have are empty.
struct Opened {
  ClipList pool, start, test, teacher;
  RoleClips in_role(const ClipList Opened::*list) const {
    const char* role = list == &Opened::pool    ? "data.pool"
                       : list == &Opened::start ? "data.start"
                       : list == &Opened::test  ? "data.test"
                                                : "teacher.train";
    return {role, &(this->*list)};
  }
};

// Nobody may be measured on what was learned, nor answer for it.
void require_apart(const Opened& opened, const Classes& classes) {
  const RoleClips pool = opened.in_role(&Opened::pool);
  const RoleClips start = opened.in_role(&Opened::start);
  const RoleClips test = opened.in_role(&Opened::test);
  const RoleClips teacher = opened.in_role(&Opened::teacher);
  require_one_label({pool, start, test, teacher}, classes);
  for (const RoleClips& learned : {pool, start, teacher}) require_disjoint(learned, test, classes);
  require_disjoint(teacher, pool, classes);
}

// How often the teacher is wrong (Needs::teacher_error) is counted on initial clips, where it must
// not have learned their labels.
void require_unseen_start(const Study& study, const Arm& arm, const Opened& opened,
                          const Classes& classes) {
  const ArmOptions& options = arm.options;
  if (!study.shared.oracle.asked_first().kind->traits().trained_here || !options.scores_pool() ||
      !options.strategy->needs().teacher_error)
    return;
  try {
    require_disjoint(opened.in_role(&Opened::teacher), opened.in_role(&Opened::start), classes);
  } catch (const Error& error) {
    fail("arm {}: strategy {} counts the teacher's errors on data.start, where it makes fewer on "
         "what it learned: {}; or set strategy.error",
         arm.name, options.strategy.name, error.what());
  }
}

// How many clips of the pool an arm may ask about, if each counts once.
double asked_clips(const ArmOptions& arm, const Dataset& dataset) {
  if (arm.rounds == 0 || arm.mixes || arm.selection.unit != "answers") return 0;
  return arm.budget < 0 ? static_cast<double>(dataset.pool_clips(arm))
                        : arm.budget * static_cast<double>(arm.rounds) /
                              static_cast<double>(arm.answers_per_clip);
}

// Whether the first pass keeps, of the pool or of the list of initial clips, what training may ask
// for beside the centre frames. That costs nearly half as much again, and spares a second pass over
// each clip that is trained on: worth it where that is every third, and where the cache has room.
// Arms of one seed begin with the same clips.
bool worth_training_frames(const Study& study, const Dataset& dataset, bool start) {
  const InputOptions& input = study.shared.input;
  const auto clips =
      static_cast<double>(start ? std::ssize(dataset.start) : std::ssize(dataset.pool));
  if (clips == 0 || !input.training_frames_fit(clips, study.shared.cache)) return false;
  double initial = 0;  // clips
  double untouched =
      1;  // share of the others in one seed, if every arm asks about clips of its own
  for (const Arm& arm : study.arms) {
    if (arm.options.student.backbone_frozen()) continue;  // looks at centre frames only
    if (start != dataset.start_in_pool())
      initial = std::max(initial, static_cast<double>(dataset.initial_clips(arm.options)));
  }
  for (const Arm& arm : study.arms) {
    if (!start && !arm.options.student.backbone_frozen())
      untouched *=
          std::max(0.0, 1 - asked_clips(arm.options, dataset) / std::max(1.0, clips - initial));
  }
  return std::pow(untouched * (1 - initial / clips), study.shared.seeds) <= 2.0 / 3;
}

}  // namespace

std::vector<Clip> Dataset::clips() const {
  std::vector<Clip> all = pool;
  all.insert(all.end(), start.begin(), start.end());
  all.insert(all.end(), test.begin(), test.end());
  return all;
}

std::vector<Clip> Dataset::askable() const {
  std::vector<Clip> all = pool;
  all.insert(all.end(), start.begin(), start.end());
  return all;
}

int64_t Dataset::pool_clips(const ArmOptions& arm) const {
  return arm.pool_size < 0 ? std::ssize(pool) : std::min<int64_t>(arm.pool_size, std::ssize(pool));
}

int64_t Dataset::source_clips(const ArmOptions& arm) const {
  return start_in_pool() ? pool_clips(arm) : std::ssize(start);
}

int64_t Dataset::initial_clips(const ArmOptions& arm) const {
  return arm.start < 0 ? source_clips(arm) : arm.start;
}

FilmedClips Dataset::filmed() const {
  FilmedClips all;
  for (const Clip& clip : clips()) all[clip.key()] = clip;
  return all;
}

AskedClips Dataset::asked() {
  return {classes, teachers_reader(), [this] { return filmed(); }};
}

AskedClips Dataset::asked_second() {
  return {classes, second_reader ? *second_reader : *reader, [this] { return filmed(); }};
}

std::vector<Quarantined> Dataset::quarantine() const {
  std::vector<Quarantined> all = quarantined;
  for (const auto* from : {reader.get(), teacher_reader.get(), second_reader.get()}) {
    if (from != nullptr) {
      for (const Quarantined& video : from->quarantined()) all.push_back(video);
    }
  }
  return all;
}

void add_readers(const Study& study, Dataset& dataset) {
  const SharedOptions& shared = study.shared;
  dataset.reader = std::make_unique<ClipReader>(shared.input, shared.cache);
  const auto reader_of = [&](const OracleOptions& oracle) -> std::unique_ptr<ClipReader> {
    oracle.kind->require_fit(dataset.classes, *dataset.task);
    std::optional<InputOptions> input = oracle.kind->input();
    if (!input && shared.teacher) input = shared.teacher->input;
    require_same_view(study, input);
    return input ? std::make_unique<ClipReader>(*input, shared.cache) : nullptr;
  };
  dataset.teacher_reader = reader_of(shared.oracle.asked_first());
  if (shared.oracle.mixed()) dataset.second_reader = reader_of(shared.oracle.asked_then());
}

Dataset open_dataset(const Study& study, Progress& progress) {
  const SharedOptions& shared = study.shared;
  const DataOptions& data = shared.data;
  if (data.synthetic) {
    const SyntheticSet set = data.synthetic->videos(shared.seed);
    progress.say(fmt::format("generating {} videos in {} (those that are absent)",
                             set.train + set.pool + set.test, data.root));
    write_motion_set(data.root, set);
  }
  // A pool that a teacher answers for needs no labels where the initial answers come from another
  // list. People are asked about everything that has none.
  const bool people = shared.oracle.people();
  const bool labels = shared.oracle.any([](const OracleTraits& traits) { return !traits.soft; });
  const bool needs_labels = !people && (labels || !data.start);
  List pool = read_list(data, data.pool, needs_labels);
  const List test = read_list(data, data.test, !people);
  const std::optional<List> start =
      data.start ? std::optional(read_list(data, *data.start)) : std::nullopt;
  const std::optional<List> teacher =
      shared.teacher ? std::optional(read_list(data, shared.teacher->train)) : std::nullopt;

  Dataset dataset;
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
  dataset.classes = named_classes(data, names);
  dataset.lists_id = fmt::format("{:016x}", hash);
  add_readers(study, dataset);

  Opened opened;
  opened.pool = usable(pool, shared, dataset, *dataset.reader, progress);
  pool.rows = {};
  opened.test = usable(test, shared, dataset, *dataset.reader, progress);
  if (start) opened.start = usable(*start, shared, dataset, *dataset.reader, progress);
  if (teacher) opened.teacher = usable(*teacher, shared, dataset, *dataset.reader, progress);

  if (!people) require_learnable(opened.pool.clips, opened.start.clips, dataset.classes, pool.path);
  require_apart(opened, dataset.classes);
  for (const Arm& arm : study.arms) require_unseen_start(study, arm, opened, dataset.classes);
  dataset.pool = std::move(opened.pool.clips);
  dataset.start = std::move(opened.start.clips);
  dataset.test = std::move(opened.test.clips);
  draw_test(dataset.test, data.test_clips, shared.oracle.asked_then().kind->traits().by_video);
  dataset.teacher = std::move(opened.teacher.clips);
  require_budgets(study, dataset);
  require_features(study, dataset);
  return dataset;
}

void require_features(const Study& study, const Dataset& dataset) {
  const auto probe_video = [&](const std::string& path) { return dataset.reader->probe(path); };
  std::set<std::string> asked;
  const auto require = [&](const FeatureFiles& files, const std::vector<Clip>& clips) {
    if (asked.insert(fmt::format("{}{}", resolved(files), clips.size())).second)
      FeatureTable(files, study.shared.data.root, clips, probe_video);
  };
  for (const Arm& arm : study.arms) {
    const ArmOptions& options = arm.options;
    if (const auto* files = options.student.model.feature_files()) require(*files, dataset.clips());
    if (options.uses_embeddings() && !options.embeddings->network)
      require(options.embeddings->files, dataset.askable());
  }
}

void require_budgets(const Study& study, const Dataset& dataset) {
  for (const Arm& arm : study.arms) require_budget(arm, dataset);
  if (study.shared.oracle.asked_then().kind->traits().by_video)
    require_whole_videos(study, dataset);
}

double drop_unreadable(const Study& study, Dataset& dataset, Progress& progress) {
  const auto reads_all = [](const Arm& arm) {
    if ((arm.options.uses_embeddings() && arm.options.embeddings->network)) return true;
    if (!arm.options.student.reads_frames()) return false;
    return arm.options.scores() || (arm.options.rounds > 0 && arm.options.budget < 0);
  };
  if (std::none_of(study.arms.begin(), study.arms.end(), reads_all)) return 0;
  const auto began = std::chrono::steady_clock::now();
  std::vector<ClipReader::Ahead> ahead;
  const bool pool_trains = worth_training_frames(study, dataset, false);
  const bool start_trains = worth_training_frames(study, dataset, true);
  for (const Clip& clip : dataset.pool) ahead.push_back({&clip, pool_trains});
  for (const Clip& clip : dataset.start) ahead.push_back({&clip, start_trains});
  for (const Clip& clip : dataset.test) ahead.push_back({&clip, false});
  read_ahead(*dataset.reader, ahead, progress, "reading every clip");
  std::set<std::string> bad;
  for (const Quarantined& video : dataset.reader->quarantined()) bad.insert(video.path);
  for (auto* list : {&dataset.pool, &dataset.start, &dataset.test, &dataset.teacher})
    std::erase_if(*list, [&](const Clip& clip) { return bad.contains(clip.video); });
  if (dataset.pool.empty() || dataset.test.empty())
    fail("no clip of the {} could be read; the first because: {}",
         dataset.pool.empty() ? "pool" : "test list", dataset.reader->quarantined().front().reason);
  if (!study.shared.oracle.people())
    require_learnable(dataset.pool, dataset.start, dataset.classes,
                      "what can be read of the lists");
  require_budgets(study, dataset);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace distal
