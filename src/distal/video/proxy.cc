#include "distal/video/proxy.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/leftovers.h"
#include "distal/video/browser.h"
#include "distal/video/packets.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr int kProxyVersion = 2;  // of what a proxy is: one more where that changes
constexpr double kSameTime_s = 1e-6;
constexpr int64_t kLongestGop = 12;

int64_t number_of(double time_s, double piece_s) {
  return static_cast<int64_t>(std::floor((time_s + kSameTime_s) / piece_s));
}

std::string comment_of(const VideoInfo& info) {
  return fmt::format("distal proxy {} of {}", kProxyVersion, info.id);
}

bool is_there(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0;
}

void mark_used(const std::string& path) { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

struct ProxyFile {
  fs::path path;
  fs::file_time_type used;
  int64_t bytes = 0;
};

std::vector<ProxyFile> proxies_in(const std::string& folder) {
  std::vector<ProxyFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!at->is_regular_file(error) || is_unfinished(name) || !name.ends_with(".mp4")) continue;
    const auto bytes = at->file_size(error);
    const auto used = at->last_write_time(error);
    if (!error) files.push_back({at->path(), used, static_cast<int64_t>(bytes)});
    error.clear();  // it went meanwhile
  }
  return files;
}

}  // namespace

FrameSpan PiecePlan::frames(const VideoInfo& info, int64_t number) const {
  const auto at = static_cast<size_t>(number);
  return {first[at], number + 1 < count() ? first[at + 1] : info.frames()};
}

PiecePlan plan_pieces(const VideoInfo& info, double piece_s) {
  PiecePlan plan{why_not_copied(info).empty(), {}};
  int64_t last = -1;  // multiple of piece_s behind which the last piece begins
  for (int64_t i = 0; i < info.frames(); ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t number = number_of(info.time_s[at], piece_s);
    if (number == last || (plan.copied && !info.key[at])) continue;
    plan.first.push_back(i);
    last = number;
  }
  return plan;
}

Proxies::Proxies(std::string folder, const ProxyOptions& options)
    : folder_(std::move(folder)), options_(options) {
  expect(options.short_side_px >= 2 && options.gop >= 1 && options.gop <= kLongestGop &&
             options.crf >= 0 && options.crf <= 51 && options.piece_s > 0.01,
         "a proxy has 2 pixels, a group of pictures of 1 to 12 and pieces of some length");
  make_folder(folder_);
  clear_leftovers(folder_, /*deep=*/true);
}

std::string Proxies::folder_of(const VideoInfo& info) const {
  return fmt::format("{}/{}-{}px-gop{}-crf{}-{}", folder_, info.id, options_.short_side_px,
                     options_.gop, options_.crf, kProxyVersion);
}

std::string Proxies::whole_path(const VideoInfo& info) const {
  return folder_of(info) + "/whole.mp4";
}

std::string Proxies::piece_path(const VideoInfo& info, const PiecePlan& plan,
                                int64_t number) const {
  return fmt::format("{}/{:g}s{}/piece-{:05}.mp4", folder_of(info), options_.piece_s,
                     plan.copied ? "-copied" : "", number);
}

bool Proxies::has_whole(const VideoInfo& info) const { return is_there(whole_path(info)); }

bool Proxies::has_piece(const VideoInfo& info, const PiecePlan& plan, int64_t number) const {
  return is_there(piece_path(info, plan, number));
}

std::string Proxies::whole(const VideoInfo& info, Progress* progress) {
  const std::string path = whole_path(info);
  return made(path, [&] { make(info, {0, info.frames()}, path, /*fragments=*/false, progress); });
}

std::string Proxies::piece(const VideoInfo& info, const PiecePlan& plan, int64_t number,
                           Progress* progress) {
  if (number < 0 || number >= plan.count()) {
    fail("{}: it has no piece {}; its pieces have the numbers 0 to {}", info.path, number,
         plan.count() - 1);
  }
  const std::string path = piece_path(info, plan, number);
  const FrameSpan span = plan.frames(info, number);
  return made(path, [&] {
    const bool copied = plan.copied && copy_packets(info, span, path, comment_of(info));
    if (!copied) make(info, span, path, /*fragments=*/true, progress);
  });
}

std::string Proxies::made(const std::string& path, const std::function<void()>& make) {
  std::unique_lock lock(mutex_);
  while (at_work_.contains(path)) {
    check_interrupted();
    finished_.wait_for(lock, std::chrono::milliseconds(100));
  }
  if (is_there(path)) {
    mark_used(path);
    return path;
  }
  at_work_.insert(path);
  lock.unlock();
  const auto done = [&] {
    lock.lock();
    at_work_.erase(path);
    lock.unlock();
    finished_.notify_all();
  };
  try {
    make_folder(fs::path(path).parent_path().string());
    make();
  } catch (...) {
    done();
    throw;
  }
  done();
  return path;
}

void Proxies::make(const VideoInfo& info, FrameSpan span, const std::string& path, bool fragments,
                   Progress* progress) {
  const CopyForm form{.short_side_px = options_.short_side_px,
                      .gop = options_.gop,
                      .crf = options_.crf,
                      .comment = comment_of(info),
                      .for_browser = true,
                      .fragments = fragments};
  if (progress) progress->begin("making a proxy", span.end - span.first, "frames");
  write_copy(info, span, path, form, [&](int64_t frames) {
    if (progress) progress->step(frames);
  });
  if (progress) progress->end();
}

void Proxies::keep_at_most(int64_t bytes) {
  auto files = proxies_in(folder_);
  std::sort(files.begin(), files.end(),
            [](const ProxyFile& a, const ProxyFile& b) { return a.used > b.used; });
  int64_t kept = 0;
  for (const auto& file : files) {
    kept += file.bytes;
    std::error_code error;
    if (kept > bytes) fs::remove(file.path, error);
  }
}

}  // namespace distal
