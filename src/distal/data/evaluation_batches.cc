#include <algorithm>
#include <atomic>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/data/augment.h"
#include "distal/data/batch_builder.h"
#include "distal/data/batches.h"
#include "distal/data/prefetch.h"

namespace distal {

struct EvaluationBatches::State {
  ClipReader& reader;
  ClipRefs clips;
  LabelSpace labels;
  int64_t batch_size;
  std::optional<AugmentOptions> augment;
  Random random;
  std::vector<Clip> own = {};
  Buffers buffers = {};
  std::atomic<bool> stopping = false;
  std::unique_ptr<Prefetch> prefetch;  // last: its threads end before what they use

  void begin(int64_t threads) {
    expect(batch_size > 0, "a batch has clips");
    expect(!augment || augment->flip == 0 || augment->flip_labels.empty(),
           "flips change no labels");
    const int64_t steps = (std::ssize(clips) + batch_size - 1) / batch_size;
    prefetch =
        std::make_unique<Prefetch>([this](int64_t step) { return make(step); }, 0, steps, threads);
  }

  Batch make(int64_t step) {
    const int64_t first = step * batch_size;
    const int64_t end = std::min(first + batch_size, std::ssize(clips));
    Batch batch = empty_batch(end - first, labels.outputs(), reader.options(), buffers);
    int64_t rows = 0;
    for (int64_t index = first; index < end && !stopping; ++index) rows += read(batch, rows, index);
    return first_rows(batch, rows);
  }

  bool read(Batch& batch, int64_t row, int64_t index) {
    const Clip& clip = *clips[index];
    std::string reason;
    const auto view = view_or_reason(reader, clip, nullptr, false, reason);
    if (!view) return false;
    apply_augment(*view, draw(*view, index), reader.options().size_px, clip_at(batch, row));
    batch.rows.mutable_data_ptr<int64_t>()[row] = index;
    put_target(batch, row, clip);
    return true;
  }

  void put_target(Batch& batch, int64_t row, const Clip& clip) const {
    if (!labels.task->knows(clip.label, labels.classes)) return;
    const std::vector<float> target = labels.task->target(clip.label, labels.classes);
    std::copy(target.begin(), target.end(),
              batch.targets.mutable_data_ptr<float>() + row * labels.outputs());
  }

  AugmentDraw draw(const FrameView& view, int64_t index) const {
    if (!augment) return centre_draw(view.height, view.width);
    Random cuts = random.stream("augment", static_cast<uint64_t>(index));
    return draw_augment(view.height, view.width, *augment, cuts);
  }
};

EvaluationBatches::EvaluationBatches(ClipReader& reader, std::span<const Clip> clips,
                                     LabelSpace labels, int64_t batch_size, int64_t threads)
    : EvaluationBatches(reader, refs_of(clips), labels, batch_size, threads) {}

EvaluationBatches::EvaluationBatches(ClipReader& reader, ClipRefs clips, LabelSpace labels,
                                     int64_t batch_size, int64_t threads)
    : EvaluationBatches(reader, std::move(clips), labels, batch_size, threads, std::nullopt,
                        Random(0)) {}

EvaluationBatches::EvaluationBatches(ClipReader& reader, std::vector<Clip>&& clips,
                                     LabelSpace labels, int64_t batch_size, int64_t threads)
    : EvaluationBatches(reader, std::move(clips), labels, batch_size, threads, std::nullopt,
                        Random(0)) {}

EvaluationBatches::EvaluationBatches(ClipReader& reader, std::span<const Clip> clips,
                                     LabelSpace labels, int64_t batch_size, int64_t threads,
                                     std::optional<AugmentOptions> augment, Random random)
    : EvaluationBatches(reader, refs_of(clips), labels, batch_size, threads, std::move(augment),
                        random) {}

EvaluationBatches::EvaluationBatches(ClipReader& reader, ClipRefs clips, LabelSpace labels,
                                     int64_t batch_size, int64_t threads,
                                     std::optional<AugmentOptions> augment, Random random)
    : state_(new State{reader, std::move(clips), labels, batch_size, std::move(augment), random}) {
  state_->begin(threads);
}

EvaluationBatches::EvaluationBatches(ClipReader& reader, std::vector<Clip>&& clips,
                                     LabelSpace labels, int64_t batch_size, int64_t threads,
                                     std::optional<AugmentOptions> augment, Random random)
    : state_(
          new State{reader, {}, labels, batch_size, std::move(augment), random, std::move(clips)}) {
  state_->clips = refs_of(state_->own);
  state_->begin(threads);
}

EvaluationBatches::~EvaluationBatches() { state_->stopping = true; }

std::optional<Batch> EvaluationBatches::next() {
  while (!state_->prefetch->done()) {
    Batch batch = state_->prefetch->next();
    if (batch.rows.size(0) > 0) return batch;
  }
  return std::nullopt;
}

}  // namespace distal
