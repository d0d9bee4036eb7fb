#include <atomic>
#include <limits>

#include "distal/base/error.h"
#include "distal/data/augment.h"
#include "distal/data/augmentation.h"
#include "distal/data/batch_builder.h"
#include "distal/data/batches.h"
#include "distal/data/order.h"
#include "distal/data/prefetch.h"

namespace distal {
namespace {

std::vector<int64_t> classes_of(const std::vector<Sample>& samples, const Task& task) {
  std::vector<int64_t> classes;
  for (const auto& sample : samples) classes.push_back(sample.likely(task));
  return classes;
}

}  // namespace

struct TrainingBatches::State {
  ClipReader& reader;
  std::vector<Sample> samples;
  LabelSpace labels;
  int64_t batch_size;
  AugmentOptions augment;
  Random random;
  int64_t views;
  Share share;
  std::unique_ptr<SampleOrder> order = nullptr;
  Buffers buffers = {};
  std::atomic<bool> stopping = false;
  std::unique_ptr<Prefetch> prefetch;  // last: its threads end before what they use

  Batch make(int64_t step) {
    const int64_t rows = share.rows(batch_size);
    Batch batch = empty_batch(rows, labels.outputs(), reader.options(), buffers);
    if (views == 2) batch.second = buffers.take(batch.clips.sizes());
    for (int64_t row = 0; row < rows && !stopping; ++row)
      fill(batch, row, share.position(step, batch_size, row));
    return augment.family && !stopping ? augment.family->apply(batch, family_random(step)) : batch;
  }

  // Ranks draw apart; the first draws what a single one does.
  Random family_random(int64_t step) const {
    const Random draws = random.stream("family", step);
    return share.rank == 0 ? draws : draws.stream("rank", share.rank);
  }

  void fill(Batch& batch, int64_t row, int64_t position) {
    std::string reason;
    for (int64_t attempt = 0; attempt < order->attempts(); ++attempt) {
      if (read(batch, row, position, order->at(position, attempt), reason)) return;
    }
    fail("none of the {} training clips can be read (the first: {}), mend the videos or the list",
         samples.size(), reason);
  }

  bool read(Batch& batch, int64_t row, int64_t position, int64_t index, std::string& reason) {
    const Sample& sample = samples[index];
    const auto draw = put_view(batch.clips, row, sample.clip, random.stream("jitter", position),
                               random.stream("augment", position), reason);
    if (!draw) return false;
    if (views == 2 &&
        !put_view(batch.second, row, sample.clip, random.stream("second jitter", position),
                  random.stream("second augment", position), reason))
      return false;
    put_targets(batch, row, sample, draw->flipped);
    batch.rows.mutable_data_ptr<int64_t>()[row] = index;
    batch.weights.mutable_data_ptr<float>()[row] = sample.weight;
    return true;
  }

  // What was drawn; nothing where the clip cannot be read.
  std::optional<AugmentDraw> put_view(torch::Tensor& clips, int64_t row, const Clip& clip,
                                      Random jitter, Random cuts, std::string& reason) {
    const auto view = view_or_reason(reader, clip, &jitter, true, reason);
    if (!view) return std::nullopt;
    const AugmentDraw draw = draw_augment(view->height, view->width, augment, cuts);
    apply_augment(*view, draw, reader.options().size_px,
                  clips.mutable_data_ptr<float>() + row * clips.stride(0));
    return draw;
  }

  void put_targets(Batch& batch, int64_t row, const Sample& sample, bool flipped) const {
    const bool mapped = flipped && !augment.flip_map.empty();
    const auto put = [&](const std::vector<float>& known, torch::Tensor& all) {
      float* out = all.mutable_data_ptr<float>() + row * labels.outputs();
      for (int64_t k = 0; k < std::ssize(known); ++k)
        out[mapped ? augment.flip_map[k] : k] = known[k];
    };
    put(sample.target, batch.targets);
    put(sample.teacher, batch.teacher);
  }
};

TrainingBatches::TrainingBatches(ClipReader& reader, std::vector<Sample> samples, LabelSpace labels,
                                 int64_t batch_size, AugmentOptions augment, bool class_balanced,
                                 Random random, int64_t first_step, int64_t threads, int64_t views,
                                 Share share)
    : state_(new State{reader, std::move(samples), labels, batch_size, std::move(augment), random,
                       views, share}) {
  State& state = *state_;
  if (state.samples.empty()) fail("there is no clip to train on, label some first");
  expect(share.rank >= 0 && share.rank < share.ranks && share.ranks <= batch_size,
         "every rank has a clip of each batch");
  expect(views == 1 || views == 2, "one view of a clip, or two");
  expect(views == 1 || !state.augment.family || state.augment.family.name == "none",
         "a family of augment works on batches of one view");
  expect(state.augment.flip_labels.empty() || std::ssize(state.augment.flip_map) == labels.classes,
         "flip_labels are resolved");
  for (const auto& sample : state.samples) {
    for (const auto* known : {&sample.target, &sample.teacher})
      expect(known->empty() || std::ssize(*known) == labels.outputs(), "K probabilities");
  }
  const Random order = random.stream("order");
  state.order = class_balanced
                    ? std::make_unique<SampleOrder>(classes_of(state.samples, *labels.task), order)
                    : std::make_unique<SampleOrder>(std::ssize(state.samples), order);
  state.prefetch =
      std::make_unique<Prefetch>([&state](int64_t step) { return state.make(step); }, first_step,
                                 std::numeric_limits<int64_t>::max() / 2, threads);
}

TrainingBatches::~TrainingBatches() { state_->stopping = true; }

Batch TrainingBatches::next() { return state_->prefetch->next(); }

}  // namespace distal
