#include "distal/experiment/pretraining.h"

#include <set>

#include <nlohmann/json.hpp>

#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/base/revision.h"
#include "distal/experiment/learning.h"
#include "distal/experiment/pace.h"
#include "distal/lists/leaks.h"
#include "distal/models/weights.h"
#include "distal/pretext/probe.h"
#include "distal/pretext/taco.h"
#include "distal/train/kept.h"

namespace distal {
namespace {

constexpr int64_t kNeighbours = 10;

// Of everything that determines the pre-trained weights.
uint64_t pretraining_hash(const Net& fresh, PretextOptions pretext, InputOptions views, int64_t frames, const std::vector<Clip>& pool, Random random) {
  const TrainingOptions pace;
  pretext.training.threads = pace.threads, pretext.training.checkpoint_every = pace.checkpoint_every;
  views.deadline_s = InputOptions().deadline_s;
  uint64_t hash = fnv1a(fmt::format("{}{}{}{}", revision(), resolved(pretext), resolved(views), frames), random());
  for (const auto& [name, tensor] : state(fresh)) {
    const torch::Tensor bytes = tensor.detach().contiguous();
    hash = fnv1a({static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()}, fnv1a(name, hash));
  }
  for (const Clip& clip : pool) hash = fnv1a(clip.key(), hash);
  return hash;
}

void copy_weights(const Net& from, const Net& to, bool with_classifier) {
  const torch::NoGradGuard no_grad;
  const auto sources = state(from), targets = state(to);
  for (size_t i = 0; i < sources.size(); ++i)
    if (with_classifier || !targets[i].first.starts_with("fc.")) targets[i].second.copy_(sources[i].second);
}

// The learner's network, with everything trained.
Model unfrozen(const Learner& learner, int64_t classes) {
  ModelOptions model = learner.model;
  model.freeze.clear();
  return model.build(classes, Random(0));
}

std::vector<Row> rows_of(const Recipe& recipe, const ListOptions& list) {
  return read_rows((std::filesystem::path(recipe.data.root) / list.csv).string(), list.groups, /*labelled=*/false);
}

// The lists of a recipe whose pool has no labels.
struct Lists {
  Classes classes;
  std::vector<Clip> pool, start, test;
};

Lists open_lists(const Recipe& recipe, ClipReader& reader, std::vector<Quarantined>& quarantined, Progress& progress) {
  const auto rows = [&](const ListOptions& list) { return list.csv.empty() ? std::vector<Row>{} : rows_of(recipe, list); };
  const std::vector<Row> start = rows(recipe.data.start.value_or(ListOptions{})), test = rows(recipe.data.test);
  std::vector<Row> labelled = start;
  labelled.insert(labelled.end(), test.begin(), test.end());
  Lists lists{classes_of(labelled), {}, {}, {}};
  const auto clips = [&](const std::vector<Row>& rows) {
    const auto probe_video = [&](const std::string& path) { return reader.probe(path); };
    ClipList made = make_clips(rows, recipe.data.root, recipe.clips, lists.classes, probe_video, progress);
    std::move(made.quarantined.begin(), made.quarantined.end(), std::back_inserter(quarantined));
    return made;
  };
  ClipList pool = clips(rows(recipe.data.pool)), initial = clips(start), tested = clips(test);
  if (pool.clips.empty()) fail("{}: no usable clip; {} videos were refused", recipe.data.pool.csv, quarantined.size());
  for (const RoleClips& learned : {RoleClips{"data.pool", &pool}, RoleClips{"data.start", &initial}})
    require_disjoint(learned, {"data.test", &tested}, lists.classes);
  lists.pool = std::move(pool.clips), lists.start = std::move(initial.clips), lists.test = std::move(tested.clips);
  return lists;
}

std::vector<Clip> with_label(std::vector<Clip> clips) {
  std::erase_if(clips, [](const Clip& clip) { return clip.label < 0; });
  return clips;
}

// Features and labels of what can be read.
struct Seen {
  torch::Tensor features, labels;  // float32 [M, D], int64 [M]
};

Seen look(Learning& learning, Net& net, const Learner& learner, const std::vector<Clip>& clips) {
  const Predictions read = learning.predict(net, learner, clips);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < read.rows.size(0); ++i) labels.push_back(clips[read.rows[i].item<int64_t>()].label);
  return {read.embeddings, torch::tensor(labels, torch::kInt64)};
}

void evaluate(Pretrained& result, const Seen& known, const Seen& test, int64_t classes) {
  result.learned_from = known.labels.size(0), result.tested_on = test.labels.size(0);
  if (result.learned_from == 0 || result.tested_on == 0) return;
  const torch::Tensor truth = torch::zeros({result.learned_from, classes}).scatter_(1, known.labels.unsqueeze(1), 1);
  result.probe = accuracy(linear_probe(known.features, truth, torch::ones({result.learned_from})).logits(test.features), test.labels);
  result.neighbours = accuracy(nearest_neighbours(known.features, known.labels, test.features, classes, kNeighbours), test.labels);
}

Random student_random(const Recipe& recipe) { return Random(static_cast<uint64_t>(recipe.seed)).stream("student"); }

}  // namespace

