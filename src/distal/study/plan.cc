#include "distal/study/plan.h"

#include <numeric>
#include <set>
#include <thread>

#include "distal/base/interrupted.h"
#include "distal/base/pattern.h"
#include "distal/base/text.h"
#include "distal/study/material.h"
#include "distal/study/run.h"
#include "distal/video/decoder.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
using InfoOf = std::function<VideoInfo(const std::string& path)>;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

// ---- what there is -----------------------------------------------------------------------------------------------------

VideoInfo generated_info(const SyntheticOptions& options) {
  VideoInfo info;
  info.width = options.width;
  info.height = options.height;
  for (int64_t frame = 0; frame < options.frames; ++frame) info.time_s.push_back(static_cast<double>(frame) / options.rate);
  info.duration_s = static_cast<double>(options.frames) / options.rate;
  return info;
}

// The rows that a list will have once its videos are generated; a list that is not generated is read.
std::vector<Row> rows_to_come(const DataOptions& data, const SyntheticSet& set, const ListOptions& list) {
  const std::filesystem::path file = list.csv;
  const std::string name = file.stem().string();
  if (file != name + ".csv" || (name != "train" && name != "pool" && name != "test"))
    return read_rows((std::filesystem::path(data.root) / file).string(), list.groups);
  const Pattern groups(list.groups, "groups");
  std::vector<Row> rows;
  for (const SyntheticVideo& video : motion_list(set, name)) {
    Row row;
    row.path = video.path, row.label = video.label, row.group = video.group, row.grouped = true;
    if (groups.found_in(row.group.str())) rows.push_back(row);
  }
  return rows;
}

// The material of videos that may not be there yet, without its readers: nothing is generated or written.
Material material_to_come(const Recipe& recipe, const InfoOf& info_of) {
  Progress quiet(Progress::Mode::quiet);  // nothing is probed
  const DataOptions& data = recipe.data;
  SyntheticSet set = data.synthetic->set;
  set.seed = static_cast<uint64_t>(recipe.seed);
  require_own_lists(data.root, set);
  const auto rows = [&](const ListOptions& list) { return rows_to_come(data, set, list); };
  Material material;
  std::vector<Row> labelled = rows(data.pool);
  for (const auto& list : {data.start, recipe.teacher ? std::optional(recipe.teacher->train) : std::nullopt}) {
    const std::vector<Row> more = list ? rows(*list) : std::vector<Row>();
    labelled.insert(labelled.end(), more.begin(), more.end());
  }
  material.classes = classes_of(labelled);
  const auto clips = [&](const ListOptions& list) { return make_clips(rows(list), data.root, recipe.clips, material.classes, info_of, quiet).clips; };
  material.pool = clips(data.pool);
  material.test = clips(data.test);
  if (data.start) material.start = clips(*data.start);
  if (recipe.teacher) material.teacher = clips(recipe.teacher->train);
  return material;
}

// ---- how long ----------------------------------------------------------------------------------------------------------

