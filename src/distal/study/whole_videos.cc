#include "distal/study/whole_videos.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/learn/trainer.h"
#include "distal/lists/split.h"
#include "distal/study/dataset.h"

namespace distal {
namespace {

// What the budget counts of a video.
double cost_of(const ClipRefs& video, const std::string& unit) {
  if (unit == "answers") return static_cast<double>(video.size());
  double seconds = 0;
  for (const Clip* clip : video) seconds += clip->duration_s();
  return seconds;
}

double least_cost(const ClipRefs& clips, const std::string& unit) {
  double least = std::numeric_limits<double>::infinity();
  for (const ClipRefs& video : by_video(clips)) least = std::min(least, cost_of(video, unit));
  return least;
}

void require_videos_of(const Arm& arm, const ClipRefs& pool) {
  const ArmOptions& options = arm.options;
  const char* what = "people answer about whole videos, and the shortest of the pool has";
  const double clips = least_cost(pool, "answers");
  if (options.start > 0 && static_cast<double>(options.start) < clips)
    fail("arm {}: start = {}, but {} {:g} clips; raise start to that, or more", arm.name,
         options.start, what, clips);
  if (!options.selects()) return;
  const std::string& unit = options.selection.unit;
  const double cost = least_cost(pool, unit);
  if (options.budget < cost - 1e-6)
    fail("arm {}: budget = {:g} {}, but {} {:g}; raise budget to that, or more", arm.name,
         options.budget, unit, what, cost);
}

}  // namespace

std::vector<ClipRefs> by_video(const ClipRefs& clips) {
  std::vector<ClipRefs> videos;
  std::map<std::string, size_t> at;
  for (const Clip* clip : clips) {
    const auto [found, fresh] = at.try_emplace(clip->video, videos.size());
    if (fresh) videos.emplace_back();
    videos[found->second].push_back(clip);
  }
  return videos;
}

std::vector<Clip> draw_videos(const ClipRefs& clips, int64_t count, Random random) {
  if (count < 0 || count >= std::ssize(clips)) return copies_of(clips);
  const std::vector<ClipRefs> videos = by_video(clips);
  ClipRefs drawn;
  for (const int64_t at : random.permutation(std::ssize(videos))) {
    if (std::ssize(drawn) + std::ssize(videos[at]) > count) continue;
    drawn.insert(drawn.end(), videos[at].begin(), videos[at].end());
  }
  return copies_of(drawn);
}

std::vector<Clip> draw_test_videos(const std::vector<Clip>& clips, int64_t count) {
  if (count < 0 || count >= std::ssize(clips)) return clips;
  const std::vector<ClipRefs> videos = by_video(refs_of(clips));
  std::vector<Interned> groups;
  for (const ClipRefs& video : videos) groups.push_back(video.front()->group);
  std::set<Interned> drawn;
  for (int64_t some = 1, held = 0; held < count; ++some) {
    held = 0;
    drawn.clear();
    for (const int64_t at : draw_evenly(groups, some, /*seed=*/1)) {
      held += std::ssize(videos[at]);
      drawn.insert(videos[at].front()->video);
    }
  }
  std::vector<Clip> kept;
  std::ranges::copy_if(clips, std::back_inserter(kept),
                       [&](const Clip& clip) { return drawn.contains(clip.video); });
  return kept;
}

void require_whole_videos(const Study& study, const Dataset& dataset) {
  const ClipRefs pool = refs_of(dataset.pool);
  for (const Arm& arm : study.arms) require_videos_of(arm, pool);
}

}  // namespace distal
