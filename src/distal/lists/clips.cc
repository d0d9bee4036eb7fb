#include <atomic>
#include <cmath>
#include <filesystem>
#include <map>
#include <tuple>
#include <unordered_map>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/parallel.h"
#include "distal/base/progress.h"
#include "distal/lists/list_text.h"
#include "distal/lists/lists.h"
#include "distal/lists/reading_video.h"

namespace distal {
namespace {

constexpr int64_t kProbeThreads = 2;

// A row's part of its video.
struct Span {
  double start_s, end_s;
  int64_t row;
};

struct Video {
  std::string path;
  std::vector<int64_t> rows;
  std::vector<Span> spans;  // those that lie in the video
  ClipList made;            // of this video
};

// As the list writes it; a list in Windows-1252 may name files whose names are UTF-8.
std::string path_of(const std::string& folder, const std::string& written) {
  const auto in_folder = [&](const std::string& name) {
    return (std::filesystem::path(folder) / name).string();
  };
  const std::string path = in_folder(written);
  const std::string decoded = utf8_name(written);
  std::error_code unknown;
  return decoded == written || std::filesystem::exists(path, unknown) ||
                 !std::filesystem::exists(in_folder(decoded), unknown)
             ? path
             : in_folder(decoded);
}

std::vector<Video> videos_of(const std::vector<Row>& rows, const std::string& folder) {
  std::vector<Video> videos;
  std::unordered_map<std::string, size_t> index;
  for (int64_t i = 0; i < std::ssize(rows); ++i) {
    const auto [at, fresh] = index.emplace(rows[i].path, videos.size());
    if (fresh) videos.push_back({path_of(folder, rows[i].path), {}, {}, {}});
    videos[at->second].rows.push_back(i);
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

// ---- one label a clip -------------------------------------------------------

// Where a label was given.
struct Labelled {
  std::string label, video, place;
};

[[noreturn]] void refuse_two_labels(const Labelled& one, const Labelled& other,
                                    const std::string& part) {
  const std::string copy =
      one.video == other.video ? "" : fmt::format(" ({} has the same content)", one.video);
  fail("{}: {}{}, {}, has the label '{}' here and '{}' at {}; a clip has one label, several are "
       "not learned: leave one of the rows out, or call both by one class such as '{}+{}'",
       other.place, other.video, copy, part, other.label, one.label, one.place, one.label,
       other.label);
}

std::string part_text(double start_s, double end_s) {
  return fmt::format("{:.3f} .. {:.3f} s", start_s, end_s);
}

// Before any video is opened: rows that write the same part of the same file.
void require_one_label_as_written(const Video& video, const std::vector<Row>& rows) {
  std::map<std::tuple<double, double, int64_t, int64_t>, const Row*> parts;
  for (const int64_t i : video.rows) {
    const Row& row = rows[i];
    if (row.label.empty()) continue;
    const Row& first =
        *parts.try_emplace({row.start_s, row.end_s, row.start_frame, row.end_frame}, &row)
             .first->second;
    if (first.label == row.label) continue;
    const std::string part =
        row.start_frame >= 0 ? fmt::format("frames {} .. {}", row.start_frame, row.end_frame)
        : row.start_s > 0 || std::isfinite(row.end_s) ? part_text(row.start_s, row.end_s)
                                                      : "the whole video";
    refuse_two_labels({first.label, video.path, first.place}, {row.label, video.path, row.place},
                      part);
  }
}

// What names the content of a video whose clips were made: its hash, or its path where it is not
// known yet (videos to come), as in Clip::key.
std::string_view content_of(const Video& video) {
  const Clip& clip = video.made.clips.front();
  return clip.video_id.empty() ? clip.video.str() : clip.video_id.str();
}

int64_t milliseconds(double seconds) {
  return std::llround(seconds * 1000);
}  // as Clip::key has it

// Once contents and durations are known: spans of one content that are the same to the millisecond.
void require_one_label_of_spans(const std::vector<Video>& videos, const std::vector<Row>& rows) {
  std::map<std::tuple<std::string_view, int64_t, int64_t>, std::pair<const Video*, const Row*>>
      parts;
  std::unordered_map<std::string_view, int64_t> copies;
  for (const Video& video : videos) {
    if (!video.made.clips.empty()) ++copies[content_of(video)];
  }
  for (const Video& video : videos) {
    if (video.made.clips.empty()) continue;
    const std::string_view content = content_of(video);
    if (video.spans.size() < 2 && copies.at(content) < 2) continue;
    for (const Span& span : video.spans) {
      const Row& row = rows[span.row];
      if (row.label.empty()) continue;
      const auto [first_video, first] =
          parts
              .try_emplace({content, milliseconds(span.start_s), milliseconds(span.end_s)}, &video,
                           &row)
              .first->second;
      if (first->label != row.label)
        refuse_two_labels({first->label, first_video->path, first->place},
                          {row.label, video.path, row.place}, part_text(span.start_s, span.end_s));
    }
  }
}

// ---- clips ------------------------------------------------------------------

// The row's span within the video, or nothing where the video ends before it begins.
std::optional<std::pair<double, double>> span_of(const Row& row, const VideoInfo& info) {
  if (row.start_frame < 0) {
    if (row.start_s >= info.duration_s) return std::nullopt;
    return std::pair(row.start_s, std::min(row.end_s, info.duration_s));
  }
  if (row.start_frame >= info.frames()) return std::nullopt;
  const bool inside = row.end_frame < info.frames() - 1;
  return std::pair(info.time_s[row.start_frame],
                   inside ? info.time_s[row.end_frame + 1] : info.duration_s);
}

void add_clip(Video& video, const VideoInfo& info, double start_s, double end_s, int64_t at,
              const std::vector<Row>& rows, const Classes& classes) {
  const Row& row = rows[at];
  video.made.clips.push_back(
      {video.path, info.id, start_s, end_s, row.group, label_of(row, classes)});
  video.made.origins.push_back({row.place, at, row.grouped});
}

void add_segments(Video& video, const VideoInfo& info, const ClipOptions& options,
                  const std::vector<Row>& rows, const Classes& classes) {
  for (int64_t k = 0;; ++k) {
    const double start_s = static_cast<double>(k) * options.stride_s;
    const double end_s = std::min(start_s + options.length_s, info.duration_s);
    if (k > 0 && end_s - start_s < options.length_s / 2) break;
    const double middle_s = (start_s + end_s) / 2;
    const auto span = std::find_if(video.spans.begin(), video.spans.end(), [&](const Span& s) {
      return s.start_s <= middle_s && middle_s < s.end_s;
    });
    if (span == video.spans.end() || rows[span->row].label == kUnlabelled)
      ++video.made.unlabelled_segments;
    else
      add_clip(video, info, start_s, end_s, span->row, rows, classes);
    if (end_s >= info.duration_s) break;
  }
}

void add_clips(Video& video, const VideoInfo& info, const ClipOptions& options,
               const std::vector<Row>& rows, const Classes& classes) {
  for (const int64_t i : video.rows) {
    if (const auto span = span_of(rows[i], info)) {
      video.spans.push_back({span->first, span->second, i});
    } else {
      ++video.made.refused_rows;
      video.made.quarantined.push_back(
          {video.path,
           fmt::format("{}: the span begins after the end of the video ({} frames, {:.3f} s)",
                       rows[i].place, info.frames(), info.duration_s)});
    }
  }
  if (options.unit == "segment") {
    add_segments(video, info, options, rows, classes);
    return;
  }
  for (const Span& span : video.spans) {
    if (rows[span.row].label == kUnlabelled)
      ++video.made.unlabelled_segments;
    else
      add_clip(video, info, span.start_s, span.end_s, span.row, rows, classes);
  }
}

using Probe = std::function<VideoInfo(const std::string&)>;

// What was probed does not outlive this: frame times of thousands of videos are gigabytes.
void make_clips_of(Video& video, const ClipOptions& options, const std::vector<Row>& rows,
                   const Classes& classes, const Probe& probe_video) {
  VideoInfo info;
  try {
    info = reading_video(video.path, [&] { return probe_video(video.path); });
    if (info.frames() == 0 || !(info.duration_s > 0))
      fail("{}: no frame is left to show", video.path);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    video.made.quarantined.push_back({video.path, error.what()});
    video.made.refused_rows = std::ssize(video.rows);
    return;
  }
  if (!info.damage.empty())
    video.made.damaged.push_back({video.path, fmt::format("{}", fmt::join(info.damage, "; "))});
  add_clips(video, info, options, rows, classes);
}

// Many damaged videos are a few lines and a number.
void say_damage(const std::vector<Quarantined>& damaged, Progress& progress) {
  constexpr size_t kMost = 20;
  for (size_t i = 0; i < std::min(damaged.size(), kMost); ++i)
    progress.say(damaged_sentence(damaged[i].path, damaged[i].reason));
  if (damaged.size() > kMost)
    progress.say(fmt::format("{} more videos are damaged; distal probe says of each what is wrong",
                             damaged.size() - kMost));
}

// The clips of all videos, each key once. Keys of a video are remembered where another has the same
// content.
class Joining {
 public:
  Joining(std::vector<Video> videos, const Classes& classes)
      : videos_(std::move(videos)), classes_(classes) {}

  ClipList joined() {
    size_t most = 0;
    for (const auto& video : videos_) {
      most += video.made.clips.size();
      if (!video.made.clips.empty()) ++contents_[video.made.clips.front().video_id.str()].copies;
    }
    all_.clips.reserve(most);
    all_.origins.reserve(most);
    for (Video& video : videos_) add(video);
    return std::move(all_);
  }

 private:
  using Keys = std::unordered_map<std::string, size_t>;  // to the clip in all_
  struct Content {
    int64_t copies = 0;
    Keys keys;
  };

  void add(Video& video) {
    Keys own;
    for (size_t i = 0; i < video.made.clips.size(); ++i) {
      const Clip& clip = video.made.clips[i];
      Content& content = contents_.at(clip.video_id.str());
      const auto [at, fresh] =
          (content.copies > 1 ? content.keys : own).try_emplace(clip.key(), all_.clips.size());
      if (fresh) {
        all_.clips.push_back(clip);
        all_.origins.push_back(video.made.origins[i]);
      } else {
        ++all_.duplicates;
        merge(at->second, clip, video.made.origins[i]);
      }
    }
    std::move(video.made.quarantined.begin(), video.made.quarantined.end(),
              std::back_inserter(all_.quarantined));
    std::move(video.made.damaged.begin(), video.made.damaged.end(),
              std::back_inserter(all_.damaged));
    all_.unlabelled_segments += video.made.unlabelled_segments;
    all_.refused_rows += video.made.refused_rows;
    video.made = {};
  }

  // Copies may have spans of different labels around the middle of one segment.
  void merge(size_t at, const Clip& clip, const ClipOrigin& origin) {
    Clip& first = all_.clips[at];
    if (first.label >= 0 && clip.label >= 0 && first.label != clip.label) {
      refuse_two_labels({classes_.names[first.label], first.video, all_.origins[at].place},
                        {classes_.names[clip.label], clip.video, origin.place},
                        part_text(clip.start_s, clip.end_s));
    }
    if (first.label < 0) first.label = clip.label;
  }

  std::vector<Video> videos_;
  const Classes& classes_;
  std::unordered_map<std::string_view, Content> contents_;  // by video_id
  ClipList all_;
};

}  // namespace

ClipList make_clips(const std::vector<Row>& rows, const std::string& folder,
                    const ClipOptions& options, const Classes& classes, const Probe& probe_video,
                    Progress& progress) {
  for (const auto& row : rows)
    label_of(row, classes);  // a wrong list is refused before any video is opened
  auto videos = videos_of(rows, folder);
  for (const Video& video : videos) require_one_label_as_written(video, rows);
  progress.begin("probing", std::ssize(videos), "videos");
  std::atomic<int64_t> done = 0;
  for_each(std::ssize(videos), kProbeThreads, [&](int64_t i) {
    make_clips_of(videos[i], options, rows, classes, probe_video);
    progress.step(++done);
  });
  progress.end();
  require_one_label_of_spans(videos, rows);
  ClipList all = Joining(std::move(videos), classes).joined();
  say_damage(all.damaged, progress);
  return all;
}

void require_one_label(const std::vector<RoleClips>& lists, const Classes& classes) {
  struct Seen {
    const RoleClips* list;
    int64_t clip;
  };
  std::unordered_map<std::string, Seen> seen;
  const auto labelled = [&](const Seen& at, bool with_role) {
    const Clip& clip = at.list->list->clips[at.clip];
    const std::string place = at.list->list->origins[at.clip].place;
    return Labelled{classes.names[clip.label], clip.video,
                    with_role ? fmt::format("{} ({})", place, at.list->role) : place};
  };
  for (const RoleClips& list : lists) {
    for (int64_t i = 0; i < std::ssize(list.list->clips); ++i) {
      const Clip& clip = list.list->clips[i];
      if (clip.label < 0 || clip.video_id.empty()) continue;
      const Seen here{&list, i};
      const Seen first = seen.try_emplace(clip.key(), here).first->second;
      if (first.list->list->clips[first.clip].label != clip.label)
        refuse_two_labels(labelled(first, true), labelled(here, false),
                          part_text(clip.start_s, clip.end_s));
    }
  }
}

}  // namespace distal
