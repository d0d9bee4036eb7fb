#include "distal/learn/network_trainer.h"

#include <deque>
#include <filesystem>

#include "distal/base/error.h"
#include "distal/base/fingerprint.h"
#include "distal/base/progress.h"
#include "distal/data/augmentation.h"
#include "distal/data/order.h"
#include "distal/data/read_ahead.h"
#include "distal/learn/feature_cache.h"
#include "distal/learn/linear_probe.h"
#include "distal/models/device.h"
#include "distal/models/gate.h"
#include "distal/models/model.h"
#include "distal/models/saved_model.h"
#include "distal/models/weights.h"
#include "distal/networks/network.h"
#include "distal/train/kept.h"
#include "distal/train/task_aware.h"
#include "distal/train/taught.h"

namespace distal {
namespace {

constexpr int64_t kPassBatch = 32;  // clips of a batch that goes through the network itself

// A net whose clips are embeddings already: only the head runs.
class HeadOnly final : public Net {
 public:
  explicit HeadOnly(Net& net) : net_(net) {}
  Output forward(const torch::Tensor& embedding) override {
    return {net_.head(embedding), embedding};
  }
  torch::Tensor head(const torch::Tensor& embedding) override { return net_.head(embedding); }
  int64_t embedding_size() const override { return net_.embedding_size(); }