Pretraining::Pretraining(InputOptions input, CacheOptions cache, std::vector<Clip> pool, std::string folder, Progress& progress)
    : input_(std::move(input)), cache_(std::move(cache)), pool_(std::move(pool)), folder_(std::move(folder)), progress_(progress) {}

void Pretraining::start(Net& net, const Learner& learner, int64_t classes, Random random) {
  expect(learner.pretext.has_value(), "there is something to pre-train by");
  PretextOptions pretext = *learner.pretext;
  pretext.training.steps = pretext.training.steps_for(std::ssize(pool_));
  const Model trained = unfrozen(learner, classes);
  copy_weights(net, *trained, /*with_classifier=*/true);
  const std::string stem = fmt::format("{}/pretext-{:016x}", folder_, pretraining_hash(*trained, pretext, views(pretext), input_.sampling.frames, pool_, random));
  const std::string finished = stem + ".safetensors", checkpoint = stem + ".checkpoint.safetensors";
  account_.clear();
  if (const auto kept = load_kept(finished, progress_)) {
    load_into(*trained, *kept);
  } else {
    fit_views(*trained, [&] { return unfrozen(learner, classes); }, pretext, random, checkpoint);
    save_checked(finished, state(*trained));
    std::filesystem::remove(checkpoint);
  }
  copy_weights(*trained, net, /*with_classifier=*/false);
}

InputOptions Pretraining::views(const PretextOptions& pretext) const {
  InputOptions views = input_;
  views.sampling.rule = "dense";
  views.sampling.frames = pretext.view_frames(input_.sampling.frames);
  views.sampling.stride = pretext.stride;
  return views;
}

