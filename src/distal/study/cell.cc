#include "distal/study/cell.h"

#include <charconv>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/revision.h"
#include "distal/base/text.h"
#include "distal/evaluation/metrics.h"
#include "distal/models/weights.h"
#include "distal/study/mixing.h"
#include "distal/study/pool_scores.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;

class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - began_).count(); }

 private:
  double& seconds_;
  Clock::time_point began_ = Clock::now();
};

// `count` clips, even over the classes as far as they go, in an order that depends on `random` alone.
std::vector<Clip> balanced_draw(const ClipRefs& clips, int64_t count, int64_t classes, Random random) {
  if (count < 0 || count >= std::ssize(clips)) return copies_of(clips);
  std::vector<ClipRefs> by_class(classes);
  for (const int64_t row : random.permutation(std::ssize(clips))) by_class[clips[row]->label].push_back(clips[row]);
  const std::vector<int64_t> order = random.permutation(classes);
  std::vector<Clip> drawn;
  for (size_t depth = 0; static_cast<int64_t>(drawn.size()) < count; ++depth)
    for (const int64_t k : order)
      if (depth < by_class[k].size() && static_cast<int64_t>(drawn.size()) < count) drawn.push_back(*by_class[k][depth]);
  return drawn;
}

std::vector<float> one_hot(int64_t label, int64_t classes) {
  std::vector<float> target(classes, 0);
  target.at(label) = 1;
  return target;
}

// Clips that a pool of `size` leaves out: the same for every arm of a seed, fewer for a larger pool.
std::set<std::string> outside(const std::vector<Clip>& pool, int64_t size, Random random) {
  std::set<std::string> keys;
  if (size < 0) return keys;
  const std::vector<int64_t> order = random.permutation(std::ssize(pool));
  for (int64_t i = size; i < std::ssize(order); ++i) keys.insert(pool[order[i]].key());
  return keys;
}

// Each clip, and after it its fixed views.
std::vector<Clip> with_views(const std::vector<Clip>& clips, int64_t answers) {
  std::vector<Clip> all;
  for (Clip clip : clips)
    for (clip.view = 0; clip.view < answers; ++clip.view) all.push_back(clip);
  return all;
}

ClipRefs open_pool(const Material& material, const Known& known) {
  ClipRefs open;
  open.reserve(material.pool.size());
  for (const Clip& clip : material.pool)
    if (!known.closed.contains(clip.key())) open.push_back(&clip);
  return open;
}

void reserve(Workbench& bench, const Store::Run& run, int64_t round, const std::vector<Clip>& clips, const Recipe& recipe, double price) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  std::vector<std::string> keys;
  std::vector<double> seconds, prices(clips.size(), price);
  for (const Clip& clip : clips) {
    keys.push_back(clip.key());
    seconds.push_back(clip.duration_s());
  }
  // The initial answers are given; each round may spend its own budget, and what an earlier one left over.
  const Store::Spent spent = bench.store.spent(run.id, bench.oracle.answerer());
  const bool in_seconds = recipe.selection.unit == "seconds";
  const bool limited = round > 0 && recipe.budget >= 0;
  const double max_answers = limited && !in_seconds ? static_cast<double>(spent.answers) + recipe.budget : kNone;
  const double max_seconds = limited && in_seconds ? spent.seconds + recipe.budget : kNone;
  bench.store.reserve(run.id, bench.oracle.answerer(), round, keys, seconds, prices, max_answers, max_seconds, kNone);
}

// What a round reserved before, of what can be used by now.
std::vector<Clip> reserved_clips(const Workbench& bench, const Store::Run& run, int64_t round) {
  const std::vector<std::string> before = bench.store.reserved(run.id, round);
  std::vector<Clip> clips;
  if (before.empty()) return clips;
  const FilmedClips filmed = bench.material.filmed();
  for (const std::string& key : before)
    if (const auto clip = find_clip(key, filmed)) clips.push_back(*clip);
  return clips;
}

// An event of a run, once.
void keep(Store& store, int64_t run, const std::string& kind, const std::string& text) {
  const auto events = store.events(run);
  const auto same = [&](const Store::Event& event) { return event.kind == kind && event.text == text; };
  if (std::none_of(events.begin(), events.end(), same)) store.event(run, kind, text);
}