 private:
  Net& net_;
};

// What the frozen part of a net is, so that its features can be shared by heads and seeds.
std::string frozen_fingerprint(const Net& net) {
  if (const ForeignNetwork* network = net.network()) return network->id();
  Tensors frozen;
  for (const auto& [name, tensor] : state(net)) {
    if (!tensor.requires_grad()) frozen.emplace_back(name, tensor);
  }
  Fingerprint print;
  add_tensors(print, frozen);
  return print.hex();
}

bool is_taught(const std::vector<Sample>& samples) {
  return std::any_of(samples.begin(), samples.end(),
                     [](const Sample& sample) { return !sample.teacher.empty(); });
}

bool uses(const Choice<DistillLoss>& loss, const std::vector<Sample>& samples) {
  return is_taught(samples) || (loss && !loss->needs_teacher());
}

std::string_view bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// Of everything that determines the trained weights: the fresh network (so its options, init file
// and seed), how it is trained, on what, by which program, and under whose eyes.
std::string training_fingerprint(const Net& fresh, const Learner& learner,
                                 const Choice<DistillLoss>& loss, const InputOptions& input,
                                 const std::vector<Sample>& samples, Random random,
                                 const Model& teacher) {
  Fingerprint print;
  print.add(learner).add(input).add(random());
  add_tensors(print, state(fresh));
  if (const ForeignNetwork* network = fresh.network()) print.add(network->id());
  if (const FeatureFiles* files = learner.model.feature_files()) print.add(content_id(*files));
  for (const Sample& sample : samples)
    print.add(sample.clip.key()).add(bytes_of(sample.target)).add(bytes_of(sample.teacher));
  if (teacher && is_taught(samples)) add_tensors(print, state(*teacher));
  if (uses(loss, samples)) print.add(loss);
  return print.hex();
}

std::string videos_of(const std::vector<Sample>& samples, const torch::Tensor& rows) {
  std::string text;
  for (int64_t i = 0; i < rows.size(0); ++i)
    text += (i > 0 ? ", " : "") + samples[rows[i].item<int64_t>()].clip.video.str();
  return text;
}

// All samples as one batch whose `clips` are their features.
Batch batch_of(const std::vector<Sample>& samples, const torch::Tensor& features, int64_t outputs) {
  const int64_t count = std::ssize(samples);
  Batch batch{features,
              torch::full({count, outputs}, std::numeric_limits<float>::quiet_NaN()),
              torch::arange(count),
              torch::empty({count}),
              {}};
  batch.teacher = batch.targets.clone();
  for (int64_t i = 0; i < count; ++i) {
    const Sample& sample = samples[i];
    std::copy(sample.target.begin(), sample.target.end(),
              batch.targets.data_ptr<float>() + i * outputs);
    std::copy(sample.teacher.begin(), sample.teacher.end(),
              batch.teacher.data_ptr<float>() + i * outputs);
    batch.weights.data_ptr<float>()[i] = sample.weight;
  }
  return batch;
}

Predictions of_nothing() {
  return {torch::empty({0, 0}), torch::empty({0, 0}), torch::empty({0}, torch::kInt64)};
}

}  // namespace

NetworkTrainer::NetworkTrainer(ClipReader& reader, Classes classes, ClipsOf clips,
                               std::string folder, Progress& progress, const Task& task)
    : reader_(reader),
      classes_(std::move(classes)),
      labels_(classes_.size(), task),
      clips_(std::move(clips)),
      folder_(std::move(folder)),
      progress_(progress) {
  std::filesystem::create_directories(folder_);
}

void NetworkTrainer::pretrain_on(ClipsOf pool, CacheOptions cache) {
  pool_ = std::move(pool);
  cache_ = std::move(cache);
}

void NetworkTrainer::embed(ClipsOf clips, std::string folder) {
  const auto compute = [this](ForeignNetwork& network, ClipReader& reader, const ClipRefs& asked) {
    return looked_up(network, reader, asked);
  };
  of_files_ = std::make_unique<Embedder>(reader_, clips_, folder, compute);
  embedder_ = std::make_unique<Embedder>(reader_, std::move(clips), std::move(folder), compute);
}

Predictions NetworkTrainer::embeddings(const EmbeddingOptions& options, const ClipRefs& clips) {
  expect(embedder_ != nullptr, "it was said which clips have embeddings");
  return embedder_->embeddings(options, clips);
}

void NetworkTrainer::take_earlier(const std::string& finished) const {
  if (earlier_.empty() || std::filesystem::exists(finished)) return;
  if (const auto weights = weights_trained_as(earlier_, training_))
    save_checked(finished, *weights);
}

Model NetworkTrainer::untrained(const Learner& learner, Random random) {
  Learner fresh = learner;
  const Model net = begin(fresh, random, "untrained");
  net->eval();
  return net;
}

WatchSteps NetworkTrainer::watch_of(const std::string& what) const {
  return watch_ ? watch_(what) : WatchSteps();
}

Model NetworkTrainer::begin(Learner& learner, Random random, const std::string& what) {
  const Model net = learner.model.build(labels_.outputs(), random.stream("weights"));
  net->to(device_for(learner.training.device, "training.device"));
  if (!learner.model.account.empty())
    note(fmt::format("Weights for {}: {}", learner.model.backbone.name, learner.model.account));
  if (const NetworkOptions* network = learner.model.network()) {
    if (const std::string warning = network_warning(network->file); !warning.empty()) note(warning);
  }
  if (!learner.pretext) return net;
  expect(pool_ != nullptr, "there are clips to pre-train on");
  Pretraining pretraining(reader_.options(), cache_, pool_(), folder_, progress_);
  pretraining.watch(watch_of(what + " pre-training"));
  pretraining.start(*net, learner, labels_.outputs(), random.stream("pretext"));
  return net;
}

Model NetworkTrainer::train(const Learner& learner, const Choice<DistillLoss>& loss,
                            const std::vector<Sample>& samples, Random random,
                            const std::string& what, const Model& teacher) {
  Learner fitted = learner;
  fitted.training.steps = learner.training.steps_for(std::ssize(samples));
  const Model net = begin(fitted, random, what);
  const std::string warning =
      learner.backbone_frozen() ? "" : learner.augment.flip_warning(classes_);
  if (!warning.empty()) note(warning);
  training_ = training_fingerprint(*net, fitted, loss, reader_.options(), samples, random, teacher);
  const std::string stem = fmt::format("{}/{}", folder_, training_);
  const std::string finished = stem + ".safetensors";
  const std::string checkpoint = stem + ".checkpoint.safetensors";
  take_earlier(finished);
  loss_fall_ = std::numeric_limits<double>::quiet_NaN();
  if (const auto kept = load_kept(finished, progress_)) {
    load_into(*net, *kept);
    net->eval();
    return net;
  }
  const auto learned = objective(*net, fitted, loss, samples, random.stream("loss"), teacher);
  const auto fit_what = learner.fits_head()         ? &NetworkTrainer::fit_probe
                        : learner.backbone_frozen() ? &NetworkTrainer::fit_head
                                                    : &NetworkTrainer::fit_clips;
  if (!learner.backbone_frozen()) read_all(fitted.training, samples);
  progress_.begin(what, fitted.training.steps, "steps");
  watching_ = watch_of(what);
  const FitReport report =
      (this->*fit_what)(*net, fitted, *learned, weighed(learner, samples), random, checkpoint);
  progress_.end();
  watching_ = {};
  loss_fall_ = report.loss_fall;
  note("Trained in " + report.precision);
  save_checked(finished, state(*net));
  std::filesystem::remove(checkpoint);
  return net;
}

std::unique_ptr<Objective> NetworkTrainer::objective(Net& net, const Learner& learner,
                                                     const Choice<DistillLoss>& loss,
                                                     const std::vector<Sample>& samples,
                                                     Random random, const Model& teacher) const {
  const double smoothing = learner.training.label_smoothing;
  if (!uses(loss, samples)) return std::make_unique<Supervised>(smoothing, *labels_.task);
  expect(loss.method != nullptr, "a loss is chosen where a teacher answered");
  expect(!teacher || !learner.backbone_frozen(),
         "features that are computed once show a teacher no view");
  const bool looks_on = teacher && is_taught(samples);
  auto taught =
      std::make_unique<Taught>(loss.method, smoothing, looks_on ? teacher : nullptr, *labels_.task);
  if (!looks_on) return taught;
  const InputOptions& input = reader_.options();
  const torch::Tensor clip =
      torch::zeros({1, 3, input.sampling.frames, input.size_px, input.size_px});
  const torch::Tensor even =
      torch::full({1, labels_.outputs()}, 1.0 / static_cast<double>(labels_.outputs()));
  taught->prepare(net, {clip, even, torch::zeros({1}, torch::kInt64), torch::ones({1}), even},
                  std::ssize(samples), random);
  return taught;
}

void NetworkTrainer::note(const std::string& text) {
  notes_.insert(text);
  if (said_.insert(text).second) progress_.say(text);
}

// Beside a network that learns on every processor, decoding slows both down.
void NetworkTrainer::read_all(const TrainingOptions& training, const std::vector<Sample>& samples) {
  const bool sees_all =
      training.steps * training.accumulate * training.batch_size >= std::ssize(samples);
  if (!sees_all || !reader_.options().training_frames_fit(static_cast<double>(samples.size()),
                                                          reader_.cache_options()))
    return;
  std::vector<ClipReader::Ahead> ahead;
  for (const Sample& sample : samples) ahead.push_back({&sample.clip, true});
  read_ahead(reader_, ahead, progress_, "reading clips");
}

std::vector<Sample> NetworkTrainer::weighed(const Learner& learner,
                                            const std::vector<Sample>& samples) const {
  std::vector<Sample> weighed = samples;
  if (!learner.training.class_weights) return weighed;
  std::vector<double> mass(classes_.size(), 0);
  for (const Sample& sample : weighed) {
    for (int64_t k = 0; k < classes_.size(); ++k) mass[k] += sample.known()[k];
  }
  const double even = static_cast<double>(weighed.size()) / static_cast<double>(classes_.size());
  for (Sample& sample : weighed) {
    double weight = 0;
    for (int64_t k = 0; k < classes_.size(); ++k) {
      if (mass[k] > 0) weight += sample.known()[k] * even / mass[k];
    }
    sample.weight = static_cast<float>(weight);
  }
  return weighed;
}

FitReport NetworkTrainer::fit_clips(Net& net, const Learner& learner, Objective& objective,
                                    const std::vector<Sample>& samples, Random random,
                                    const std::string& checkpoint) {
  const TrainingOptions& training = learner.training;
  std::shared_ptr<TrainingBatches> batches;
  AugmentOptions augment = learner.augment;
  augment.resolve(classes_);
  BatchStream stream;
  stream.open = [&](int64_t first) {
    batches = std::make_shared<TrainingBatches>(reader_, samples, labels_, training.batch_size,
                                                augment, training.class_balanced,
                                                random.stream("batches"), first, training.threads);
    return [batches] { return batches->next(); };
  };
  stream.describe = [&](const torch::Tensor& rows) { return videos_of(samples, rows); };
  std::unique_ptr<Objective> aware;  // with a head that tells the transformations of augment.family
  if (augment.family && augment.family->head_classes() > 0)
    aware = std::make_unique<TaskAware>(objective, *augment.family, net,
                                        random.stream("transform head"));
  return fit(net, training, aware ? *aware : objective, stream, random.stream("fit"), checkpoint,
             progress_, single_rank(), watching_);
}

// A clip counts by its truth, else by the teacher's word.
FitReport NetworkTrainer::fit_probe(Net& net, const Learner& learner, Objective&,
                                    const std::vector<Sample>& samples, Random,
                                    const std::string&) {
  const Predictions read = features(net, learner, refs_of(samples));
  if (read.rows.size(0) == 0) fail("no labelled clip could be read; see the quarantined videos");
  std::vector<torch::Tensor> known, weights;
  for (int64_t i = 0; i < read.rows.size(0); ++i) {
    const Sample& sample = samples[read.rows[i].item<int64_t>()];
    known.push_back(torch::tensor(sample.known()));
    weights.push_back(torch::tensor(sample.weight));
  }
  set_classifier(net, linear_probe(read.embeddings, torch::stack(known), torch::stack(weights),
                                   /*c=*/1, *labels_.task));
  FitReport report;
  report.precision = "f32";
  return report;
}

FitReport NetworkTrainer::fit_head(Net& net, const Learner& learner, Objective& objective,
                                   const std::vector<Sample>& all, Random random,
                                   const std::string& checkpoint) {
  const Predictions known = features(net, learner, refs_of(all));
  const int64_t readable = known.rows.size(0);
  if (readable == 0) fail("no labelled clip could be read; see the quarantined videos");
  std::vector<Sample> samples;
  for (int64_t i = 0; i < readable; ++i) samples.push_back(all[known.rows[i].item<int64_t>()]);
  const Batch whole = batch_of(samples, known.embeddings, labels_.outputs());
  const Random order_random = random.stream("order");
  std::vector<int64_t> likely;
  for (const Sample& sample : samples) likely.push_back(sample.likely(*labels_.task));
  const auto order = learner.training.class_balanced
                         ? std::make_shared<SampleOrder>(likely, order_random)
                         : std::make_shared<SampleOrder>(readable, order_random);
  BatchStream stream;
  stream.describe = [&](const torch::Tensor& rows) { return videos_of(samples, rows); };
  stream.open = [&, size = learner.training.batch_size](int64_t first) {
    return [&whole, order, size, position = first * size]() mutable {
      std::vector<int64_t> rows;
      for (int64_t i = 0; i < size; ++i) rows.push_back(order->at(position++, 0));
      const torch::Tensor picked = torch::tensor(rows, torch::kInt64);
      const auto of = [&](const torch::Tensor& column) { return column.index_select(0, picked); };
      return Batch{of(whole.clips), of(whole.targets), of(whole.rows), of(whole.weights),
                   of(whole.teacher)};
    };
  };
  // Only what trains is handed to the loop: the frozen backbone stays in evaluation mode.
  HeadOnly head(net);
  for (const auto& item : net.named_parameters()) {
    if (item.value().requires_grad())
      head.register_parameter(fmt::format("p{}", head.parameters().size()), item.value());
  }
  net.train();
  const FitReport report = fit(head, learner.training, objective, stream, random.stream("fit"),
                               checkpoint, progress_, single_rank(), watching_);
  net.eval();
  return report;
}

Predictions NetworkTrainer::predict(Net& net, const Learner& learner,
                                    const std::vector<Clip>& clips) {
  return predict_all(net, learner, refs_of(clips));
}

Predictions NetworkTrainer::predict_all(Net& net, const Learner& learner, const ClipRefs& clips) {
  if (!learner.backbone_frozen()) return read_and_predict(net, clips, "reading clips");
  Predictions known = features(net, learner, clips);
  const torch::NoGradGuard no_grad;
  net.eval();
  if (known.rows.size(0) > 0) known.logits = on_cpu(net.head(known.embeddings.to(device_of(net))));
  return known;
}

Predictions NetworkTrainer::score(Net& net, const Learner& learner, const ClipRefs& clips,
                                  int64_t other_clips) {
  if (learner.backbone_frozen() || learner.training.precision == "f32" || !cpu_has_bf16())
    return predict_all(net, learner, clips);
  return read_and_predict(net, clips, "reading clips", "bf16", other_clips);
}

// All clips at the first call and in the order of clips_(): what a clip's features are does not
// depend on who asked when.
const NetworkTrainer::Features& NetworkTrainer::all_features(Net& net) {
  const auto [at, fresh] = features_.try_emplace(frozen_fingerprint(net));
  Features& known = at->second;
  if (!fresh) return known;
  try {
    std::vector<Clip> all = clips_();
    if (net.network()) {  // counts each clip once
      std::set<std::string> seen;
      std::erase_if(all, [&](const Clip& clip) { return !seen.insert(clip.key()).second; });
    }
    const Predictions read = net.network() ? looked_up(*net.network(), reader_, refs_of(all))
                                           : read_and_predict(net, refs_of(all), "features");
    known.values = read.embeddings;
    for (const Clip& clip : all) known.rows[clip.key()] = -1;
    for (int64_t i = 0; i < read.rows.size(0); ++i)
      known.rows[all[read.rows[i].item<int64_t>()].key()] = i;
  } catch (...) {
    features_.erase(at);
    throw;
  }
  return known;
}

Predictions NetworkTrainer::features(Net& net, const Learner& learner, const ClipRefs& clips) {
  if (const FeatureFiles* files = learner.model.feature_files()) {
    expect(of_files_ != nullptr, "it was said where the paths of lists begin");
    return {torch::Tensor(), of_files_->table(*files).of(clips),
            torch::arange(std::ssize(clips), torch::kInt64)};
  }
  const Features& known = all_features(net);
  std::vector<int64_t> places, rows;
  for (size_t i = 0; i < clips.size(); ++i) {
    const int64_t place = known.rows.at(clips[i]->key());
    if (place < 0) continue;
    places.push_back(place);
    rows.push_back(static_cast<int64_t>(i));
  }
  if (rows.empty()) return of_nothing();
  return {torch::Tensor(), known.values.index_select(0, torch::tensor(places, torch::kInt64)),
          torch::tensor(rows, torch::kInt64)};
}

// Those of a network of others, from the disk where they are there.
Predictions NetworkTrainer::looked_up(ForeignNetwork& network, ClipReader& reader,
                                      const ClipRefs& clips) {
  const FeatureCache::Found found = network_features(network, reader, clips, progress_);
  computed_ += found.computed;
  found_ += found.found;
  note(fmt::format("Features of the frozen network: {} clips computed, {} found in the cache",
                   found.computed, found.found));
  return {torch::Tensor(), found.values, found.rows};
}

void NetworkTrainer::compute_features(const Learner& learner) {
  if (!learner.model.network()) return;
  Learner fresh = learner;
  all_features(*begin(fresh, Random(0), "features"));
}

Predictions NetworkTrainer::read_and_predict(Net& net, const ClipRefs& clips,
                                             const std::string& what, const std::string& precision,
                                             int64_t other_clips) {
  const torch::NoGradGuard no_grad;
  net.eval();
  const InputOptions& input = reader_.options();
  std::string why_not;
  const std::vector<int64_t> clip = {3, input.sampling.frames, input.size_px, input.size_px};
  const auto engine = quicker_engine(Model(std::shared_ptr<Net>(), &net), clip,
                                     std::max(std::ssize(clips), other_clips), worth_freezing,
                                     &why_not, /*at_once=*/std::ssize(clips), precision);
  if (!why_not.empty()) note(why_not);
  EvaluationBatches batches(reader_, clips, labels_, engine->batch(), /*threads=*/1);
  Predictions all = of_nothing();
  all.rows = torch::empty({std::ssize(clips)}, torch::kInt64);
  std::deque<std::future<Output>> under_way;
  int64_t read = 0;
  int64_t done = 0;
  const auto take_first = [&] {
    const Output output = under_way.front().get();
    under_way.pop_front();
    const int64_t end = done + output.logits.size(0);
    if (done == 0) {
      all.logits = output.logits.new_empty({std::ssize(clips), output.logits.size(1)});
      all.embeddings = output.embedding.new_empty({std::ssize(clips), output.embedding.size(1)});
    }
    all.logits.slice(0, done, end).copy_(output.logits);
    all.embeddings.slice(0, done, end).copy_(output.embedding);
    progress_.step(done = end);
  };
  progress_.begin(what, static_cast<int64_t>(clips.size()), "clips");
  while (const auto batch = batches.next()) {
    all.rows.slice(0, read, read + batch->rows.numel()).copy_(batch->rows);
    read += batch->rows.numel();
    under_way.push_back(engine->submit(batch->clips));
    if (std::ssize(under_way) >= engine->requests()) take_first();
  }
  while (!under_way.empty()) take_first();
  progress_.end();
  return {all.logits.slice(0, 0, done), all.embeddings.slice(0, 0, done),
          all.rows.slice(0, 0, done)};
}

Predictions NetworkTrainer::score_augmented(Net& net, const Learner& learner, const ClipRefs& clips,
                                            Random random) {
  const torch::NoGradGuard no_grad;
  net.eval();
  EvaluationBatches batches(reader_, clips, labels_, kPassBatch, /*threads=*/1,
                            learner.augment.label_safe(), random);
  std::vector<torch::Tensor> logits, rows;
  progress_.begin("augmented pass", std::ssize(clips), "clips");
  while (const auto batch = batches.next()) {
    logits.push_back(on_cpu(net.forward(batch->clips.to(device_of(net))).logits));
    rows.push_back(batch->rows);
    progress_.step(batch->rows[-1].item<int64_t>() + 1);
  }
  progress_.end();
  if (rows.empty()) return of_nothing();
  return {torch::cat(logits), torch::Tensor(), torch::cat(rows)};
}

Pixels NetworkTrainer::pixels(const std::vector<Clip>& clips) {
  Pixels read;
  std::vector<torch::Tensor> parts;
  EvaluationBatches batches(reader_, clips, labels_, kPassBatch, /*threads=*/1);
  while (const auto batch = batches.next()) {
    for (int64_t i = 0; i < batch->rows.size(0); ++i)
      read.clips.push_back(clips[batch->rows[i].item<int64_t>()]);
    parts.push_back((batch->clips * 127.5 + 127.5).round_().to(torch::kUInt8));
  }
  if (parts.empty()) fail("no clip can be read; see the quarantined videos");
  read.values = torch::cat(parts);
  return read;
}

torch::Tensor NetworkTrainer::probabilities(Net& net, const torch::Tensor& values) {
  const torch::NoGradGuard no_grad;
  net.eval();
  const torch::Tensor clips = (values / 127.5 - 1).to(device_of(net));
  return on_cpu(labels_.task->probabilities(net.forward(clips).logits));
}

}  // namespace distal
