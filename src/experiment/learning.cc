#include "experiment/learning.h"

#include <filesystem>

#include "models/weights.h"

namespace distal {
namespace {

constexpr int64_t kEvaluationBatch = 32;

// A net whose clips are embeddings already: only the head runs.
class HeadOnly final : public Net {
 public:
  explicit HeadOnly(Net& net) : net_(net) {}
  Output forward(const torch::Tensor& embedding) override { return {net_.head(embedding), embedding}; }
  torch::Tensor head(const torch::Tensor& embedding) override { return net_.head(embedding); }
  int64_t embedding_size() const override { return net_.embedding_size(); }

 private:
  Net& net_;
};

bool backbone_frozen(const Learner& learner) {
  const auto& freeze = learner.model.freeze;
  return std::find(freeze.begin(), freeze.end(), "backbone") != freeze.end();
}

uint64_t hash_of(const torch::Tensor& tensor, uint64_t basis) {
  const torch::Tensor bytes = tensor.detach().contiguous();
  return fnv1a({static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()}, basis);
}

// What the frozen part of a net is, so that its features can be shared by heads and seeds.
uint64_t frozen_hash(const Net& net) {
  uint64_t hash = fnv1a("backbone");
  for (const auto& [name, tensor] : state(net)) {
    if (!tensor.requires_grad()) hash = hash_of(tensor, fnv1a(name, hash));
  }
  return hash;
}

uint64_t training_hash(Learner learner, Choice<DistillLoss> loss, InputOptions input, const Labelled& labelled, Random random) {
  bool taught = false;
  uint64_t hash = fnv1a(resolved(learner) + resolved(input), random());
  for (size_t i = 0; i < labelled.samples.size(); ++i) {
    const Sample& sample = labelled.samples[i];
    hash = fnv1a(sample.clip.key(), hash);
    hash = fnv1a({reinterpret_cast<const char*>(sample.target.data()), sample.target.size() * sizeof(float)}, hash);
    taught |= labelled.taught[i];
  }
  return taught ? fnv1a(resolved(loss), hash) : hash;
}

Predictions gather(const std::vector<torch::Tensor>& logits, const std::vector<torch::Tensor>& embeddings, const std::vector<torch::Tensor>& rows) {
  if (rows.empty()) return {torch::empty({0, 0}), torch::empty({0, 0}), torch::empty({0}, torch::kInt64)};
  return {torch::cat(logits), torch::cat(embeddings), torch::cat(rows)};
}

}  // namespace

Learning::Learning(ClipReader& reader, Classes classes, std::string folder, Progress& progress)
    : reader_(reader), classes_(std::move(classes)), folder_(std::move(folder)), progress_(progress) {
  std::filesystem::create_directories(folder_);
}

Model Learning::train(const Learner& learner, const Choice<DistillLoss>& loss, const Labelled& labelled, Random random, const std::string& what) {
  ModelOptions options = learner.model;
  Model net = options.build(classes_.size(), random.stream("weights"));
  account_ = options.account;
  const std::string stem = fmt::format("{}/{:016x}", folder_, training_hash(learner, loss, reader_.options(), labelled, random));
  const std::string finished = stem + ".safetensors", checkpoint = stem + ".checkpoint.safetensors";
  if (std::filesystem::exists(finished)) {
    load_into(*net, load_safetensors(finished));
    net->eval();
    return net;
  }
  const Labelled used = weighed(learner, labelled);
  const torch::Tensor taught = torch::zeros({static_cast<int64_t>(used.taught.size())}, torch::kBool);
  for (size_t i = 0; i < used.taught.size(); ++i) taught[static_cast<int64_t>(i)] = static_cast<bool>(used.taught[i]);
  std::unique_ptr<Objective> objective;
  if (taught.any().item<bool>()) objective = std::make_unique<Taught>(loss.method, taught);
  else objective = std::make_unique<Supervised>(learner.training.label_smoothing);

  progress_.begin(what, learner.training.steps, "steps");
  const FitReport report = backbone_frozen(learner) ? fit_head(*net, learner, *objective, used, random, checkpoint)
                                                    : fit_clips(*net, learner, *objective, used, random, checkpoint);
  progress_.end();
  precision_ = report.precision;
  save_safetensors(finished, state(*net));
  std::filesystem::remove(checkpoint);
  return net;
}

Labelled Learning::weighed(const Learner& learner, const Labelled& labelled) const {
  Labelled weighed = labelled;
  if (!learner.training.class_weights) return weighed;
  std::vector<double> mass(classes_.size(), 0);
  for (const Sample& sample : labelled.samples)
    for (int64_t k = 0; k < classes_.size(); ++k) mass[k] += sample.target[k];
  const double even = static_cast<double>(labelled.samples.size()) / static_cast<double>(classes_.size());
  for (Sample& sample : weighed.samples) {
    double weight = 0;
    for (int64_t k = 0; k < classes_.size(); ++k)
      if (mass[k] > 0) weight += sample.target[k] * even / mass[k];
    sample.weight = static_cast<float>(weight);
  }
  return weighed;
}

FitReport Learning::fit_clips(Net& net, const Learner& learner, Objective& objective, const Labelled& labelled, Random random, const std::string& checkpoint) {
  const TrainingOptions& training = learner.training;
  std::shared_ptr<TrainingBatches> batches;
  AugmentOptions augment = learner.augment;
  augment.resolve(classes_);
  BatchStream stream;
  stream.open = [&](int64_t first) {
    batches = std::make_shared<TrainingBatches>(reader_, labelled.samples, classes_.size(), training.batch_size, augment,
                                                training.class_balanced, random.stream("batches"), first, training.threads);
    return [batches] { return batches->next(); };
  };
  stream.describe = [&](const torch::Tensor& rows) {
    std::string text;
    for (int64_t i = 0; i < rows.size(0); ++i) text += (i > 0 ? ", " : "") + labelled.samples[rows[i].item<int64_t>()].clip.video;
    return text;
  };
  const FitReport report = fit(net, training, objective, stream, random.stream("fit"), checkpoint, progress_);
  if (batches) quarantine(batches->quarantined());
  return report;
}

FitReport Learning::fit_head(Net& net, const Learner& learner, Objective& objective, const Labelled& labelled, Random random, const std::string& checkpoint) {
  std::vector<Clip> clips;
  for (const Sample& sample : labelled.samples) clips.push_back(sample.clip);
  const Predictions known = features(net, clips);
  const int64_t samples = known.rows.size(0);
  if (samples == 0) fail("no labelled clip could be read; see the quarantined videos");
  const torch::Tensor targets = torch::empty({samples, classes_.size()}), weights = torch::empty({samples});
  for (int64_t i = 0; i < samples; ++i) {
    const Sample& sample = labelled.samples[known.rows[i].item<int64_t>()];
    std::copy(sample.target.begin(), sample.target.end(), targets.data_ptr<float>() + i * classes_.size());
    weights.data_ptr<float>()[i] = sample.weight;
  }
  const int64_t batch = std::min(learner.training.batch_size, samples), per_epoch = (samples + batch - 1) / batch;
  BatchStream stream;
  stream.describe = [&](const torch::Tensor&) { return std::string("features of the frozen backbone"); };
  stream.open = [&, random](int64_t first) {
    return [&, random, step = first]() mutable {
      const int64_t epoch = step / per_epoch, begin = step % per_epoch * batch;
      ++step;
      std::vector<int64_t> order = random.stream("order", epoch).permutation(samples);
      const int64_t end = std::min(begin + batch, samples);
      const torch::Tensor picked = torch::tensor(std::vector<int64_t>(order.begin() + begin, order.begin() + end), torch::kInt64);
      return Batch{known.embeddings.index_select(0, picked), targets.index_select(0, picked), known.rows.index_select(0, picked),
                   weights.index_select(0, picked)};
    };
  };
  // Only what trains is handed to the loop: the frozen backbone stays in evaluation mode.
  HeadOnly head(net);
  for (const auto& item : net.named_parameters())
    if (item.value().requires_grad()) head.register_parameter(fmt::format("p{}", head.parameters().size()), item.value());
  net.train();
  const FitReport report = fit(head, learner.training, objective, stream, random.stream("fit"), checkpoint, progress_);
  net.eval();
  return report;
}

Predictions Learning::predict(Net& net, const Learner& learner, const std::vector<Clip>& clips) {
  if (!backbone_frozen(learner)) return read_and_predict(net, clips, "reading clips");
  Predictions known = features(net, clips);
  const torch::NoGradGuard no_grad;
  net.eval();
  if (known.rows.size(0) > 0) known.logits = net.head(known.embeddings);
  return known;
}

Predictions Learning::features(Net& net, const std::vector<Clip>& clips) {
  auto& known = features_[frozen_hash(net)];
  std::vector<Clip> unknown;
  for (const Clip& clip : clips)
    if (!known.contains(clip.key())) unknown.push_back(clip);
  if (!unknown.empty()) {
    const Predictions read = read_and_predict(net, unknown, "features");
    for (const Clip& clip : unknown) known[clip.key()];  // undefined where unreadable: not tried again
    for (int64_t i = 0; i < read.rows.size(0); ++i) known[unknown[read.rows[i].item<int64_t>()].key()] = read.embeddings[i];
  }
  std::vector<torch::Tensor> embeddings;
  std::vector<int64_t> rows;
  for (size_t i = 0; i < clips.size(); ++i) {
    const torch::Tensor& embedding = known.at(clips[i].key());
    if (!embedding.defined()) continue;
    embeddings.push_back(embedding);
    rows.push_back(static_cast<int64_t>(i));
  }
  if (rows.empty()) return gather({}, {}, {});
  return {torch::Tensor(), torch::stack(embeddings), torch::tensor(rows, torch::kInt64)};
}

Predictions Learning::read_and_predict(Net& net, const std::vector<Clip>& clips, const std::string& what) {
  const torch::NoGradGuard no_grad;
  net.eval();
  EvaluationBatches batches(reader_, clips, classes_.size(), kEvaluationBatch, /*threads=*/1);
  std::vector<torch::Tensor> logits, embeddings, rows;
  int64_t done = 0;
  progress_.begin(what, static_cast<int64_t>(clips.size()), "clips");
  while (const auto batch = batches.next()) {
    const Output output = net.forward(batch->clips);
    logits.push_back(output.logits);
    embeddings.push_back(output.embedding);
    rows.push_back(batch->rows);
    progress_.step(done += batch->rows.size(0));
  }
  progress_.end();
  quarantine(batches.quarantined());
  return gather(logits, embeddings, rows);
}

void Learning::quarantine(const std::vector<Quarantined>& found) {
  for (const auto& video : found)
    if (quarantined_paths_.insert(video.path).second) quarantined_.push_back(video);
}

void Learning::clear() { std::filesystem::remove_all(folder_); }

}  // namespace distal
