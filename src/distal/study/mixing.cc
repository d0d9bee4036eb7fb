#include "distal/study/mixing.h"

#include <cmath>
#include <set>

#include "distal/base/interrupted.h"
#include "distal/base/random.h"

namespace distal {
namespace {

std::vector<Clip> filmed_clips(const LabeledSet& known) {
  std::vector<Clip> filmed;
  for (const Sample& sample : known.samples) {
    if (sample.clip.filmed()) filmed.push_back(sample.clip);
  }
  return filmed;
}

// Uncertain clips first, each once a pass, until there are enough mixes that nobody asked about.
std::vector<Mix> uncertain_mixes(Trainer& trainer, Net& student, const Pixels& mixable,
                                 int64_t count, const MixesOptions& options,
                                 const std::vector<Mix>& before, const Random& random,
                                 const Task& task) {
  constexpr uint64_t kPasses = 1000;
  std::vector<torch::Tensor> parts;
  for (const auto& part : mixable.values.split(options.batch))
    parts.push_back(trainer.probabilities(student, part.to(torch::kFloat32)));
  const torch::Tensor all = torch::cat(parts);
  using Row = std::tuple<int64_t, int64_t, int64_t>;
  const auto row = [](const Mix& mix) { return Row{mix.i, mix.j, std::llround(mix.lambda * 1e4)}; };
  std::set<Row> seen;
  for (const Mix& mix : before) seen.insert(row(mix));
  std::vector<Mix> mixes;
  for (uint64_t pass = 0; std::ssize(mixes) < count && pass < kPasses; ++pass) {
    for (const Mix& mix : unixkd(all, count - std::ssize(mixes), options.uncertainty, options,
                                 random.stream("unixkd", pass), task)) {
      if (seen.insert(row(mix)).second) mixes.push_back(mix);
    }
  }
  return mixes;
}

std::vector<Mix> asked_before(const LabeledSet& known, const std::vector<Clip>& clips) {
  std::map<std::string, int64_t> rows;
  for (int64_t i = 0; i < std::ssize(clips); ++i) rows[clips[i].key()] = i;
  std::vector<Mix> mixes;
  for (const Sample& sample : known.samples) {
    if (!sample.clip.mixed) continue;
    Clip first = sample.clip;
    first.mixed = nullptr;
    const auto i = rows.find(first.key());
    const auto j = rows.find(sample.clip.mixed->other.key());
    if (i != rows.end() && j != rows.end())
      mixes.push_back({i->second, j->second, sample.clip.mixed->lambda});
  }
  return mixes;
}

// Rows move when a video has become unreadable: the same mixes as the pool names them now, of the
// pairs that it has.
std::vector<Mix> in_pool(std::vector<Mix> mixes, int64_t clips) {
  const auto shift = [&](const Mix& mix) { return (mix.j - mix.i + clips) % clips; };
  for (Mix& mix : mixes) {
    if (shift(mix) > (clips - 1) / 2) mix = {mix.j, mix.i, 1 - mix.lambda};
  }
  std::erase_if(mixes, [&](const Mix& mix) { return shift(mix) > (clips - 1) / 2; });
  return mixes;
}

}  // namespace

ChosenMixes choose_mixes(Trainer& trainer, const ArmOptions& arm, const Model& student,
                         const LabeledSet& known, Random random, const Task& task) {
  const MixesOptions& options = *arm.mixes;
  const auto count = static_cast<int64_t>(arm.budget);
  const std::vector<Clip> filmed = filmed_clips(known);
  const Pixels mixable = student ? trainer.pixels(filmed) : Pixels{filmed, {}};
  const std::vector<Mix> before = asked_before(known, mixable.clips);
  ChosenMixes chosen;
  std::vector<Mix> mixes;
  if (options.criterion == "unixkd") {
    mixes = uncertain_mixes(trainer, *student, mixable, count, options, before, random, task);
    chosen.forwards = std::ssize(mixable.clips);
  } else {
    MixPool pool(std::ssize(mixable.clips), options);
    pool.exclude(in_pool(before, std::ssize(mixable.clips)));
    const auto predict = [&](const torch::Tensor& pixels) {
      check_interrupted();
      return trainer.probabilities(*student, pixels);
    };
    const MixSelection selection =
        pool.select(student ? confidence_of(mixable.values, predict, options.fade, task) : nullptr,
                    count, random);
    mixes = selection.mixes;
    chosen.forwards = selection.forwards;
  }
  for (const Mix& mix : mixes)
    chosen.clips.push_back(
        mixed_clip(mixable.clips[mix.i], mixable.clips[mix.j], mix.lambda, options.fade));
  return chosen;
}

}  // namespace distal