// Classes that the initial clips hold none of, as a random draw may: the report tells.
void note_unseen(Workbench& bench, const Store::Run& run, const std::vector<Clip>& clips) {
  const Classes& classes = bench.material.classes;
  std::vector<bool> seen(classes.size(), false);
  for (const Clip& clip : clips) seen.at(clip.label) = true;
  for (int64_t k = 0; !clips.empty() && k < classes.size(); ++k)
    if (!seen[k]) keep(bench.store, run.id, "unseen", fmt::format("{}: {}", run.seed, classes.names[k]));
}

std::string in_round(int64_t round) { return fmt::format(" in round {}", round); }

// The number of an event `N in round R` of that round.
int64_t count_in(const Store::Run& run, const Store::Event& event, int64_t round) {
  int64_t count = 0;
  const char *begin = event.text.data(), *end = begin + event.text.size() - in_round(round).size();
  if (const auto read = std::from_chars(begin, end, count); read.ec != std::errc() || read.ptr != end) refuse_event(run.id, event, "a number and its round");
  return count;
}

std::string student_file(const Workbench& bench, const Arm& arm) { return fmt::format("{}/{}.safetensors", bench.folder, slug(arm.name)); }

// Whether the file is the student that the run had after the round, whoever trained it. One that cannot be read, as in a folder of somebody else, is not.
bool is_student(const std::string& path, const std::vector<Store::Event>& events, int64_t round) {
  std::error_code out_of_reach;
  if (!std::filesystem::is_regular_file(path, out_of_reach)) return false;
  std::string wanted;
  try {
    wanted = content_id(path) + in_round(round);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    return false;
  }
  return std::any_of(events.begin(), events.end(), [&](const Store::Event& event) { return event.kind == "student" && event.text == wanted; });
}

// What a run's results depend on: its arm, the clips, who answers (whose version covers the teacher), the program.
uint64_t run_hash(Workbench& bench, Recipe recipe) {
  recipe.seed = 0;
  recipe.data.root.clear();
  return fnv1a(essence(recipe) + bench.material.lists_id + bench.oracle.version() + revision());
}

}  // namespace

void refuse_event(int64_t run, const Store::Event& event, const char* wanted) {
  fail("--store: event '{}' of run {}, {}, is '{}', not {}; somebody changed it: restore a copy, or give another --store", event.kind, run, event.time, excerpt(event.text), wanted);
}

std::vector<Clip> initial_draw(const ClipRefs& clips, const Recipe& recipe, int64_t classes, Random random) {
  if (recipe.start_draw != "random") return balanced_draw(clips, recipe.start, classes, random);
  if (recipe.start < 0 || recipe.start >= std::ssize(clips)) return copies_of(clips);
  std::vector<Clip> drawn;
  for (const int64_t row : random.choose(std::ssize(clips), recipe.start)) drawn.push_back(*clips[row]);
  return drawn;
}

std::vector<Clip> Known::clips() const {
  return copies_of(refs_of(samples));
}

Store::Run begin(Workbench& bench, const Arm& arm, int64_t seed) {
  const std::string key = fmt::format("{:016x}-{}-{}", run_hash(bench, arm.recipe), arm.name, seed);
  return bench.store.begin_or_continue(key, bench.experiment.name + "/" + arm.name, seed, arm.resolved, revision());
}

Known start(Workbench& bench, const Arm& arm, const Store::Run& run, Random random, RoundResult& result) {
  const Material& material = bench.material;
  Known known;
  known.closed = outside(material.pool, arm.recipe.pool_size, random.stream("pool"));
  const auto source = material.start_in_pool() ? open_pool(material, known) : refs_of(material.start);
  std::vector<Clip> clips = reserved_clips(bench, run, 0);  // a start that was drawn stands, whatever can be read of the pool by now
  if (clips.empty()) clips = initial_draw(source, arm.recipe, material.classes.size(), random);
  reserve(bench, run, 0, clips, arm.recipe, arm.recipe.ask_start ? bench.oracle.price() : 0);
  for (const Clip& clip : clips) {
    known.samples.push_back({clip, one_hot(clip.label, material.classes.size())});
    known.closed.insert(clip.key());
  }
  note_unseen(bench, run, clips);
  if (!arm.recipe.ask_start) return known;
  const Stopwatch watch(result.ask_s);
  const auto answers = bench.oracle.ask(clips);
  for (size_t i = 0; i < clips.size(); ++i) known.samples[i].teacher.assign(answers[i].begin(), answers[i].end());
  return known;
}

