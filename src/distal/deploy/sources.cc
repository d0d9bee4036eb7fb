#include "distal/deploy/sources.h"

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/lists/import_source.h"
#include "distal/video/picture_video.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCamera = "v4l2:";
constexpr int kVideoDevices = 81;  // V4L2's major number (Linux, Documentation/admin-guide/devices)
constexpr int kWaitMs = 100;
constexpr size_t kBlock = 1 << 20;

struct stat status_of(const std::string& path, bool& there) {
  struct stat status {};
  there = ::stat(path.c_str(), &status) == 0;
  return status;
}

Source file_source(const std::string& path) { return {Source::Kind::file, path, path, {}, {}}; }

Source live_source(LiveSource::Kind kind, const std::string& address, const std::string& name) {
  return {Source::Kind::live, name, "", {}, {kind, address, name}};
}

Source camera_source(const std::string& word, const std::string& device) {
  bool there = false;
  const auto status = status_of(device, there);
  if (!there) fail("{}: no such camera; see which there are: ls /dev/video*", word);
  if (!S_ISCHR(status.st_mode) || (status.st_rdev >> 8) != kVideoDevices)
    fail("{}: not a camera; V4L2 calls its devices /dev/video0, /dev/video1, ...", word);
  return live_source(LiveSource::Kind::camera, device, word);
}

Source standard_input() {
  if (::isatty(STDIN_FILENO) == 1)
    throw UsageError("-: stdin is a terminal; pipe a video into the command");
  struct stat status {};
  if (::fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode))
    return {Source::Kind::file, "-", "/dev/stdin", {}, {}};
  return live_source(LiveSource::Kind::pipe, "-", "-");
}

void sort_naturally(std::vector<std::string>& paths) {
  std::sort(paths.begin(), paths.end(),
            [](const std::string& a, const std::string& b) { return natural_less(a, b); });
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

/// The files of a folder and below, by their folder.
std::map<std::string, std::vector<std::string>> files_below(const std::string& folder) {
  std::map<std::string, std::vector<std::string>> files;
  try {
    const auto allowed = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator at(folder, allowed), end; at != end; ++at) {
      check_interrupted();
      if (is_hidden(at->path())) {
        at.disable_recursion_pending();
        continue;
      }
      std::error_code unknown;
      if (at->is_regular_file(unknown))
        files[at->path().parent_path().string()].push_back(at->path().string());
    }
  } catch (const fs::filesystem_error& error) {
    fail("{}: {}; check the folder", folder, error.code().message());
  }
  return files;
}

Source picture_source(const std::string& folder, std::vector<std::string> pictures) {
  sort_naturally(pictures);
  return {Source::Kind::pictures, folder, "", std::move(pictures), {}};
}

std::vector<Source> folder_sources(const std::string& folder, double picture_rate) {
  std::map<std::string, Source> found;
  int64_t pictures_unsaid = 0;
  for (auto& [place, files] : files_below(folder)) {
    std::vector<std::string> pictures;
    bool videos = false;
    for (const auto& file : files) {
      if (has_video_ending(file)) found.emplace(file, file_source(file));
      videos |= has_video_ending(file);
      if (has_picture_ending(file)) pictures.push_back(file);
    }
    if (videos || pictures.empty()) continue;
    if (picture_rate > 0)
      found.emplace(place, picture_source(place, std::move(pictures)));
    else
      pictures_unsaid += std::ssize(pictures);
  }
  if (found.empty() && pictures_unsaid > 0)
    throw UsageError(fmt::format("{}: {} pictures and no video; say how many a second there are: "
                                 "--picture_rate 25",
                                 folder, pictures_unsaid));
  if (found.empty()) fail("{}: no video in this folder or below; name a video file", folder);
  std::vector<std::string> names;
  for (const auto& [name, source] : found) names.push_back(name);
  sort_naturally(names);
  std::vector<Source> sources;
  for (const auto& name : names) sources.push_back(std::move(found.at(name)));
  return sources;
}

std::vector<std::string> matches_of(const std::string& pattern) {
  glob_t found{};
  const int code = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_TILDE, nullptr, &found);
  std::vector<std::string> names(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (code != 0 || names.empty()) fail("{}: no file matches this pattern; check it", pattern);
  sort_naturally(names);
  return names;
}

// What a pattern gave is a name, whatever signs it has.
void add_named(const std::string& word, double picture_rate, std::vector<Source>& sources,
               bool may_be_pattern = true) {
  bool there = false;
  const auto status = status_of(word, there);
  if (there && S_ISDIR(status.st_mode)) {
    for (auto& source : folder_sources(word, picture_rate)) sources.push_back(std::move(source));
  } else if (there && S_ISFIFO(status.st_mode)) {
    sources.push_back(live_source(LiveSource::Kind::pipe, word, word));
  } else if (there && S_ISCHR(status.st_mode)) {
    sources.push_back(camera_source(word, word));
  } else if (!there && may_be_pattern && word.find_first_of("*?[") != std::string::npos) {
    for (const auto& name : matches_of(word)) add_named(name, picture_rate, sources, false);
  } else {
    sources.push_back(file_source(word));
  }
}

