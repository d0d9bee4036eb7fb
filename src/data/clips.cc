#include <atomic>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <fmt/ranges.h>

#include "base/error.h"
#include "data/lists.h"

namespace distal {
namespace {

constexpr int64_t kProbeThreads = 2;

struct Video {
  std::string path;
  std::vector<const Row*> rows;
  VideoInfo info;
  std::string unusable;  // the reason; empty: fine
};

std::vector<Video> videos_of(const std::vector<Row>& rows, const std::string& folder) {
  std::vector<Video> videos;
  std::unordered_map<std::string, size_t> index;
  for (const auto& row : rows) {
    const auto [at, fresh] = index.emplace(row.path, videos.size());
    if (fresh) videos.push_back({(std::filesystem::path(folder) / row.path).string()});
    videos[at->second].rows.push_back(&row);
  }
  return videos;
}

void probe_one(Video& video, const std::function<VideoInfo(const std::string&)>& probe_video) {
  try {
    video.info = probe_video(video.path);
    if (video.info.frames() == 0 || !(video.info.duration_s > 0)) {
      video.unusable = fmt::format("{}: no frame is left to show", video.path);
    }
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    video.unusable = error.what();
  }
}

void probe_all(std::vector<Video>& videos, const std::function<VideoInfo(const std::string&)>& probe_video, Progress& progress) {
  std::atomic<int64_t> next = 0, done = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    try {
      for (int64_t i = next++; i < std::ssize(videos); i = next++) {
        probe_one(videos[i], probe_video);
        progress.step(++done);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
      next = std::ssize(videos);
    }
  };
  progress.begin("probing", std::ssize(videos), "videos");
  {
    std::vector<std::jthread> threads;
    for (int64_t i = 1; i < std::min(kProbeThreads, std::ssize(videos)); ++i) threads.emplace_back(work);
    work();
  }
  progress.end();
  if (error) std::rethrow_exception(error);
}

int64_t label_of(const Row& row, const Classes& classes) {
  if (row.label.empty() || row.label == kUnlabelled) return -1;
  const auto index = classes.index(row.label);
  if (!index) {
    const auto meant = nearest(row.label, classes.names);
    fail("{}: unknown label '{}', {}the classes are {}", row.place, row.label,
         meant ? fmt::format("did you mean '{}'? ", *meant) : "", fmt::join(classes.names, ", "));
  }
  return *index;
}

// The row's span within the video, or nothing where the video ends before it begins.
std::optional<std::pair<double, double>> span_of(const Row& row, const VideoInfo& info) {
  if (row.start_frame < 0) {
    if (row.start_s >= info.duration_s) return std::nullopt;
    return std::pair(row.start_s, std::min(row.end_s, info.duration_s));
  }
  if (row.start_frame >= info.frames()) return std::nullopt;
  const bool inside = row.end_frame + 1 < info.frames();
  return std::pair(info.time_s[row.start_frame], inside ? info.time_s[row.end_frame + 1] : info.duration_s);
}

struct Span {
  double start_s, end_s;
  const Row* row;
};

void add_segments(const Video& video, const std::vector<Span>& spans, const ClipOptions& options, const Classes& classes, ClipList& list) {
  const double duration_s = video.info.duration_s;
  for (int64_t k = 0;; ++k) {
    const double start_s = static_cast<double>(k) * options.stride_s, end_s = std::min(start_s + options.length_s, duration_s);
    if (k > 0 && end_s - start_s < options.length_s / 2) break;
    const double middle_s = (start_s + end_s) / 2;
    const auto span = std::find_if(spans.begin(), spans.end(), [&](const Span& s) { return s.start_s <= middle_s && middle_s < s.end_s; });
    if (span == spans.end() || span->row->label == kUnlabelled) {
      ++list.unlabelled_segments;
    } else {
      list.clips.push_back({video.path, video.info.id, start_s, end_s, span->row->group, label_of(*span->row, classes)});
    }
    if (end_s >= duration_s) break;
  }
}

void add_clips(const Video& video, const ClipOptions& options, const Classes& classes, ClipList& list) {
  if (!video.unusable.empty()) {
    list.quarantined.push_back({video.path, video.unusable});
    return;
  }
  std::vector<Span> spans;
  for (const Row* row : video.rows) {
    if (const auto span = span_of(*row, video.info)) {
      spans.push_back({span->first, span->second, row});
    } else {
      list.quarantined.push_back({video.path, fmt::format("{}: the span begins after the end of the video ({} frames, {:.3f} s)",
                                                           row->place, video.info.frames(), video.info.duration_s)});
    }
  }
  if (options.unit == "segment") {
    add_segments(video, spans, options, classes, list);
    return;
  }
  for (const auto& span : spans) {
    if (span.row->label == kUnlabelled) {
      ++list.unlabelled_segments;
    } else {
      list.clips.push_back({video.path, video.info.id, span.start_s, span.end_s, span.row->group, label_of(*span.row, classes)});
    }
  }
}

}  // namespace

ClipList make_clips(const std::vector<Row>& rows, const std::string& folder, const ClipOptions& options,
                    const Classes& classes, const std::function<VideoInfo(const std::string&)>& probe_video, Progress& progress) {
  for (const auto& row : rows) label_of(row, classes);  // a wrong list is refused before any video is opened
  auto videos = videos_of(rows, folder);
  probe_all(videos, probe_video, progress);
  ClipList list;
  for (const auto& video : videos) add_clips(video, options, classes, list);
  return list;
}

}  // namespace distal
