#include "distal/data/read_ahead.h"

#include <atomic>
#include <unordered_map>

#include <ATen/Parallel.h>

#include "distal/base/error.h"
#include "distal/base/parallel.h"
#include "distal/base/progress.h"
#include "distal/data/cache_error.h"

namespace distal {

void read_ahead(ClipReader& reader, const std::vector<ClipReader::Ahead>& clips, Progress& progress,
                const std::string& what) {
  std::unordered_map<std::string_view, size_t> number;
  std::vector<std::vector<ClipReader::Ahead>> videos;  // in the order of their first clips
  int64_t count = 0;
  for (const auto& ahead : clips) {
    if (!ahead.clip->filmed()) continue;
    const auto [at, fresh] = number.emplace(ahead.clip->video.str(), videos.size());
    if (fresh) videos.emplace_back();
    videos[at->second].push_back(ahead);
    ++count;
  }
  std::atomic<int64_t> done = 0;
  progress.begin(what, count, "clips");
  for_each(std::ssize(videos), at::get_num_threads(), [&](int64_t i) {
    try {
      reader.read_ahead(videos[i]);
    } catch (const CacheError&) {
      throw;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {  // in the reader's quarantine
    }
    progress.step(done += std::ssize(videos[i]));
  });
  progress.end();
}

}  // namespace distal