std::vector<Clip> choose(Workbench& bench, const Arm& arm, const Store::Run& run, Known& known, int64_t round,
                         const std::function<Model()>& student, Random random, RoundResult& result) {
  const Recipe& recipe = arm.recipe;
  ClipRefs open = open_pool(bench.material, known);
  std::vector<Clip> picks;
  if (!bench.store.reserved(run.id, round).empty()) {
    picks = reserved_clips(bench, run, round);
    for (const Store::Event& event : bench.store.events(run.id))
      if (event.kind == "forwards" && event.text.ends_with(in_round(round))) result.forwards = count_in(run, event, round);
    return picks;
  }
  if (recipe.mixes) {
    const Model net = scores(recipe) ? student() : nullptr;  // outside the stopwatch, as below
    const Stopwatch watch(result.score_s);
    picks = choose_mixes(bench, recipe, net, known, random, result);
    keep(bench.store, run.id, "forwards", fmt::format("{}{}", result.forwards, in_round(round)));
  } else if (recipe.budget < 0) {
    picks = copies_of(open);
  } else {
    const Model net = scores_pool(recipe) ? student() : nullptr;  // outside the stopwatch: training has its own
    ScoredPool pool;
    {
      const Stopwatch watch(result.score_s);
      pool = score_pool(bench, recipe, net, known, std::move(open), Random(static_cast<uint64_t>(run.seed)), fmt::format("{} seed {} round {}", arm.name, run.seed, round));
    }
    const Stopwatch watch(result.select_s);
    const torch::Tensor rows = select(*recipe.strategy, pool.scores, recipe.budget / static_cast<double>(recipe.answers_per_clip), recipe.selection, random);
    for (int64_t i = 0; i < rows.size(0); ++i) picks.push_back(*pool.clips[rows[i].item<int64_t>()]);
  }
  picks = with_views(picks, recipe.answers_per_clip);
  reserve(bench, run, round, picks, recipe, bench.oracle.price());
  return picks;
}

void add_answers(Workbench& bench, const std::vector<Clip>& picks, Known& known, RoundResult& result) {
  const Stopwatch watch(result.ask_s);
  const auto answers = bench.oracle.ask(picks);
  int64_t right = 0, answered = 0;
  for (size_t i = 0; i < picks.size(); ++i) {
    known.closed.insert(picks[i].key());
    if (answers[i].empty()) continue;  // unreadable for the teacher: quarantined, not learned from
    Sample sample{picks[i]};
    (bench.oracle.is_teacher() ? sample.teacher : sample.target).assign(answers[i].begin(), answers[i].end());
    right += sample.likely() == picks[i].label;
    answered += picks[i].label >= 0;
    known.samples.push_back(std::move(sample));
  }
  if (answered > 0) result.answer_accuracy = static_cast<double>(right) / static_cast<double>(answered);
}

void keep_student(Workbench& bench, const Arm& arm, const Store::Run& run, int64_t round, const Net& student) {
  if (round < arm.recipe.rounds || run.seed != arm.recipe.seed) return;
  InputOptions input = arm.recipe.input;
  const std::string path = student_file(bench, arm);
  save_model(path, student, side_json(arm.recipe.student.model, bench.material.classes.names, resolved(input)));
  keep(bench.store, run.id, "student", content_id(path) + in_round(round));
  keep(bench.store, run.id, "student at", std::filesystem::absolute(path).lexically_normal().string());
}

bool lacks_student(const Workbench& bench, const Arm& arm, const Store::Run& run) {
  if (!bench.collects || run.seed != arm.recipe.seed) return false;
  return !is_student(student_file(bench, arm), bench.store.events(run.id), arm.recipe.rounds);
}

bool take_student(Workbench& bench, const Arm& arm, const Store::Run& run) {
  const auto events = bench.store.events(run.id);
  std::string damage;
  for (const Store::Event& event : events) {
    if (event.kind != "student at" || !is_student(event.text, events, arm.recipe.rounds)) continue;
    try {
      const SavedModel student = load_model(event.text);
      save_model(student_file(bench, arm), *student.net, student.side_json);
      if (!lacks_student(bench, arm, run)) return true;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      damage = error.what();
    }
  }
  if (!damage.empty()) bench.progress.say(fmt::format("{}; {} is trained again", damage, arm.name));
  return false;
}

Model teachers_network(const Workbench& bench, const Recipe& recipe) {
  if (!recipe.matching) return nullptr;
  const TeacherOptions& oracle = recipe.oracle;
  return load_model(oracle.kind == "model" ? oracle.path : bench.folder + "/teacher.safetensors").net;
}

