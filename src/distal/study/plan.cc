#include "distal/study/plan.h"

#include <numeric>
#include <thread>

#include "distal/base/interrupted.h"
#include "distal/base/pattern.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/base/text.h"
#include "distal/study/describe.h"
#include "distal/study/held_out.h"
#include "distal/study/simulation.h"
#include "distal/study/trial.h"
#include "distal/video/decoder.h"

namespace distal {
namespace {

using Clock = std::chrono::steady_clock;
using InfoOf = std::function<VideoInfo(const std::string& path)>;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

// ---- what there is

VideoInfo generated_info(const SyntheticOptions& options) {
  VideoInfo info;
  info.width = options.width;
  info.height = options.height;
  for (int64_t frame = 0; frame < options.frames; ++frame)
    info.time_s.push_back(static_cast<double>(frame) / options.rate);
  info.duration_s = static_cast<double>(options.frames) / options.rate;
  return info;
}

// The rows that a list will have once its videos are generated; a list that is not generated is
// read.
std::vector<Row> rows_to_come(const DataOptions& data, const SyntheticSet& set,
                              const ListOptions& list) {
  const std::filesystem::path file = list.csv;
  const std::string name = file.stem().string();
  if (file != name + ".csv" || (name != "train" && name != "pool" && name != "test"))
    return read_rows((std::filesystem::path(data.root) / file).string(), list.groups);
  const Pattern groups(list.groups, "groups");
  std::vector<Row> rows;
  for (const SyntheticVideo& video : motion_list(set, name)) {
    Row row;
    row.path = video.path;
    row.label = video.label;
    row.group = video.group;
    row.grouped = true;
    if (groups.found_in(row.group.str())) rows.push_back(row);
  }
  return rows;
}

// The dataset of videos that may not be there yet, without its readers: nothing is generated or
// written.
Dataset dataset_to_come(const SharedOptions& shared, const InfoOf& info_of) {
  ConsoleProgress quiet(ConsoleProgress::Mode::quiet);  // nothing is probed
  const DataOptions& data = shared.data;
  const SyntheticSet set = data.synthetic->videos(shared.seed);
  require_own_lists(data.root, set);
  const auto rows = [&](const ListOptions& list) { return rows_to_come(data, set, list); };
  Dataset dataset;
  std::vector<Row> labelled = rows(data.pool);
  for (const auto& list :
       {data.start, shared.teacher ? std::optional(shared.teacher->train) : std::nullopt}) {
    const std::vector<Row> more = list ? rows(*list) : std::vector<Row>();
    labelled.insert(labelled.end(), more.begin(), more.end());
  }
  dataset.classes = classes_of(labelled);
  const auto clips = [&](const ListOptions& list) {
    return make_clips(rows(list), data.root, shared.clips, dataset.classes, info_of, quiet).clips;
  };
  dataset.pool = clips(data.pool);
  dataset.test = clips(data.test);
  if (data.start) dataset.start = clips(*data.start);
  if (shared.teacher) dataset.teacher = clips(shared.teacher->train);
  return dataset;
}

// ---- how long

// The mean time in which a clip's frames are decoded for training, of up to five clips; 0 where
// none can be read.
double decode_s(Dataset& dataset, const InputOptions& input) {
  constexpr size_t kClips = 5;
  const size_t tried = std::min(kClips, dataset.pool.size());
  double seconds = 0;
  double decoded = 0;
  for (size_t i = 0; i < tried; ++i) {
    check_interrupted();
    const Clip& clip = dataset.pool[i * dataset.pool.size() / tried];
    try {
      const VideoInfo info = dataset.reader->probe(clip.video);
      const auto began = Clock::now();
      Decoder(info).at_frames(input.sampling.candidates(info, clip, /*training=*/true),
                              {input.cached_short_side_px()}, input.deadline_s);
      seconds += seconds_since(began);
      ++decoded;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {  // a run puts such a video aside
    }
  }
  return decoded > 0 ? seconds / decoded : 0;
}

// ---- how much

// Bytes of the frames that clips may leave in the cache.
int64_t frame_bytes(const std::vector<Clip>& clips, const InputOptions& input, bool training,
                    const InfoOf& info_of) {
  std::string path;
  VideoInfo info;
  int64_t bytes = 0;
  for (const Clip& clip : clips) {
    if (path != clip.video) {
      check_interrupted();
      info = info_of(path = clip.video);
    }
    const auto [height, width] =
        Resize{input.cached_short_side_px()}.apply(info.height, info.width);
    bytes += std::ssize(input.sampling.candidates(info, clip, training)) * height * width * 3;
  }
  return bytes;
}

int64_t cache_bytes(const SharedOptions& shared, const Dataset& dataset, bool teacher_trains,
                    const InfoOf& info_of) {
  int64_t bytes = frame_bytes(dataset.pool, shared.input, true, info_of) +
                  frame_bytes(dataset.start, shared.input, true, info_of) +
                  frame_bytes(dataset.test, shared.input, false, info_of);
  if (!teacher_trains) return bytes;
  const auto& input = shared.teacher->input;
  bytes += frame_bytes(dataset.teacher, input.value_or(shared.input), true, info_of);
  if (input)
    bytes += frame_bytes(dataset.pool, *input, false, info_of) +
             frame_bytes(dataset.test, *input, false, info_of);
  return bytes;
}

// ---- all of it

// ---- at what cost

std::vector<double> durations(const std::vector<Clip>& clips) {  // ascending
  std::vector<double> seconds;
  for (const Clip& clip : clips) seconds.push_back(clip.duration_s());
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

double longest_s(const std::vector<double>& durations, int64_t clips) {
  return std::accumulate(durations.end() - clips, durations.end(), 0.0);
}

// How many of the cheapest clips `seconds` buy, of `open` at most; `costs` rise.
int64_t shortest_in(const std::vector<double>& costs, double seconds, int64_t open) {
  int64_t clips = 0;
  for (double spent = 0; clips < open && spent + costs[clips] <= seconds + 1e-6; ++clips)
    spent += costs[clips];
  return clips;
}

struct Cost {
  int64_t answers = 0;
  double seconds = 0;  // of video watched
};

using SecondsOf = std::function<double(double clip_seconds)>;  // of people's time

double people_s(const std::vector<double>& durations, int64_t clips, const SecondsOf& each) {
  double seconds = 0;
  for (auto clip = durations.end() - clips; clip != durations.end(); ++clip) seconds += each(*clip);
  return seconds;
}

// What one trial asks about at most, whichever clips it chooses: no single simulation could show
// that. `asks_start`: about the initial clips too. `pool`, `source`: durations of the clips of the
// pool and of those that the initial ones are drawn from.
Cost most_asked(const ArmOptions& arm, bool asks_start, const std::vector<double>& pool,
                const std::vector<double>& source, int64_t initial, int64_t open,
                const SecondsOf& of_people) {
  Cost most;
  if (asks_start) most = {initial, longest_s(source, initial)};
  if (arm.rounds == 0) return most;
  const auto add = [&](int64_t answers, double seconds) {
    most.answers += answers;
    most.seconds += seconds;
  };
  const int64_t views = arm.answers_per_clip;
  const int64_t counted = static_cast<int64_t>(arm.budget) / views * arm.rounds;
  if (arm.mixes) {  // as long as an initial clip
    add(counted, static_cast<double>(counted) * source.back());
  } else if (arm.selection.unit == "seconds" && arm.budget > 0) {
    const double round_s = arm.budget / static_cast<double>(views);
    const double all_s = round_s * static_cast<double>(arm.rounds);
    const int64_t clips =
        std::min(arm.rounds * shortest_in(pool, round_s, open), shortest_in(pool, all_s, open));
    add(clips * views, arm.budget * static_cast<double>(arm.rounds));
  } else if (arm.selection.unit == "minutes" && arm.budget > 0) {
    std::vector<double> costs;
    for (const double seconds : pool) costs.push_back(of_people(seconds));
    const int64_t clips = std::min(open, arm.rounds * shortest_in(costs, 60 * arm.budget, open));
    add(clips, longest_s(pool, clips));
  } else {
    const int64_t clips = arm.budget < 0 ? open : std::min(open, counted);
    add(clips * views, longest_s(pool, clips) * static_cast<double>(views));
  }
  return most;
}

// ---- all of it

// Runs the loop of every arm once, with everything that takes time or money simulated.
class Planner {
 public:
  Planner(const Study& study, Dataset& dataset, InfoOf info_of, const PaceOf& pace_of,
          Progress& progress)
      : study_(study),
        shared_(study.shared),
        progress_(progress),
        dataset_(dataset),
        pool_s_(durations(dataset.pool)),
        source_s_(dataset.start_in_pool() ? pool_s_ : durations(dataset.start)),
        info_of_(std::move(info_of)),
        load_(load_average()),
        pace_of_(once_each(pace_of)),
        trainer_(shared_.input, dataset.classes.size(), std::ssize(dataset.clips()),
                 std::ssize(dataset.pool), pace_of_),
        teacher_(shared_.teacher_input(), dataset.classes.size(),
                 std::ssize(dataset.teacher) + std::ssize(dataset.test), std::ssize(dataset.pool),
                 pace_of_) {}

  Plan make() {
    const auto seeds = static_cast<double>(shared_.seeds);
    plan_.cells = std::ssize(study_.arms) * shared_.seeds;
    plan_.pool_s = std::accumulate(pool_s_.begin(), pool_s_.end(), 0.0);
    add_held_out();
    progress_.begin("simulating trials", std::ssize(study_.arms), "arms");
    for (const Arm& arm : study_.arms) {
      simulate(arm);
      add_cost(arm.options);
      progress_.step(&arm - study_.arms.data() + 1);
    }
    progress_.end();
    plan_.trainings = trainer_.trainings() * shared_.seeds;
    if (has_own_teacher()) simulate_teacher();
    const bool decodes = reads_frames();
    if (dataset_.reader && decodes)
      decoding_s_ = decode_s(dataset_, shared_.input) *
                    static_cast<double>(std::ssize(dataset_.clips()) + teacher_clips());
    plan_.price = shared_.oracle.asked_first().price * static_cast<double>(bought());
    if (shared_.oracle.mixed())
      plan_.price += shared_.oracle.then->price * static_cast<double>(bought_of_second());
    plan_.minutes = (seeds * trainer_.seconds() + trainer_.shared_seconds() + teacher_.seconds() +
                     teacher_.shared_seconds() + decoding_s_) /
                    60;
    if (decodes) plan_.cache_bytes = cache_bytes(shared_, dataset_, teacher_clips() > 0, info_of_);
    plan_.text = text();
    return plan_;
  }

 private:
  // Of whoever of the oracles are people.
  double person_seconds(double clip_seconds) const {
    double seconds = 0;
    for (const OracleOptions* part : shared_.oracle.parts())
      seconds += part->kind->person_seconds(clip_seconds);
    return seconds;
  }
  bool has_own_teacher() const {
    return shared_.oracle.any([](const OracleTraits& traits) { return traits.trained_here; });
  }
  // Of a student or of an oracle that computes.
  bool reads_frames() const {
    const auto student = [](const Arm& arm) {
      return arm.options.student.reads_frames() ||
             (arm.options.uses_embeddings() && arm.options.embeddings->network);
    };
    return std::any_of(study_.arms.begin(), study_.arms.end(), student) ||
           shared_.oracle.is_teacher();
  }
  // People say what the initial clips show where no list does.
  bool people_start() const { return shared_.oracle.people() && dataset_.start_in_pool(); }
  int64_t teacher_clips() const { return has_own_teacher() ? std::ssize(dataset_.teacher) : 0; }

  // Answers are bought once, whoever asks: about filmed clips never more than there are views of
  // them, about mixes each.
  int64_t bought(int64_t filmed_at_least = 0) const {
    const int64_t views = views_ * std::ssize(dataset_.pool) + std::ssize(dataset_.start);
    const int64_t held_out = shared_.oracle.mixed() ? 0 : held_out_;
    return mixes_ + held_out +
           std::max(filmed_at_least, std::min(plan_.answers - held_out - mixes_, views));
  }
  int64_t bought_of_second() const {
    const int64_t views = views_ * std::ssize(dataset_.pool) + std::ssize(dataset_.start);
    return held_out_ + std::min(plan_.then_answers - held_out_, mixes_ + views);
  }

  // Before the simulation labels them.
  void add_held_out() {
    for (const Clip& clip : dataset_.test) {
      if (clip.label >= 0) continue;
      ++held_out_;
      plan_.seconds_asked += clip.duration_s();
      test_s_ += person_seconds(clip.duration_s());
    }
    (shared_.oracle.mixed() ? plan_.then_answers : plan_.answers) += held_out_;
  }

  void simulate(const Arm& arm) {
    Arm simulated_arm = arm;
    ArmOptions& options = simulated_arm.options;
    options.strategy.method = simulated(*arm.options.strategy);
    if (options.draws_start_by_features()) {
      trainer_.score(*trainer_.untrained(options.student), options.student, refs_of(dataset_.pool));
      options.start_draw = "random";
    }
    SimulatedSource oracle(shared_.oracle.asked_first(), dataset_.classes.size());
    label_test_set(dataset_, oracle);  // people may have to
    SimulatedRecord record(shared_.seed);
    ConsoleProgress quiet(ConsoleProgress::Mode::quiet);
    const auto teacher = [&] {
      return shared_.teacher ? teacher_.untrained(shared_.teacher->learner) : nullptr;
    };
    const double before_s = trainer_.seconds();
    trainer_.begin(arm.name, dataset_.initial_clips(options));
    run_rounds({study_, dataset_, trainer_, oracle, "", false, teacher, quiet}, simulated_arm,
               record);
    arms_ += fmt::format("  {:<24} {} rounds of {} {}, strategy {}, about {:.1f} min a seed\n",
                         arm.name, options.rounds,
                         options.budget < 0 ? "all" : fmt::format("{:g}", options.budget),
                         options.mixes ? "mixes" : options.selection.unit, arm.options.criterion(),
                         (trainer_.seconds() - before_s) / 60);
  }

  void add_cost(const ArmOptions& arm) {
    const int64_t initial = dataset_.initial_clips(arm);
    const bool mixed = shared_.oracle.mixed();
    const bool asks_start = arm.ask_start || people_start();
    const auto of_people = [&](double clip_seconds) { return person_seconds(clip_seconds); };
    const Cost most =
        most_asked(arm, asks_start, pool_s_, source_s_, initial,
                   dataset_.pool_clips(arm) - (dataset_.start_in_pool() ? initial : 0), of_people);
    const int64_t in_rounds = most.answers - (asks_start ? initial : 0);
    const bool first_asked = arm.ask_start || (asks_start && !mixed);
    plan_.answers += (in_rounds + (first_asked ? initial : 0)) * shared_.seeds;
    plan_.seconds_asked += most.seconds * static_cast<double>(shared_.seeds);
    const int64_t asked_then = mixed ? second_in_rounds(arm, in_rounds) : in_rounds;
    if (mixed) plan_.then_answers += ((people_start() ? initial : 0) + asked_then) * shared_.seeds;
    if (shared_.oracle.people())
      add_people(arm, people_start() ? initial : 0, asked_then, of_people);
    if (arm.mixes) mixes_ += static_cast<int64_t>(arm.budget) * arm.rounds * shared_.seeds;
    views_ = std::max(views_, arm.answers_per_clip);
    asks_about_pool_ |= arm.scores_pool() && arm.strategy->needs().teacher;
  }

  // What the second oracle is asked by a trial of an arm in its rounds.
  int64_t second_in_rounds(const ArmOptions& arm, int64_t in_rounds) const {
    const double each = shared_.oracle.then->price;
    const SecondLimit limit = shared_.oracle.limit.value_or(SecondLimit());
    int64_t most = std::min(in_rounds, limit.in_all(each));
    if (const int64_t a_round = limit.in_round(each); a_round < in_rounds)
      most = std::min(most, a_round * arm.rounds);
    return most;
  }

  // Whoever chooses for all seeds asks once.
  void add_people(const ArmOptions& arm, int64_t initial, int64_t asked,
                  const SecondsOf& of_people) {
    const double rounds_s =
        arm.selection.unit == "minutes" && arm.budget > 0
            ? 60 * arm.budget * static_cast<double>(arm.rounds)
            : people_s(pool_s_, std::min(asked, std::ssize(pool_s_)), of_people);
    const double seeds = shared_.chooses == "first_seed" ? 1 : static_cast<double>(shared_.seeds);
    rounds_s_ += seeds * rounds_s;
    start_s_ += seeds * people_s(source_s_, initial, of_people);
  }

  // Nobody is asked twice about a clip.
  std::string people_line() {
    const double all_s = people_s(source_s_, std::ssize(source_s_), [&](double clip_seconds) {
      return person_seconds(clip_seconds);
    });
    const double start_s = std::min(start_s_, all_s);
    plan_.people_minutes = (test_s_ + start_s + rounds_s_) / 60;
    return fmt::format("  people: at most about {:.0f} minutes of their time: {:.0f} for the test "
                       "clips, {:.0f} for the start, {:.0f} for the rounds; before anybody has "
                       "answered, an answer is taken for the length of its clip and 4 s\n",
                       plan_.people_minutes, test_s_ / 60, start_s / 60, rounds_s_ / 60);
  }

  void simulate_teacher() {
    const Learner& learner = shared_.teacher->learner;
    std::vector<Sample> samples;
    for (const Clip& clip : dataset_.teacher)
      samples.push_back({clip, dataset_.labels().target(clip.label)});
    const Model net = teacher_.train(learner, {}, samples,
                                     Random(static_cast<uint64_t>(shared_.seed)), "teacher");
    teacher_.predict(*net, learner, dataset_.test);
    const bool first = shared_.oracle.asked_first().kind->traits().trained_here;
    teacher_.answer(learner, first ? bought(asks_about_pool_ ? std::ssize(dataset_.pool) : 0)
                                   : bought_of_second());
  }

  std::string answers_words() const {
    if (!shared_.oracle.mixed()) return fmt::format("{} answers", plan_.answers);
    return fmt::format("{} answers of oracle.first, {}, and {} of oracle.then, {}", plan_.answers,
                       shared_.oracle.first->kind.name, plan_.then_answers,
                       shared_.oracle.then->kind.name);
  }

  std::string text() {
    std::string besides = dataset_.reader
                              ? fmt::format(", of them {:.0f} to decode", decoding_s_ / 60)
                              : ", besides generating and decoding the videos";
    if (!has_own_teacher() && shared_.oracle.is_teacher())
      besides += ", besides the time of the oracle";
    std::string text = fmt::format(
        "{}: {} classes; {} clips in the pool ({:.0f} s), {} to start from ({}), {} to test on\n{}"
        "  {} runs, {} trainings, at most {} ({:.0f} s of video, price at most {:.2f})\n"
        "  about {:.0f} minutes on {}{}; up to {:.1f} GB of cached frames\n",
        study_.name, dataset_.classes.size(), dataset_.pool.size(), plan_.pool_s, source_s_.size(),
        study_.start_words(), dataset_.test.size(), arms_, plan_.cells, plan_.trainings,
        answers_words(), plan_.seconds_asked, plan_.price, plan_.minutes, machine_line(), besides,
        static_cast<double>(plan_.cache_bytes) / 1e9);
    if (shared_.oracle.people()) text += people_line();
    for (const OracleOptions* part : shared_.oracle.parts()) {
      if (const auto warning = part->kind->warning(); !warning.empty())
        text += fmt::format("  {}\n", warning);
    }
    if (const auto busy = busy_sentence(load_, std::thread::hardware_concurrency()); !busy.empty())
      text += fmt::format("  {}\n", busy);
    for (const auto& video : dataset_.quarantined)
      text += fmt::format("  cannot be used: {}: {}\n", video.path, video.reason);
    return printable_lines(text);  // names of files, of the recipe and of its arms
  }

  const Study& study_;
  const SharedOptions& shared_;
  Progress& progress_;
  Dataset& dataset_;
  const std::vector<double> pool_s_, source_s_;  // of each clip, ascending
  InfoOf info_of_;
  double load_;  // before this program's own
  PaceOf pace_of_;
  SimulatedTrainer trainer_, teacher_;
  int64_t held_out_ = 0;          // test clips that people label
  int64_t mixes_ = 0;             // mixes that are asked about, of plan_.answers
  int64_t views_ = 1;             // most answers_per_clip of an arm
  bool asks_about_pool_ = false;  // a strategy sees a free teacher's answers about the pool
  double decoding_s_ = 0;
  double test_s_ = 0;    // of people's time for the test clips,
  double start_s_ = 0;   // for the initial clips
  double rounds_s_ = 0;  // and for those of all rounds
  std::string arms_;
  Plan plan_;
};

Plan planned(const Study& study, Dataset& dataset, const PaceOf& pace_of, Progress& progress) {
  return Planner(
             study, dataset, [&](const std::string& path) { return dataset.reader->probe(path); },
             pace_of, progress)
      .make();
}

}  // namespace

Plan plan(const Study& study, Progress& progress) {
  const EndAtOnce makes_nothing;
  return plan(study, progress, quickest_pace);
}

Plan plan(const Study& study, Progress& progress, const PaceOf& pace_of) {
  if (!study.shared.data.synthetic) {
    Dataset dataset = open_dataset(study, progress);
    return planned(study, dataset, pace_of, progress);
  }
  const auto info_of =
      [info = generated_info(study.shared.data.synthetic->videos(study.shared.seed).video)](
          const std::string&) { return info; };
  Dataset dataset = dataset_to_come(study.shared, info_of);
  require_budgets(study, dataset);
  return Planner(study, dataset, info_of, pace_of, progress).make();
}

Plan plan(const Study& study, Dataset& dataset, const PaceOf& pace_of, Progress& progress) {
  require_budgets(study, dataset);
  return planned(study, dataset, pace_of, progress);
}

}  // namespace distal
