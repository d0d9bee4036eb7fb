#include "distal/study/pretraining_alone.h"

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/base/options.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/learn/linear_probe.h"
#include "distal/learn/network_trainer.h"
#include "distal/learn/pace.h"
#include "distal/lists/leaks.h"
#include "distal/models/model.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/pretext/taco.h"
#include "distal/study/step_logs.h"

namespace distal {
namespace {

constexpr int64_t kNeighbours = 10;

std::vector<Row> rows_of(const SharedOptions& shared, const ListOptions& list) {
  return read_rows((std::filesystem::path(shared.data.root) / list.csv).string(), list.groups,
                   /*labelled=*/false);
}

// The lists of a recipe whose pool has no labels.
struct Lists {
  Classes classes;
  std::vector<Clip> pool, start, test;
};

Lists open_lists(const SharedOptions& shared, ClipReader& reader,
                 std::vector<Quarantined>& quarantined, Progress& progress) {
  const auto rows = [&](const ListOptions& list) {
    return list.csv.empty() ? std::vector<Row>{} : rows_of(shared, list);
  };
  const std::vector<Row> start = rows(shared.data.start.value_or(ListOptions{}));
  const std::vector<Row> test = rows(shared.data.test);
  std::vector<Row> labelled = start;
  labelled.insert(labelled.end(), test.begin(), test.end());
  Lists lists{classes_of(labelled), {}, {}, {}};
  const auto clips = [&](const std::vector<Row>& rows) {
    const auto probe_video = [&](const std::string& path) { return reader.probe(path); };
    ClipList made =
        make_clips(rows, shared.data.root, shared.clips, lists.classes, probe_video, progress);
    std::move(made.quarantined.begin(), made.quarantined.end(), std::back_inserter(quarantined));
    return made;
  };
  ClipList pool = clips(rows(shared.data.pool));
  ClipList initial = clips(start);
  ClipList tested = clips(test);
  if (pool.clips.empty())
    fail("{}: no usable clip; {} videos were refused", shared.data.pool.csv, quarantined.size());
  for (const RoleClips& learned :
       {RoleClips{"data.pool", &pool}, RoleClips{"data.start", &initial}})
    require_disjoint(learned, {"data.test", &tested}, lists.classes);
  lists.pool = std::move(pool.clips);
  lists.start = std::move(initial.clips);
  lists.test = std::move(tested.clips);
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

Seen look(NetworkTrainer& learning, Net& net, const Learner& learner,
          const std::vector<Clip>& clips) {
  const Predictions read = learning.predict(net, learner, clips);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < read.rows.size(0); ++i)
    labels.push_back(clips[read.rows[i].item<int64_t>()].label);
  return {read.embeddings, torch::tensor(labels, torch::kInt64)};
}

void evaluate(Pretrained& result, const Seen& known, const Seen& test, LabelSpace labels) {
  result.learned_from = known.labels.size(0);
  result.tested_on = test.labels.size(0);
  if (result.learned_from == 0 || result.tested_on == 0) return;
  const Task& task = *labels.task;
  std::vector<torch::Tensor> truth;
  for (int64_t i = 0; i < result.learned_from; ++i)
    truth.push_back(torch::tensor(labels.target(known.labels[i].item<int64_t>())));
  result.probe =
      accuracy(linear_probe(known.features, torch::stack(truth), torch::ones({result.learned_from}),
                            /*c=*/1, task)
                   .logits(test.features),
               test.labels, task);
  result.neighbours = accuracy(
      nearest_neighbours(known.features, known.labels, test.features, labels.classes, kNeighbours),
      test.labels, task);
}

Random student_random(const SharedOptions& shared) {
  return Random(static_cast<uint64_t>(shared.seed)).stream("student");
}

}  // namespace

bool pretrains_only(const SharedOptions& shared, const Learner& learner) {
  if (!learner.pretext || shared.data.synthetic || shared.data.pool.csv.empty()) return false;
  const std::vector<Row> pool = rows_of(shared, shared.data.pool);
  return std::all_of(pool.begin(), pool.end(), [](const Row& row) { return row.label.empty(); });
}

Pretrained pretrain(const SharedOptions& shared, const Learner& learner, const std::string& folder,
                    Progress& progress) {
  Pretrained result;
  ClipReader reader(shared.input, shared.cache);
  const Lists lists = open_lists(shared, reader, result.quarantined, progress);
  const LabelSpace labels = std::max<int64_t>(lists.classes.size(), 1);
  std::filesystem::create_directories(folder + "/unfinished");
  Pretraining pretraining(shared.input, shared.cache, lists.pool, folder + "/unfinished", progress);
  const Model net = learner.model.build(labels.outputs(), student_random(shared).stream("weights"));
  pretraining.watch(step_logs(folder, progress)("pre-training"));
  pretraining.start(*net, learner, labels.outputs(), student_random(shared).stream("pretext"));
  result.account = pretraining.account();
  result.clips = std::ssize(lists.pool);
  result.steps = learner.pretext->training.steps_for(result.clips);

  const std::vector<Clip> known = with_label(lists.start);
  const std::vector<Clip> test = with_label(lists.test);
  std::vector<Clip> all = known;
  all.insert(all.end(), test.begin(), test.end());
  NetworkTrainer learning(
      reader, lists.classes, [&] { return all; }, folder + "/unfinished", progress);
  if (!known.empty() && !test.empty())
    evaluate(result, look(learning, *net, learner, known), look(learning, *net, learner, test),
             labels);
  const auto unreadable = reader.quarantined();
  result.quarantined.insert(result.quarantined.end(), unreadable.begin(), unreadable.end());

  InputOptions input = shared.input;
  result.model = folder + "/pretrained.safetensors";
  save_model(
      result.model, *net,
      side_json(learner.model,
                lists.classes.size() > 0 ? lists.classes.names : std::vector<std::string>{"none"},
                resolved(input)));
  std::error_code kept;
  std::filesystem::remove_all(folder + "/unfinished", kept);
  return result;
}

std::string Pretrained::text() const {
  std::string text = fmt::format("pre-trained on {} clips of the pool, {} steps{}{}\n", clips,
                                 steps, account.empty() ? "" : ": ", account);
  if (probe)
    text += fmt::format("frozen features, {} clips to learn from and {} to test on: linear probe "
                        "{:.4f}, {} nearest neighbours {:.4f}\n",
                        learned_from, tested_on, *probe, kNeighbours, *neighbours);
  for (const auto& video : quarantined)
    text += fmt::format("not used: {}: {}\n", video.path, video.reason);
  return text + model + "\n";
}

std::string Pretrained::json() const {
  nlohmann::ordered_json value = {
      {"model", model}, {"clips", clips}, {"steps", steps}, {"losses", account}};
  if (probe)
    value.update({{"learned_from", learned_from},
                  {"tested_on", tested_on},
                  {"linear_probe", *probe},
                  {"neighbours_10", *neighbours}});
  for (const auto& video : quarantined)
    value["quarantined"].push_back({{"path", video.path}, {"reason", video.reason}});
  return json_text(value, 2);
}

std::string pretraining_plan(const SharedOptions& shared, const Learner& learner) {
  const EndAtOnce makes_nothing;
  const PretextOptions& pretext = *learner.pretext;
  const TrainingOptions& training = pretext.training;
  const auto clips = std::ssize(rows_of(shared, shared.data.pool));
  const InputOptions& input = shared.input;
  const Model net = unfrozen(learner, 1);
  Taco taco(
      pretext, *net, [&] { return unfrozen(learner, 1); }, input.sampling.frames, clips, Random(0));
  Batch views;
  views.clips = torch::randn({training.batch_size, 3, pretext.view_frames(input.sampling.frames),
                              input.size_px, input.size_px});
  views.second = views.clips;
  views.rows = torch::arange(training.batch_size, torch::kInt64);
  const double step_s =
      seconds_a_call([&] { total(taco.losses(*net, taco.prepare(views, Random(0)))).backward(); }) *
      static_cast<double>(training.accumulate);
  const int64_t steps = training.steps_for(clips);
  return fmt::format("pre-trains {} on {} videos of the pool without labels: {} steps of {} clips, "
                     "about {:.0f} minutes besides decoding\n",
                     learner.model.backbone.name, clips, steps, training.batch_size,
                     step_s * static_cast<double>(steps) / 60);
}

}  // namespace distal