Model train_student(Workbench& bench, const Arm& arm, const Store::Run& run, const Known& known, int64_t round, RoundResult& result) {
  const Stopwatch watch(result.train_s);
  return bench.learning.train(arm.recipe.student, arm.recipe.loss, known.samples, Random(static_cast<uint64_t>(run.seed)).stream("student"),
                              fmt::format("{} seed {} round {}", arm.name, run.seed, round), teachers_network(bench, arm.recipe));
}

void measure_student(Workbench& bench, const Arm& arm, Net& student, RoundResult& result) {
  const Stopwatch watch(result.evaluate_s);
  const Predictions test = bench.learning.predict(student, arm.recipe.student, bench.material.test);
  result.metrics = measure(test.logits, test.rows, bench.material.test);
}

void finish_round(Workbench& bench, const Arm& arm, const Store::Run& run, const std::vector<Clip>& picks, RoundResult& result) {
  const Store::Spent spent = bench.store.spent(run.id, bench.oracle.answerer());
  result.answers = spent.answers;
  result.seconds = spent.seconds;
  result.price = spent.price;
  for (const auto& text : bench.learning.take_notes()) keep(bench.store, run.id, "note", text);
  for (const Quarantined& video : bench.material.quarantine()) keep(bench.store, run.id, "quarantined", video.path + "\n" + video.reason);
  nlohmann::json asked = nlohmann::json::array();
  for (const Clip& clip : picks) asked.push_back(clip.key());
  bench.store.put_round(run.id, {result.round, result.answers, result.seconds, result.price, to_json(result), asked.dump()});
  bench.progress.say(fmt::format("{} seed {} round {}: {} answers, {:.0f} s of video, accuracy {:.4f}", arm.name, run.seed, result.round,
                                 result.answers, result.seconds, result.metrics.accuracy));
}

TaughtBy make_teacher(const Experiment& experiment, Material& material, const RunPlace& place, Progress& progress) {
  const Recipe& recipe = experiment.base();
  const TeacherOptions& oracle = recipe.oracle;
  const int64_t classes = material.classes.size();
  if (oracle.kind == "truth") return {nullptr, "hidden truth: the benchmark's own labels"};
  const auto say = [&progress](const std::string& line) { progress.say(line); };
  if (oracle.kind == "torchscript") {
    say(executes_code(oracle.path));
    return {torchscript_teacher(oracle, classes, say), "TorchScript file " + oracle.path};
  }
  if (oracle.kind == "http") return {http_teacher(oracle, classes, say), "endpoint " + oracle.url};
  if (oracle.kind == "model") {
    const SavedModel saved = load_model(oracle.path);
    if (saved.classes != material.classes.names)
      fail("oracle.path: {}: its classes ({}) are not those of the lists ({}); a teacher must know them all, in the same order", oracle.path,
           fmt::join(saved.classes, ", "), fmt::join(material.classes.names, ", "));
    return {teacher_of(saved.net, content_id(oracle.path), classes), "model " + oracle.path};
  }
  const Learner& learner = recipe.teacher->learner;
  const auto clips = [&] {
    std::vector<Clip> all = material.teacher;
    all.insert(all.end(), material.test.begin(), material.test.end());
    return all;
  };
  Learning learning(material.teachers_reader(), material.classes, clips, (place.shared.empty() ? place.folder : place.shared) + "/unfinished", progress);
  learning.pretrain_on([&] { return material.pool; }, recipe.cache);
  std::vector<Sample> samples;
  for (const Clip& clip : material.teacher) samples.push_back({clip, one_hot(clip.label, classes)});
  const Model net = learning.train(learner, {}, samples, Random(static_cast<uint64_t>(recipe.seed)).stream("teacher"), "teacher");
  const Predictions test = learning.predict(*net, learner, material.test);
  const double accuracy = measure(test.logits, test.rows, material.test).accuracy;
  InputOptions input = recipe.teacher->input.value_or(recipe.input);
  const std::string path = place.folder + "/teacher.safetensors";
  save_model(path, *net, side_json(learner.model, material.classes.names, resolved(input)));
  progress.say(fmt::format("teacher: test accuracy {:.4f}, trained on {} clips", accuracy, samples.size()));
  return {teacher_of(net, content_id(path), classes),
          fmt::format("{} trained on {} clips of other source videos", learner.model.backbone.name, samples.size()), accuracy};
}

}  // namespace distal