// The mean time in which a clip's frames are decoded for training, of up to five clips; 0 where none can be read.
double decode_s(Material& material, const InputOptions& input) {
  constexpr size_t kClips = 5;
  const size_t tried = std::min(kClips, material.pool.size());
  double seconds = 0, decoded = 0;
  for (size_t i = 0; i < tried; ++i) {
    Progress::check_interrupted();
    const Clip& clip = material.pool[i * material.pool.size() / tried];
    try {
      const VideoInfo info = material.reader->probe(clip.video);
      const auto began = Clock::now();
      Decoder(info).at_frames(input.sampling.candidates(info, clip, /*training=*/true), {input.cached_short_side_px()}, input.deadline_s);
      seconds += seconds_since(began);
      ++decoded;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {  // a run puts such a video aside
    }
  }
  return decoded > 0 ? seconds / decoded : 0;
}

// ---- how much ----------------------------------------------------------------------------------------------------------

std::vector<double> durations(const std::vector<Clip>& clips) {  // ascending
  std::vector<double> seconds;
  for (const Clip& clip : clips) seconds.push_back(clip.duration_s());
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

struct Bill {  // at most
  int64_t clips = 0;
  double seconds = 0;
};

Bill longest(const std::vector<double>& durations, int64_t clips) {
  return {clips, std::accumulate(durations.end() - clips, durations.end(), 0.0)};
}

// What `rounds` rounds may buy: of the longest clips where answers are counted, of the shortest where seconds are. A mix is as long as
// a clip of `source`, which the initial ones are.
Bill bill(const Recipe& recipe, const std::vector<double>& pool, const std::vector<double>& source, int64_t open, int64_t rounds) {
  if (rounds == 0) return {};
  const int64_t views = recipe.answers_per_clip, budget = static_cast<int64_t>(recipe.budget);
  const auto seen = [&](const Bill& once) { return Bill{once.clips * views, once.seconds * static_cast<double>(views)}; };
  if (recipe.mixes) return {budget * rounds, static_cast<double>(budget * rounds) * source.back()};
  if (recipe.budget < 0) return seen(longest(pool, open));
  if (recipe.selection.unit != "seconds") return seen(longest(pool, std::min(open, budget / views * rounds)));
  const double most = recipe.budget * static_cast<double>(rounds) / static_cast<double>(views);
  Bill bought{0, std::min(most, longest(pool, open).seconds)};
  for (double spent = 0; bought.clips < open && spent + pool[bought.clips] <= most + 1e-6; ++bought.clips) spent += pool[bought.clips];
  return seen(bought);
}

// Clips that the student looks at before round `round` chooses mixes.
int64_t mixes_scored(const MixesOptions& mixes, int64_t start, double budget) {
  if (mixes.criterion == "random") return 0;
  if (mixes.criterion == "unixkd") return start;
  const int64_t all = (start - 1) / 2 * start, wanted = mixes.pairs < 0 ? 20 * static_cast<int64_t>(budget) : mixes.pairs;
  return (wanted == 0 ? all : std::min(all, wanted)) * std::ssize(mixes.lambdas());
}

// Bytes of the frames that clips may leave in the cache.
int64_t frame_bytes(const std::vector<Clip>& clips, const InputOptions& input, bool training, const InfoOf& info_of) {
  std::string path;
  VideoInfo info;
  int64_t bytes = 0;
  for (const Clip& clip : clips) {
    if (path != clip.video) {
      Progress::check_interrupted();
      info = info_of(path = clip.video);
    }
    const auto [height, width] = Resize{input.cached_short_side_px()}.apply(info.height, info.width);
    bytes += std::ssize(input.sampling.candidates(info, clip, training)) * height * width * 3;
  }
  return bytes;
}

int64_t cache_bytes(const Recipe& recipe, const Material& material, bool teacher_trains, const InfoOf& info_of) {
  int64_t bytes = frame_bytes(material.pool, recipe.input, true, info_of) + frame_bytes(material.start, recipe.input, true, info_of) +
                  frame_bytes(material.test, recipe.input, false, info_of);
  if (!teacher_trains) return bytes;
  const auto& input = recipe.teacher->input;
  bytes += frame_bytes(material.teacher, input.value_or(recipe.input), true, info_of);
  if (input) bytes += frame_bytes(material.pool, *input, false, info_of) + frame_bytes(material.test, *input, false, info_of);
  return bytes;
}

// ---- all of it ---------------------------------------------------------------------------------------------------------

class Planner {
 public:
  Planner(const Experiment& experiment, Material& material, InfoOf info_of, const PaceOf& pace_of)
      : experiment_(experiment), base_(experiment.base()), material_(material), info_of_(std::move(info_of)), pace_of_(once_each(pace_of)),
        load_(load_average()), pool_s_(durations(material_.pool)), source_s_(material_.start_in_pool() ? pool_s_ : durations(material_.start)) {}

  Plan make() {
    const auto seeds = static_cast<double>(base_.seeds);
    plan_.cells = std::ssize(experiment_.arms) * base_.seeds;
    plan_.pool_s = std::accumulate(pool_s_.begin(), pool_s_.end(), 0.0);
    for (const Arm& arm : experiment_.arms) seconds_ += add_arm(arm) * seeds;
    if (base_.oracle.kind == "teacher") add_teacher();
    if (material_.reader) decoding_s_ = decode_s(material_, base_.input) * static_cast<double>(std::ssize(material_.clips()) + teacher_clips());
    plan_.price = base_.oracle.price * static_cast<double>(bought());
    plan_.minutes = (seconds_ + decoding_s_) / 60;
    plan_.cache_bytes = cache_bytes(base_, material_, teacher_clips() > 0, info_of_);
    plan_.text = text();
    return plan_;
  }

 private:
  // A step is one of the optimiser.
  Pace pace_of(const Learner& learner, const InputOptions& input) const {
    Pace pace = pace_of_(learner, input, material_.classes.size());
    pace.step_s *= static_cast<double>(learner.training.accumulate);
    return pace;
  }

  int64_t teacher_clips() const { return base_.oracle.kind == "teacher" ? std::ssize(material_.teacher) : 0; }

  // Answers are bought once, whoever asks: about filmed clips never more than there are views of them, about mixes each.
  int64_t bought(int64_t filmed_at_least = 0) const {
    const int64_t views = views_ * std::ssize(material_.pool) + std::ssize(material_.start);
    return mixes_ + std::max(filmed_at_least, std::min(plan_.answers - mixes_, views));
  }

  // A probe is fitted without steps.
  static double training_s(const Learner& learner, int64_t samples, double step_s) {
    return learner.probe ? 0 : static_cast<double>(learner.training.steps_for(samples)) * step_s;
  }

  // The seconds of one seed.
  double add_arm(const Arm& arm) {
    Progress::check_interrupted();
    const Recipe& recipe = arm.recipe;
    const int64_t start = material_.initial_clips(recipe), open = open_clips(arm, start);
    const Bill asked = bill(recipe, pool_s_, source_s_, open, recipe.rounds), asked_start = recipe.ask_start ? longest(source_s_, start) : Bill{};
    plan_.trainings += (recipe.rounds + 1) * base_.seeds;
    plan_.answers += (asked.clips + asked_start.clips) * base_.seeds;
    plan_.seconds_asked += (asked.seconds + asked_start.seconds) * static_cast<double>(base_.seeds);
    if (recipe.mixes) mixes_ += asked.clips * base_.seeds;
    views_ = std::max(views_, recipe.answers_per_clip);

    const Pace pace = pace_of(recipe.student, recipe.input);
    const double clip_s = recipe.student.backbone_frozen() ? 0 : pace.clip_s;
    if (recipe.student.backbone_frozen()) add_features(recipe.student, pace);
    const Needs needs = recipe.strategy->needs();
    const bool scores = scores_pool(recipe);
    const int64_t members = scores && needs.passes == "members" ? needs.pass_count - 1 : 0, looks = scores && needs.passes == "augmented" ? needs.pass_count : 0;
    plan_.trainings += members * recipe.rounds * base_.seeds;
    for (int64_t member = 0; member <= members; ++member) add_pretraining(recipe.student, recipe.input, fmt::format("student {}", member), base_.seeds);
    asks_about_pool_ |= scores && needs.teacher;
    const double step_s = pace.step_s + (recipe.matching ? teachers_look_s(recipe) : 0);
    double seconds = 0;
    for (int64_t round = 0; round <= recipe.rounds; ++round) {
      const int64_t samples = start + bill(recipe, pool_s_, source_s_, open, round).clips;
      if (round > 0 || first_of_its_kind(recipe, start)) seconds += training_s(recipe.student, samples, step_s);
      int64_t predicted = std::ssize(material_.test);
      if (scores && round > 0) predicted += (1 + members) * open + (needs.embeddings || needs.labelled_logits ? samples : 0);
      if (recipe.mixes && round > 0) predicted += mixes_scored(*recipe.mixes, start, recipe.budget);
      seconds += static_cast<double>(predicted) * clip_s;
      // Augmented clips have no features to look up; members learn what was known before this round.
      if (round > 0) seconds += static_cast<double>(looks * open) * pace.clip_s;
      if (round < recipe.rounds) seconds += static_cast<double>(members) * training_s(recipe.student, samples, step_s);
    }
    arms_ += fmt::format("  {:<24} {} rounds of {} {}, strategy {}, about {:.1f} min a seed\n", arm.name, recipe.rounds,
                         recipe.budget < 0 ? "all" : fmt::format("{:g}", recipe.budget), recipe.mixes ? "mixes" : recipe.selection.unit,
                         chooses_by(recipe), seconds / 60);
    return seconds;
  }

  // The teacher's network looks at every batch of the student's (Recipe::matching); one kept in a file is not timed.
  double teachers_look_s(const Recipe& recipe) {
    if (!recipe.teacher) return 0;
    return pace_of(recipe.teacher->learner, recipe.input).clip_s * static_cast<double>(recipe.student.training.batch_size);
  }

  // Clips of the pool that can be asked about. Throws Error where the rounds want more, as a run would.
  int64_t open_clips(const Arm& arm, int64_t start) const {
    const Recipe& recipe = arm.recipe;
    if (start > material_.source_clips(recipe)) fail("arm {}: start = {} exceeds the {} clips it is drawn from", arm.name, start, material_.source_clips(recipe));
    const int64_t open = material_.pool_clips(recipe) - (material_.start_in_pool() ? start : 0);
    if (recipe.mixes) return open;
    const double wanted = recipe.budget * static_cast<double>(recipe.rounds) / static_cast<double>(recipe.answers_per_clip);
    const double there = recipe.selection.unit == "seconds" ? longest(pool_s_, open).seconds : static_cast<double>(open);
    if (wanted > there) fail("arm {}: {} rounds of {:g} {} exceed the pool's {:g}; lower rounds or budget", arm.name, recipe.rounds, recipe.budget, recipe.selection.unit, there);
    return open;
  }

  // Arms that begin alike share their first student.
  bool first_of_its_kind(const Recipe& recipe, int64_t start) {
    Learner learner = recipe.student;
    Choice<DistillLoss> loss = recipe.loss;
    const bool used = recipe.ask_start || (loss.method && !loss.method->needs_teacher());
    return firsts_.insert(fmt::format("{} {} {} {}", resolved(learner), start, recipe.start_draw, used ? resolved(loss) : "")).second;
  }

  // Once for each network and seed, on the pool, with nothing frozen: a step goes over the clips of its own batch, once a task where
  // all are drawn, and without a gradient over their keys.
  void add_pretraining(Learner learner, const InputOptions& input, const std::string& network, int64_t seeds) {
    if (!learner.pretext) return;
    PretextOptions pretext = *learner.pretext;
    learner.pretext.reset();
    learner.model.freeze.clear(), learner.probe = false;
    ModelOptions model = learner.model;
    if (!pretrained_.insert(network + resolved(model) + resolved(pretext)).second) return;
    learner.training = pretext.training;
    const double passes = (pretext.draw == "all" ? static_cast<double>(pretext.tasks.size()) : 1) + (pretext.contrasts() ? 0.4 : 0);
    seconds_ += static_cast<double>(seeds * pretext.training.steps_for(std::ssize(pool_s_))) * pace_of(learner, input).step_s * passes;
  }

  // A frozen backbone sees each clip once; one with random weights is another for every seed.
  void add_features(const Learner& learner, const Pace& pace) {
    ModelOptions model = learner.model;
    if (!featured_.insert(resolved(model)).second) return;
    const double passes = model.init.empty() ? static_cast<double>(base_.seeds) : 1;
    seconds_ += passes * static_cast<double>(std::ssize(material_.clips())) * pace.clip_s;
  }

  void add_teacher() {
    const Learner& learner = base_.teacher->learner;
    const InputOptions input = base_.teacher->input.value_or(base_.input);
    const Pace pace = pace_of(learner, input);
    const int64_t answers = bought(asks_about_pool_ ? std::ssize(material_.pool) : 0);
    add_pretraining(learner, input, "teacher", 1);
    seconds_ += training_s(learner, teacher_clips(), pace.step_s);
    seconds_ += static_cast<double>(std::ssize(material_.test) + answers + (learner.backbone_frozen() ? teacher_clips() : 0)) * pace.clip_s;
  }

  std::string text() const {
    std::string besides = material_.reader ? fmt::format(", of them {:.0f} to decode", decoding_s_ / 60) : ", besides generating and decoding the videos";
    if (base_.oracle.kind != "teacher" && base_.oracle.kind != "truth") besides += ", besides the time of the oracle";
    std::string text = fmt::format(
        "{}: {} classes; {} clips in the pool ({:.0f} s), {} to start from ({}), {} to test on\n{}"
        "  {} runs, {} trainings, at most {} answers ({:.0f} s of video, price at most {:.2f})\n"
        "  about {:.0f} minutes on {}{}; up to {:.1f} GB of cached frames\n",
        experiment_.name, material_.classes.size(), pool_s_.size(), plan_.pool_s, source_s_.size(), experiment_.start_words(), material_.test.size(), arms_, plan_.cells,
        plan_.trainings, plan_.answers, plan_.seconds_asked, plan_.price, plan_.minutes, machine_line(), besides, static_cast<double>(plan_.cache_bytes) / 1e9);
    if (base_.oracle.kind == "torchscript") text += fmt::format("  {}\n", executes_code(base_.oracle.path));
    if (const auto busy = busy_sentence(load_, std::thread::hardware_concurrency()); !busy.empty()) text += fmt::format("  {}\n", busy);
    for (const auto& video : material_.quarantined) text += fmt::format("  cannot be used: {}: {}\n", video.path, video.reason);
    return printable_lines(text);  // names of files, of the recipe and of its arms
  }

  const Experiment& experiment_;
  const Recipe& base_;
  Material& material_;
  InfoOf info_of_;
  PaceOf pace_of_;
  double load_;                            // before this program's own
  std::vector<double> pool_s_, source_s_;  // of each clip, ascending
  std::set<std::string> firsts_, featured_, pretrained_;
  int64_t mixes_ = 0, views_ = 1;  // mixes that are asked about, of plan_.answers; most answers_per_clip of an arm
  bool asks_about_pool_ = false;  // a strategy looks at a free teacher's answers
  double seconds_ = 0, decoding_s_ = 0;
  std::string arms_;
  Plan plan_;
};

}  // namespace

Plan plan(const Experiment& experiment, Progress& progress) {
  const EndAtOnce makes_nothing;
  return plan(experiment, progress, quickest_pace);
}

Plan plan(const Experiment& experiment, Progress& progress, const PaceOf& pace_of) {
  const Recipe& recipe = experiment.base();
  if (!recipe.data.synthetic) {
    Material material = open_material(experiment, progress);
    return plan(experiment, material, pace_of);
  }
  const auto info_of = [info = generated_info(recipe.data.synthetic->set.video)](const std::string&) { return info; };
  Material material = material_to_come(recipe, info_of);
  return Planner(experiment, material, info_of, pace_of).make();
}

Plan plan(const Experiment& experiment, Material& material, const PaceOf& pace_of) {
  return Planner(experiment, material, [&](const std::string& path) { return material.reader->probe(path); }, pace_of).make();
}

}  // namespace distal
