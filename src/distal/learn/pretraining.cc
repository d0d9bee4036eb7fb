#include "distal/learn/pretraining.h"

#include <set>

#include "distal/base/error.h"
#include "distal/base/fingerprint.h"
#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/models/device.h"
#include "distal/models/model.h"
#include "distal/models/weights.h"
#include "distal/pretext/taco.h"
#include "distal/train/kept.h"

namespace distal {
namespace {

// Of everything that determines the pre-trained weights.
std::string pretraining_fingerprint(const Net& fresh, PretextOptions pretext, InputOptions views,
                                    int64_t frames, const std::vector<Clip>& pool, Random random) {
  const TrainingOptions plain;
  pretext.training.threads = plain.threads;
  pretext.training.checkpoint_every = plain.checkpoint_every;
  views.deadline_s = InputOptions().deadline_s;
  Fingerprint print;
  print.add(pretext).add(views).add(static_cast<uint64_t>(frames)).add(random());
  add_tensors(print, state(fresh));
  for (const Clip& clip : pool) print.add(clip.key());
  return print.hex();
}

void copy_weights(const Net& from, const Net& to, bool with_classifier) {
  const torch::NoGradGuard no_grad;
  const auto sources = state(from);
  const auto targets = state(to);
  for (size_t i = 0; i < sources.size(); ++i) {
    if (with_classifier || !targets[i].first.starts_with("fc."))
      targets[i].second.copy_(sources[i].second);
  }
}

}  // namespace

Model unfrozen(const Learner& learner, int64_t classes) {
  ModelOptions model = learner.model;
  model.freeze.clear();
  return model.build(classes, Random(0));
}

Pretraining::Pretraining(InputOptions input, CacheOptions cache, std::vector<Clip> pool,
                         std::string folder, Progress& progress)
    : input_(std::move(input)),
      cache_(std::move(cache)),
      pool_(std::move(pool)),
      folder_(std::move(folder)),
      progress_(progress) {}

void Pretraining::start(Net& net, const Learner& learner, int64_t classes, Random random) {
  expect(learner.pretext.has_value(), "there is something to pre-train by");
  PretextOptions pretext = *learner.pretext;
  pretext.training.steps = pretext.training.steps_for(std::ssize(pool_));
  const Model trained = unfrozen(learner, classes);
  trained->to(device_for(pretext.training.device, "pretext.training.device"));
  copy_weights(net, *trained, /*with_classifier=*/true);
  const std::string stem =
      fmt::format("{}/pretext-{}", folder_,
                  pretraining_fingerprint(*trained, pretext, views(pretext), input_.sampling.frames,
                                          pool_, random));
  const std::string finished = stem + ".safetensors";
  const std::string checkpoint = stem + ".checkpoint.safetensors";
  account_.clear();
  if (const auto kept = load_kept(finished, progress_)) {
    load_into(*trained, *kept);
  } else {
    fit_views(
        *trained, [&] { return unfrozen(learner, classes); }, pretext, random, checkpoint);
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

// A clip that is too short repeats its last frame in a view, which is a still: speeds and orders
// cannot be told there.
void Pretraining::require_long_enough(ClipReader& reader) {
  const SamplingOptions& sampling = reader.options().sampling;
  const int64_t wanted = (sampling.frames - 1) * sampling.stride + 1;
  int64_t readable = 0;
  int64_t short_ones = 0;
  for (const Clip& clip : pool_) {
    check_interrupted();
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
    fail("pretext: no clip of the pool has the {} frames of a view; lower pretext.stride, the "
         "largest of speed.strides, or input.sampling.frames",
         wanted);
  if (short_ones > 0)
    progress_.say(fmt::format("pre-training: {} of {} clips have fewer than the {} frames of a "
                              "view and repeat their last",
                              short_ones, readable, wanted));
}

void Pretraining::fit_views(Net& net, const std::function<Model()>& twin,
                            const PretextOptions& pretext, Random random,
                            const std::string& checkpoint) {
  ClipReader reader(views(pretext), cache_);
  require_long_enough(reader);
  Taco taco(pretext, net, twin, input_.sampling.frames, std::ssize(pool_), random.stream("heads"));
  std::vector<Sample> samples;
  for (const Clip& clip : pool_) samples.push_back({clip, {}, 1, {}});
  const TrainingOptions& training = pretext.training;
  BatchStream stream;
  stream.open = [&](int64_t first) {
    const auto batches = std::make_shared<TrainingBatches>(
        reader, samples, /*classes=*/1, training.batch_size, pretext.augment,
        /*class_balanced=*/false, random.stream("batches"), first, training.threads,
        pretext.contrasts() ? 2 : 1);
    return [batches, &taco, draws = random.stream("tasks"), micro = first]() mutable {
      return taco.prepare(batches->next(), draws.stream("batch", static_cast<uint64_t>(micro++)));
    };
  };
  stream.describe = [&](const torch::Tensor& rows) {
    std::set<std::string> videos;
    for (int64_t i = 0; i < rows.size(0); ++i)
      videos.insert(samples[rows[i].item<int64_t>()].clip.video);
    std::string text;
    for (const auto& video : videos) text += (text.empty() ? "" : ", ") + video;
    return text;
  };
  progress_.begin("pre-training", training.steps, "steps");
  fit(net, training, taco, stream, random.stream("fit"), checkpoint, progress_, single_rank(),
      watch_);
  progress_.end();
  account_ = taco.account();
  progress_.say(fmt::format("pre-trained on {} clips: {}", pool_.size(), account_));
  for (const Quarantined& video : reader.quarantined())
    progress_.say(fmt::format("pre-training could not read {}: {}", video.path, video.reason));
}

}  // namespace distal
