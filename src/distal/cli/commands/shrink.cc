#include <mutex>
#include <set>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/leftovers.h"
#include "distal/base/parallel.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/data/cache_error.h"
#include "distal/data/frame_cache.h"
#include "distal/data/probe_cache.h"
#include "distal/lists/csv.h"
#include "distal/lists/list_text.h"
#include "distal/lists/lists.h"
#include "distal/video/decoder.h"
#include "distal/video/shrink.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

struct ShrinkArguments {
  std::string folder, out;
  std::vector<std::string> lists;
  ShrinkOptions options;
  int64_t threads = 2;
  bool dry_run = false;
  bool quiet = false;
  bool json = false;
};

struct OutcomeOfShrink {
  int64_t made = 0;
  int64_t kept = 0;
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;
  std::vector<Quarantined> bad;      // path as in the list
  std::vector<Quarantined> damaged;  // copied all the same
  std::vector<std::string> lists;
  // 16 frames of some videos
  double before_s = 0;
  double after_s = 0;
  int64_t timed = 0;
};

std::string name_of_copy(const std::string& path) {
  return fs::path(path).extension() == ".mp4" ? path : path + ".mp4";
}

// All lists of the folder, or those named.
std::vector<std::string> lists_of(const ShrinkArguments& arguments) {
  if (!arguments.lists.empty()) return arguments.lists;
  std::vector<std::string> lists;
  if (!fs::is_directory(arguments.folder))
    fail("{}: no such folder; name that of the lists (.csv)", arguments.folder);
  for (const auto& entry : fs::directory_iterator(arguments.folder)) {
    if (entry.path().extension() == ".csv") lists.push_back(entry.path().filename().string());
  }
  std::sort(lists.begin(), lists.end());
  if (lists.empty()) fail("{}: no list (.csv) in it; distal import makes them", arguments.folder);
  return lists;
}

// What every command keeps of what it probed; nothing where there is no place for it.
std::optional<ProbeCache> kept_probes() {
  try {
    return ProbeCache(CacheOptions{}.probes_folder());
  } catch (const CacheError&) {
    return std::nullopt;
  }
}

class Shrinking {
 public:
  Shrinking(const ShrinkArguments& arguments, Progress& progress)
      : arguments_(arguments), progress_(progress), lists_(lists_of(arguments)) {
    if (fs::exists(arguments.out) && fs::equivalent(arguments.out, arguments.folder))
      throw UsageError("--out is the folder of the videos; copies want one of their own");
    std::set<std::string> seen;
    for (const auto& list : lists_) {
      for (const Row& row : read_rows(arguments.folder + "/" + list, "", /*labelled=*/false)) {
        if (fs::path(row.path.str()).is_absolute() ||
            fs::path(row.path.str()).lexically_normal().string().starts_with(".."))
          fail("{}: {} lies outside of {}; shrink the folder it lies in", row.place, row.path,
               arguments.folder);
        if (seen.insert(row.path).second) videos_.push_back(row.path);
      }
    }
  }

  OutcomeOfShrink run() {
    if (arguments_.dry_run) return dry();
    clear_leftovers(arguments_.out, /*deep=*/true);
    progress_.begin("shrinking", std::ssize(videos_), "videos");
    int64_t done = 0;
    for_each(std::ssize(videos_), arguments_.threads, [&](int64_t i) {
      copy(videos_[static_cast<size_t>(i)]);
      const std::lock_guard lock(mutex_);
      progress_.step(++done);
    });
    progress_.end();
    for (const auto& list : lists_) write_list(list);
    time();
    return std::move(outcome_);
  }

 private:
  std::string source(const std::string& path) const { return arguments_.folder + "/" + path; }
  std::string target(const std::string& path) const {
    return arguments_.out + "/" + name_of_copy(path);
  }

  OutcomeOfShrink dry() {
    for (const auto& path : videos_) {
      const auto stamp = FileStamp::of(source(path));
      if (!stamp)
        outcome_.bad.push_back({path, source(path) + ": no such file"});
      else if (is_shrunk(target(path), *stamp, arguments_.options))
        ++outcome_.kept;
      else
        ++outcome_.made;
    }
    return std::move(outcome_);
  }