// A clip that is too short repeats its last frame in a view, which is a still: speeds and orders cannot be told there.
void Pretraining::require_long_enough(ClipReader& reader) {
  const SamplingOptions& sampling = reader.options().sampling;
  const int64_t wanted = (sampling.frames - 1) * sampling.stride + 1;
  int64_t readable = 0, short_ones = 0;
  for (const Clip& clip : pool_) {
    Progress::check_interrupted();
    try {
      const auto [first, end] = frames_of(reader.probe(clip.video), clip);
      ++readable;
      short_ones += end - first < wanted;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {  // the reader says so when the clip's turn comes
    }
  }
  if (readable > 0 && short_ones == readable)
    fail("pretext: no clip of the pool has the {} frames of a view; lower pretext.stride, the largest of speed.strides, or input.sampling.frames", wanted);
  if (short_ones > 0)
    progress_.say(fmt::format("pre-training: {} of {} clips have fewer than the {} frames of a view and repeat their last", short_ones, readable, wanted));
}

void Pretraining::fit_views(Net& net, const std::function<Model()>& twin, const PretextOptions& pretext, Random random, const std::string& checkpoint) {
  ClipReader reader(views(pretext), cache_);
  require_long_enough(reader);
  Taco taco(pretext, net, twin, input_.sampling.frames, std::ssize(pool_), random.stream("heads"));
  std::vector<Sample> samples;
  for (const Clip& clip : pool_) samples.push_back({clip, {}, 1, {}});
  const TrainingOptions& training = pretext.training;
  BatchStream stream;
  stream.open = [&](int64_t first) {
    const auto batches = std::make_shared<TrainingBatches>(reader, samples, /*classes=*/1, training.batch_size, pretext.augment, /*class_balanced=*/false,
                                                           random.stream("batches"), first, training.threads, pretext.contrasts() ? 2 : 1);
    return [batches, &taco, draws = random.stream("tasks"), micro = first]() mutable {
      return taco.prepare(batches->next(), draws.stream("batch", static_cast<uint64_t>(micro++)));
    };
  };
  stream.describe = [&](const torch::Tensor& rows) {
    std::set<std::string> videos;
    for (int64_t i = 0; i < rows.size(0); ++i) videos.insert(samples[rows[i].item<int64_t>()].clip.video);
    std::string text;
    for (const auto& video : videos) text += (text.empty() ? "" : ", ") + video;
    return text;
  };
  progress_.begin("pre-training", training.steps, "steps");
  fit(net, training, taco, stream, random.stream("fit"), checkpoint, progress_);
  progress_.end();
  account_ = taco.account();
  progress_.say(fmt::format("pre-trained on {} clips: {}", pool_.size(), account_));
  for (const Quarantined& video : reader.quarantined()) progress_.say(fmt::format("pre-training could not read {}: {}", video.path, video.reason));
}

bool pretrains_only(const Recipe& recipe) {
  if (!recipe.student.pretext || recipe.data.synthetic || recipe.data.pool.csv.empty()) return false;
  const std::vector<Row> pool = rows_of(recipe, recipe.data.pool);
  return std::all_of(pool.begin(), pool.end(), [](const Row& row) { return row.label.empty(); });
}

Pretrained pretrain(const Recipe& recipe, const std::string& folder, Progress& progress) {
  Pretrained result;
  ClipReader reader(recipe.input, recipe.cache);
  const Lists lists = open_lists(recipe, reader, result.quarantined, progress);
  const int64_t classes = std::max<int64_t>(lists.classes.size(), 1);
  std::filesystem::create_directories(folder + "/unfinished");
  Pretraining pretraining(recipe.input, recipe.cache, lists.pool, folder + "/unfinished", progress);
  const Learner& learner = recipe.student;
  const Model net = learner.model.build(classes, student_random(recipe).stream("weights"));
  pretraining.start(*net, learner, classes, student_random(recipe).stream("pretext"));
  result.account = pretraining.account();
  result.clips = std::ssize(lists.pool);
  result.steps = learner.pretext->training.steps_for(result.clips);

  const std::vector<Clip> known = with_label(lists.start), test = with_label(lists.test);
  std::vector<Clip> all = known;
  all.insert(all.end(), test.begin(), test.end());
  Learning learning(reader, lists.classes, [&] { return all; }, folder + "/unfinished", progress);
  if (!known.empty() && !test.empty()) evaluate(result, look(learning, *net, learner, known), look(learning, *net, learner, test), classes);
  const auto unreadable = reader.quarantined();
  result.quarantined.insert(result.quarantined.end(), unreadable.begin(), unreadable.end());

  InputOptions input = recipe.input;
  result.model = folder + "/pretrained.safetensors";
  save_model(result.model, *net, side_json(learner.model, lists.classes.size() > 0 ? lists.classes.names : std::vector<std::string>{"none"}, resolved(input)));
  std::error_code kept;
  std::filesystem::remove_all(folder + "/unfinished", kept);
  return result;
}

std::string Pretrained::text() const {
  std::string text = fmt::format("pre-trained on {} clips of the pool, {} steps{}{}\n", clips, steps, account.empty() ? "" : ": ", account);
  if (probe)
    text += fmt::format("frozen features, {} clips to learn from and {} to test on: linear probe {:.4f}, {} nearest neighbours {:.4f}\n", learned_from,
                        tested_on, *probe, kNeighbours, *neighbours);
  for (const auto& video : quarantined) text += fmt::format("not used: {}: {}\n", video.path, video.reason);
  return text + model + "\n";
}

std::string Pretrained::json() const {
  nlohmann::ordered_json value = {{"model", model}, {"clips", clips}, {"steps", steps}, {"losses", account}};
  if (probe) value.update({{"learned_from", learned_from}, {"tested_on", tested_on}, {"linear_probe", *probe}, {"neighbours_10", *neighbours}});
  for (const auto& video : quarantined) value["quarantined"].push_back({{"path", video.path}, {"reason", video.reason}});
  return json_text(value, 2);
}

std::string pretraining_plan(const Recipe& recipe) {
  const EndAtOnce makes_nothing;
  const PretextOptions& pretext = *recipe.student.pretext;
  const TrainingOptions& training = pretext.training;
  const auto clips = std::ssize(rows_of(recipe, recipe.data.pool));
  const InputOptions& input = recipe.input;
  const Model net = unfrozen(recipe.student, 1);
  Taco taco(pretext, *net, [&] { return unfrozen(recipe.student, 1); }, input.sampling.frames, clips, Random(0));
  Batch views;
  views.clips = torch::randn({training.batch_size, 3, pretext.view_frames(input.sampling.frames), input.size_px, input.size_px});
  views.second = views.clips;
  views.rows = torch::arange(training.batch_size, torch::kInt64);
  const double step_s = seconds_a_call([&] { total(taco.losses(*net, taco.prepare(views, Random(0)))).backward(); }) * static_cast<double>(training.accumulate);
  const int64_t steps = training.steps_for(clips);
  return fmt::format("pre-trains {} on {} videos of the pool without labels: {} steps of {} clips, about {:.0f} minutes besides decoding\n",
                     recipe.student.model.backbone.name, clips, steps, training.batch_size, step_s * static_cast<double>(steps) / 60);
}

}  // namespace distal
