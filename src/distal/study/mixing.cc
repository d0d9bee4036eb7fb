#include "distal/study/mixing.h"

#include <cmath>
#include <set>

namespace distal {
namespace {

constexpr int64_t kMixBatch = 32;

// The clips that pairs are made of, as uint8 [N, 3, T, H, W], the network's input times 127.5 plus 127.5.
struct Mixable {
  std::vector<Clip> clips;
  torch::Tensor pixels;
};

Mixable read_known(Workbench& bench, const Known& known, bool pixels) {
  std::vector<Clip> filmed;
  for (const Sample& sample : known.samples)
    if (sample.clip.filmed()) filmed.push_back(sample.clip);
  if (!pixels) return {filmed, {}};
  Mixable mixable;
  std::vector<torch::Tensor> parts;
  EvaluationBatches batches(*bench.material.reader, filmed, bench.material.classes.size(), kMixBatch, /*threads=*/1);
  while (const auto batch = batches.next()) {
    for (int64_t i = 0; i < batch->rows.size(0); ++i) mixable.clips.push_back(filmed[batch->rows[i].item<int64_t>()]);
    parts.push_back((batch->clips * 127.5 + 127.5).round_().to(torch::kUInt8));
  }
  if (parts.empty()) fail("mixes: no known clip can be read; see the quarantined videos");
  mixable.pixels = torch::cat(parts);
  return mixable;
}

torch::Tensor probabilities(Net& student, const torch::Tensor& pixels) {
  const torch::NoGradGuard no_grad;
  return student.forward(pixels / 127.5 - 1).logits.softmax(1);
}

// Uncertain clips first, each once a pass, until there are enough mixes that nobody asked about.
std::vector<Mix> uncertain_mixes(Net& student, const Mixable& mixable, int64_t count, const MixesOptions& options, const std::vector<Mix>& before, const Random& random) {
  constexpr uint64_t kPasses = 1000;
  std::vector<torch::Tensor> parts;
  for (const auto& part : mixable.pixels.split(options.batch)) parts.push_back(probabilities(student, part.to(torch::kFloat32)));
  const torch::Tensor all = torch::cat(parts);
  using Row = std::tuple<int64_t, int64_t, int64_t>;
  const auto row = [](const Mix& mix) { return Row{mix.i, mix.j, std::llround(mix.lambda * 1e4)}; };
  std::set<Row> seen;
  for (const Mix& mix : before) seen.insert(row(mix));
  std::vector<Mix> mixes;
  for (uint64_t pass = 0; std::ssize(mixes) < count && pass < kPasses; ++pass)
    for (const Mix& mix : unixkd(all, count - std::ssize(mixes), options.uncertainty, options, random.stream("unixkd", pass)))
      if (seen.insert(row(mix)).second) mixes.push_back(mix);
  return mixes;
}

std::vector<Mix> asked_before(const Known& known, const std::vector<Clip>& clips) {
  std::map<std::string, int64_t> rows;
  for (int64_t i = 0; i < std::ssize(clips); ++i) rows[clips[i].key()] = i;
  std::vector<Mix> mixes;
  for (const Sample& sample : known.samples) {
    if (!sample.clip.mixed) continue;
    Clip first = sample.clip;
    first.mixed = nullptr;
    const auto i = rows.find(first.key()), j = rows.find(sample.clip.mixed->other.key());
    if (i != rows.end() && j != rows.end()) mixes.push_back({i->second, j->second, sample.clip.mixed->lambda});
  }
  return mixes;
}

// Rows move when a video has become unreadable: the same mixes as the pool names them now, of the pairs that it has.
std::vector<Mix> in_pool(std::vector<Mix> mixes, int64_t clips) {
  const auto shift = [&](const Mix& mix) { return (mix.j - mix.i + clips) % clips; };
  for (Mix& mix : mixes)
    if (shift(mix) > (clips - 1) / 2) mix = {mix.j, mix.i, 1 - mix.lambda};
  std::erase_if(mixes, [&](const Mix& mix) { return shift(mix) > (clips - 1) / 2; });
  return mixes;
}

}  // namespace

std::vector<Clip> choose_mixes(Workbench& bench, const Recipe& recipe, const Model& student, const Known& known, Random random, RoundResult& result) {
  const MixesOptions& options = *recipe.mixes;
  const auto count = static_cast<int64_t>(recipe.budget);
  if (student) student->eval();
  const Mixable mixable = read_known(bench, known, student != nullptr);
  const std::vector<Mix> before = asked_before(known, mixable.clips);
  std::vector<Mix> mixes;
  if (options.criterion == "unixkd") {
    mixes = uncertain_mixes(*student, mixable, count, options, before, random);
    result.forwards = std::ssize(mixable.clips);
  } else {
    MixPool pool(std::ssize(mixable.clips), options);
    pool.exclude(in_pool(before, std::ssize(mixable.clips)));
    const Confidence confidence = student ? confidence_of(mixable.pixels, [&](const torch::Tensor& pixels) {
      Progress::check_interrupted();
      return probabilities(*student, pixels);
    }, options.fade) : nullptr;
    const MixSelection selection = pool.select(confidence, count, random);
    mixes = selection.mixes;
    result.forwards = selection.forwards;
  }
  std::vector<Clip> picks;
  for (const Mix& mix : mixes) picks.push_back(mixed_clip(mixable.clips[mix.i], mixable.clips[mix.j], mix.lambda, options.fade));
  return picks;
}

}  // namespace distal