  VideoInfo probed(const std::string& path, const FileStamp& stamp) const {
    if (auto known = probes_ ? probes_->find(path, stamp) : std::nullopt) return *std::move(known);
    VideoInfo info = probe(path);
    if (probes_) probes_->store(path, info.stamp(), info);
    return info;
  }

  // A bad video costs itself alone; a copy that cannot be written ends all.
  void copy(const std::string& path) {
    bool kept = true;
    try {
      const auto stamp = FileStamp::of(source(path));
      if (!stamp) fail("{}: no such file", source(path));
      const VideoInfo info =
          probed(source(path), *stamp);  // also of one that has its copy: damage is said each time
      kept = is_shrunk(target(path), *stamp, arguments_.options);
      if (!kept) {
        make_folder(fs::path(target(path)).parent_path().string());
        shrink(info, target(path), arguments_.options);
      }
      if (!info.damage.empty()) note_damage(info);
    } catch (const CopyError&) {
      throw;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      const std::lock_guard lock(mutex_);
      outcome_.bad.push_back({path, error.what()});
      return;
    }
    const std::lock_guard lock(mutex_);
    ++(kept ? outcome_.kept : outcome_.made);
    outcome_.bytes_before += static_cast<int64_t>(fs::file_size(source(path)));
    outcome_.bytes_after += static_cast<int64_t>(fs::file_size(target(path)));
  }

  void note_damage(const VideoInfo& info) {
    const std::lock_guard lock(mutex_);
    outcome_.damaged.push_back({info.path, fmt::format("{}", fmt::join(info.damage, "; "))});
  }

  // The same rows with the copies' paths, less those of bad videos.
  void write_list(const std::string& list) {
    const std::string from = arguments_.folder + "/" + list;
    std::set<std::string> bad;
    for (const auto& video : outcome_.bad) bad.insert(video.path);
    const auto records = parse_csv(list_text(from), from);
    const auto& header = records.front().fields;
    const auto names_videos = [](const std::string& name) {
      return name == "path" || name == "video";
    };
    const auto column = static_cast<size_t>(
        std::find_if(header.begin(), header.end(), names_videos) - header.begin());
    std::string text;
    for (const auto& record : records) {
      auto fields = record.fields;
      if (&record != &records.front()) {
        if (bad.contains(fields.at(column))) continue;
        fields[column] = name_of_copy(fields[column]);
      }
      for (auto& field : fields) field = csv_field(field);
      text += fmt::format("{}\n", fmt::join(fields, ","));
    }
    const std::string to = arguments_.out + "/" + list;
    make_folder(fs::path(to).parent_path().string());
    write_atomically(to, text);
    outcome_.lists.push_back(to);
  }

  // What the copies are for: 16 frames spread over a video, of up to 16 videos, before and after in
  // turns.
  void time() {
    constexpr size_t kVideos = 16;
    constexpr int64_t kFrames = 16;
    for (size_t i = 0; i < std::min(kVideos, videos_.size()); ++i) {
      check_interrupted();
      const auto& path = videos_[i * videos_.size() / std::min(kVideos, videos_.size())];
      if (std::any_of(outcome_.bad.begin(), outcome_.bad.end(),
                      [&](const auto& video) { return video.path == path; }))
        continue;
      const auto stamp = FileStamp::of(source(path));
      if (!stamp) continue;  // gone meanwhile
      const VideoInfo before = probed(source(path), *stamp);
      if (!before.seekable) continue;  // how long a frame takes depends on where it stands
      const VideoInfo after = probe(target(path));
      const auto read = [&](const VideoInfo& info) {
        std::vector<int64_t> frames;
        for (int64_t k = 0; k < kFrames; ++k)
          frames.push_back((2 * k + 1) * info.frames() / (2 * kFrames));
        const auto start = std::chrono::steady_clock::now();
        Decoder(info).at_frames(frames, {112});
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      };
      read(before);
      read(after);  // from disk to memory
      outcome_.before_s += read(before);
      outcome_.after_s += read(after);
      ++outcome_.timed;
    }
  }

  const ShrinkArguments& arguments_;
  Progress& progress_;
  const std::optional<ProbeCache> probes_ = kept_probes();
  std::vector<std::string> lists_, videos_;
  std::mutex mutex_;
  OutcomeOfShrink outcome_;
};

