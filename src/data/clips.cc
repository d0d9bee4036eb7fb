#include <atomic>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/parallel.h"
#include "data/lists.h"

namespace distal {
namespace {

constexpr int64_t kProbeThreads = 2;

struct Video {
  std::string path;
  std::vector<const Row*> rows;
  ClipList made;  // of this video
};

std::vector<Video> videos_of(const std::vector<Row>& rows, const std::string& folder) {
  std::vector<Video> videos;
  std::unordered_map<std::string, size_t> index;
  for (const auto& row : rows) {
    const auto [at, fresh] = index.emplace(row.path, videos.size());
    if (fresh) videos.push_back({(std::filesystem::path(folder) / row.path.str()).string()});
    videos[at->second].rows.push_back(&row);
  }
  return videos;
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

void add_segments(Video& video, const VideoInfo& info, const std::vector<Span>& spans, const ClipOptions& options, const Classes& classes) {
  for (int64_t k = 0;; ++k) {
    const double start_s = static_cast<double>(k) * options.stride_s, end_s = std::min(start_s + options.length_s, info.duration_s);
    if (k > 0 && end_s - start_s < options.length_s / 2) break;
    const double middle_s = (start_s + end_s) / 2;
    const auto span = std::find_if(spans.begin(), spans.end(), [&](const Span& s) { return s.start_s <= middle_s && middle_s < s.end_s; });
    if (span == spans.end() || span->row->label == kUnlabelled) {
      ++video.made.unlabelled_segments;
    } else {
      video.made.clips.push_back({video.path, info.id, start_s, end_s, span->row->group, label_of(*span->row, classes)});
    }
    if (end_s >= info.duration_s) break;
  }
}

void add_clips(Video& video, const VideoInfo& info, const ClipOptions& options, const Classes& classes) {
  std::vector<Span> spans;
  for (const Row* row : video.rows) {
    if (const auto span = span_of(*row, info)) {
      spans.push_back({span->first, span->second, row});
    } else {
      video.made.quarantined.push_back({video.path, fmt::format("{}: the span begins after the end of the video ({} frames, {:.3f} s)",
                                                                row->place, info.frames(), info.duration_s)});
    }
  }
  if (options.unit == "segment") {
    add_segments(video, info, spans, options, classes);
    return;
  }
  for (const auto& span : spans) {
    if (span.row->label == kUnlabelled) {
      ++video.made.unlabelled_segments;
    } else {
      video.made.clips.push_back({video.path, info.id, span.start_s, span.end_s, span.row->group, label_of(*span.row, classes)});
    }
  }
}

using Probe = std::function<VideoInfo(const std::string&)>;

// What was probed does not outlive this: frame times of thousands of videos are gigabytes.
void make_clips_of(Video& video, const ClipOptions& options, const Classes& classes, const Probe& probe_video) {
  VideoInfo info;
  try {
    info = reading_video(video.path, [&] { return probe_video(video.path); });
    if (info.frames() == 0 || !(info.duration_s > 0)) fail("{}: no frame is left to show", video.path);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    video.made.quarantined.push_back({video.path, error.what()});
    return;
  }
  if (!info.damage.empty()) video.made.damaged.push_back({video.path, fmt::format("{}", fmt::join(info.damage, "; "))});
  add_clips(video, info, options, classes);
}

// Many damaged videos are a few lines and a number.
void say_damage(const std::vector<Quarantined>& damaged, Progress& progress) {
  constexpr size_t kMost = 20;
  for (size_t i = 0; i < std::min(damaged.size(), kMost); ++i) progress.say(damaged_sentence(damaged[i].path, damaged[i].reason));
  if (damaged.size() > kMost) progress.say(fmt::format("{} more videos are damaged; distal probe says of each what is wrong", damaged.size() - kMost));
}

// Keys of a video are remembered where another has the same content.
ClipList joined(std::vector<Video> videos) {
  ClipList all;
  std::unordered_map<std::string_view, std::pair<int64_t, std::unordered_set<std::string>>> contents;  // by video_id: videos, keys
  size_t most = 0;
  for (const auto& video : videos) {
    most += video.made.clips.size();
    if (!video.made.clips.empty()) ++contents[video.made.clips.front().video_id.str()].first;
  }
  all.clips.reserve(most);
  for (auto& [path, rows, made] : videos) {
    std::unordered_set<std::string> own;
    for (Clip& clip : std::exchange(made.clips, {})) {
      auto& [copies, shared] = contents.at(clip.video_id.str());
      if ((copies > 1 ? shared : own).insert(clip.key()).second) all.clips.push_back(std::move(clip));
      else ++all.duplicates;
    }
    std::move(made.quarantined.begin(), made.quarantined.end(), std::back_inserter(all.quarantined));
    std::move(made.damaged.begin(), made.damaged.end(), std::back_inserter(all.damaged));
    all.unlabelled_segments += made.unlabelled_segments;
  }
  return all;
}

}  // namespace

ClipList make_clips(const std::vector<Row>& rows, const std::string& folder, const ClipOptions& options,
                    const Classes& classes, const Probe& probe_video, Progress& progress) {
  for (const auto& row : rows) label_of(row, classes);  // a wrong list is refused before any video is opened
  auto videos = videos_of(rows, folder);
  progress.begin("probing", std::ssize(videos), "videos");
  std::atomic<int64_t> done = 0;
  for_each(std::ssize(videos), kProbeThreads, [&](int64_t i) {
    make_clips_of(videos[i], options, classes, probe_video);
    progress.step(++done);
  });
  progress.end();
  ClipList all = joined(std::move(videos));
  say_damage(all.damaged, progress);
  return all;
}

}  // namespace distal