void add_address(const std::string& word, std::vector<Source>& sources) {
  if (!word.starts_with("rtsp://") && !word.starts_with("rtsps://"))
    throw UsageError(fmt::format(
        "{}: of addresses only rtsp:// and rtsps:// are opened; download it, or pipe it in: ffmpeg "
        "-i ADDRESS -c copy -f mpegts - | distal predict MODEL - --stream",
        without_password(word)));
  sources.push_back(live_source(LiveSource::Kind::rtsp, word, without_password(word)));
}

void copy_pipe(const LiveSource& pipe, const std::string& to) {
  const int from = pipe.address == "-"
                       ? ::dup(STDIN_FILENO)
                       : ::open(pipe.address.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (from < 0) fail("{}: cannot be opened ({})", pipe.name, std::strerror(errno));
  const std::unique_ptr<FILE, int (*)(FILE*)> in(::fdopen(from, "rb"), std::fclose);
  const std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(to.c_str(), "wb"), std::fclose);
  if (!in || !out) fail("{}: cannot be copied ({})", pipe.name, std::strerror(errno));
  std::vector<char> block(kBlock);
  int64_t bytes = 0;
  for (;;) {
    check_interrupted();
    pollfd wanted = {from, POLLIN, 0};
    if (::poll(&wanted, 1, kWaitMs) <= 0) continue;
    const ssize_t count = ::read(from, block.data(), block.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0) fail("{}: cannot be read ({})", pipe.name, std::strerror(errno));
    if (count == 0) break;
    bytes += count;
    if (std::fwrite(block.data(), 1, static_cast<size_t>(count), out.get()) !=
        static_cast<size_t>(count))
      fail("{}: its copy cannot be written ({}); {}, or read it with --stream", pipe.name,
           std::strerror(errno), cure_of(errno));
  }
  if (std::fflush(out.get()) != 0)
    fail("{}: its copy cannot be written ({}); {}, or read it with --stream", pipe.name,
         std::strerror(errno), cure_of(errno));
  if (bytes == 0) fail("{}: nothing came; check the command that writes to it", pipe.name);
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto number = [&](std::string_view text, size_t& at) {  // without its zeros
    while (at < text.size() && text[at] == '0') ++at;
    const size_t begin = at;
    while (at < text.size() && digit(text[at])) ++at;
    return text.substr(begin, at - begin);
  };
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const auto left = number(a, i);
      const auto right = number(b, j);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
    } else {
      if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
      ++i;
      ++j;
    }
  }
  if (i < a.size() || j < b.size()) return i >= a.size();
  return a < b;
}

std::string without_password(const std::string& address) {
  const size_t begin = address.find("://");
  if (begin == std::string::npos) return address;
  const size_t user = begin + 3;
  const size_t end = address.find_first_of("/?#", user);
  size_t at = address.rfind('@', end);
  const size_t colon = address.find(':', user);
  const auto is_port = [&](const std::string& text) {
    return text.find_first_not_of("0123456789") == std::string::npos;
  };
  // No port stands there: a password with a / ? or # that is not escaped.
  if ((at == std::string::npos || at < user) && end != std::string::npos && colon < end &&
      !is_port(address.substr(colon + 1, end - colon - 1)))
    at = address.rfind('@');
  if (at == std::string::npos || at < user || colon == std::string::npos || colon > at)
    return address;
  return fmt::format("{}:***{}", address.substr(0, colon), address.substr(at));
}

std::vector<Source> sources_of(const std::vector<std::string>& words, double picture_rate) {
  if (std::count(words.begin(), words.end(), "-") > 1)
    throw UsageError("-: stdin is read once; name it once");
  std::vector<Source> sources;
  for (const auto& word : words) {
    std::error_code unknown;
    if (word == "-")
      sources.push_back(standard_input());
    else if (word.starts_with(kCamera) && !fs::exists(word, unknown))
      sources.push_back(camera_source(word, word.substr(std::strlen(kCamera))));
    else if (word.find("://") != std::string::npos && !fs::exists(word, unknown))
      add_address(word, sources);
    else
      add_named(word, picture_rate, sources);
  }
  return sources;
}

NamelessFile::NamelessFile() {
  std::error_code code;
  const std::string folder = fs::temp_directory_path(code).string();
  std::string name = (fs::path(folder) / "distal-XXXXXX").string();
  file_ = code ? -1 : ::mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0)
    fail("{}: no temporary file can be made there ({}); set TMPDIR to a folder with space",
         code ? "TMPDIR" : folder, code ? code.message() : std::strerror(errno));
  ::unlink(name.c_str());
}

NamelessFile::~NamelessFile() {
  if (file_ >= 0) ::close(file_);
}

NamelessFile::NamelessFile(NamelessFile&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

std::string NamelessFile::path() const { return fmt::format("/proc/self/fd/{}", file_); }

SourceFile file_of(const Source& source, double picture_rate) {
  if (source.kind == Source::Kind::file) return {source.path, "", {}};
  if (source.kind == Source::Kind::live && source.live.kind != LiveSource::Kind::pipe)
    throw UsageError(fmt::format("{}: nobody knows its end; give --stream", source.name));
  SourceFile file;
  file.path = file.owner.emplace_back().path();
  if (source.kind == Source::Kind::pictures)
    file.damage =
        write_picture_video(source.pictures, picture_rate, file.path, source.name).damage();
  else
    copy_pipe(source.live, file.path);
  return file;
}

}  // namespace distal