std::string outcome_text(const ShrinkArguments& arguments, const OutcomeOfShrink& outcome) {
  const auto counted = [](auto count, const char* one, const char* many) {
    return fmt::format("{} {}", count, count == 1 ? one : many);
  };
  std::string text = fmt::format("{} {}, {} there already, {} cannot be read\n",
                                 arguments.dry_run ? "would make" : "made",
                                 counted(outcome.made, "copy", "copies"), outcome.kept,
                                 counted(outcome.bad.size(), "video", "videos"));
  for (const auto& video : outcome.bad) text += fmt::format("  cannot be read: {}\n", video.reason);
  for (const auto& video : outcome.damaged)
    text += fmt::format("  {}\n", damaged_sentence(video.path, video.reason));
  for (const auto& list : outcome.lists) text += list + "\n";
  if (outcome.timed == 0) return text;
  text +=
      fmt::format("{:.1f} MB instead of {:.1f}; reading 16 frames takes {:.1f} ms instead of "
                  "{:.1f}, {:.1f} times as fast (mean of {}, read twice)\n",
                  static_cast<double>(outcome.bytes_after) / 1e6,
                  static_cast<double>(outcome.bytes_before) / 1e6,
                  1e3 * outcome.after_s / static_cast<double>(outcome.timed),
                  1e3 * outcome.before_s / static_cast<double>(outcome.timed),
                  outcome.before_s / outcome.after_s, counted(outcome.timed, "video", "videos"));
  if (outcome.before_s < 1.2 * outcome.after_s)
    text += "the videos are about as quick to read as their copies: stay with them, or try "
            "--short-side and --gop\n";
  return text;
}

void print(const ShrinkArguments& arguments, const OutcomeOfShrink& outcome) {
  if (arguments.json) {
    nlohmann::ordered_json bad = nlohmann::ordered_json::array();
    nlohmann::ordered_json damaged = bad;
    for (const auto& video : outcome.bad)
      bad.push_back({{"path", video.path}, {"reason", video.reason}});
    for (const auto& video : outcome.damaged)
      damaged.push_back({{"path", video.path}, {"reason", video.reason}});
    const nlohmann::ordered_json json = {{"made", outcome.made},
                                         {"kept", outcome.kept},
                                         {"bad", bad},
                                         {"damaged", damaged},
                                         {"bytes_before", outcome.bytes_before},
                                         {"bytes_after", outcome.bytes_after},
                                         {"lists", outcome.lists},
                                         {"read_before_s", outcome.before_s},
                                         {"read_after_s", outcome.after_s},
                                         {"read_videos", outcome.timed}};
    fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{}", printable_lines(outcome_text(arguments, outcome)));
}

void add_shrink(CLI::App* command) {
  command->description(
      "writes copies of videos that decode faster: smaller, with many key frames; also lists "
      "of the copies; run it again to continue");
  const auto arguments = std::make_shared<ShrinkArguments>();
  ShrinkOptions& options = arguments->options;
  command->add_option("folder", arguments->folder, "of the lists and the videos")->required();
  command->add_option("--out", arguments->out, "folder of the copies, for --data")->required();
  command->add_option("--list", arguments->lists,
                      "lists in the folder [every .csv]; may be repeated");
  command
      ->add_option("--short-side", options.short_side_px,
                   "shorter side of the copies, px; smaller videos keep theirs")
      ->capture_default_str()
      ->transform(number_from(16, 4096));
  command
      ->add_option("--gop", options.gop,
                   "frames between key frames: fewer are quicker to jump to, and larger")
      ->capture_default_str()
      ->transform(number_from(1, 1000));
  command->add_option("--crf", options.crf, "quality of H.264, smaller is better and larger")
      ->capture_default_str()
      ->transform(number_from(0, 51));
  command->add_option("--threads", arguments->threads, "videos at a time")
      ->capture_default_str()
      ->transform(number_from(1, 1024));
  command->add_flag("--dry-run", arguments->dry_run,
                    "say how many copies are wanted; write nothing");
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag("--json", arguments->json, "the outcome as JSON on stdout");
  command->callback([arguments] {
    ConsoleProgress progress(arguments->quiet ? ConsoleProgress::Mode::quiet
                                              : ConsoleProgress::Mode::automatic);
    print(*arguments, Shrinking(*arguments, progress).run());
  });
}

}  // namespace

extern const Command shrink_command;
const Command shrink_command{40, add_shrink};

}  // namespace distal
