#include "distal/study/trial_map.h"

#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/base/random.h"
#include "distal/evaluation/pool_map.h"

namespace distal {
namespace {

constexpr size_t kMostKnown = 500;

void add_row(PoolMap& map, const Clip& clip) {
  map.rows.push_back({clip.key(), clip.video.str(), clip.start_s, clip.end_s});
}

// Those that people answered about: where they lie among the others is what one looks for.
torch::Tensor known_rows(const TrialSetup& setup, const Arm& arm, const ScoredPool& pool,
                         const Student& student, const LabeledSet& known, PoolMap& map) {
  const torch::Tensor none = torch::empty({0, pool.scores.embeddings.size(1)});
  if (!setup.study.shared.oracle.people() || known.samples.empty()) return none;
  const std::vector<Sample> some(
      known.samples.begin(), known.samples.begin() + std::min(kMostKnown, known.samples.size()));
  const Predictions seen = embeddings_as_scored(setup.trainer, arm.options, student, refs_of(some),
                                                std::ssize(pool.clips));
  for (int64_t i = 0; i < seen.rows.size(0); ++i)
    add_row(map, some[static_cast<size_t>(seen.rows[i].item<int64_t>())].clip);
  return seen.embeddings;
}

}  // namespace

void keep_pool_map(const TrialSetup& setup, const Arm& arm, int64_t round, const ScoredPool& pool,
                   const Student& student, const LabeledSet& known, const TrialRecord& record) {
  const bool kept = !setup.maps.empty() && record.seed() == setup.study.shared.seed &&
                    pool.scores.embeddings.defined() && !pool.clips.empty();
  if (!kept) return;
  PoolMap map{arm.name, record.seed(), round};
  const torch::Tensor first = known_rows(setup, arm, pool, student, known, map);
  map.total = std::ssize(pool.clips) + std::ssize(map.rows);
  const std::vector<int64_t> drawn =
      Random(static_cast<uint64_t>(record.seed()))
          .stream("map", static_cast<uint64_t>(round))
          .choose(std::ssize(pool.clips), PoolMap::kMostRows - std::ssize(map.rows));
  for (const int64_t row : drawn) add_row(map, *pool.clips[static_cast<size_t>(row)]);
  const torch::Tensor rest = pool.scores.embeddings.index_select(0, torch::tensor(drawn));
  map.embeddings = torch::cat({first, rest});
  try {
    write_pool_map(setup.maps, map);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    setup.progress.say(fmt::format("no map of the pool is kept: {}", error.what()));
  }
}

}  // namespace distal
