#include "base/leftovers.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace distal {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".unfinished";

// `text` without its last part, which begins at the last `mark` and is `part` afterwards; false where there is none.
bool split_last(std::string_view& text, char mark, std::string_view& part) {
  const auto at = text.rfind(mark);
  if (at == std::string_view::npos) return false;
  part = text.substr(at + 1);
  text = text.substr(0, at);
  return true;
}

// A whole number above 0 in plain digits; else 0.
int64_t number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 ? value : 0;
}

// Of NAME.PID, with a NAME.
int64_t id_at_end(std::string_view text) {
  std::string_view id;
  return split_last(text, '.', id) && !text.empty() ? number(id) : 0;
}

bool has_ended(int64_t process) { return ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH; }

void remove_if_nobody_writes(const fs::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return;
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  ::close(file);
}

void look_at(const fs::directory_entry& entry) {
  std::error_code ignored;
  const int64_t writer = writer_of(entry.path().filename().string());
  if (writer > 0 && has_ended(writer) && entry.symlink_status(ignored).type() == fs::file_type::regular) remove_if_nobody_writes(entry.path());
}

template <class Iterator>
void clear(const std::string& folder, const std::string& beginning) {
  std::error_code error;
  for (Iterator at(folder, fs::directory_options::skip_permission_denied, error), end; !error && at != end; at.increment(error))
    if (at->path().filename().string().starts_with(beginning)) look_at(*at);
}

}  // namespace

int64_t writer_of(const std::string& name) {
  std::string_view text = name, ending;
  if (!split_last(text, '.', ending)) return 0;
  if (ending == "tmp" || ending == "part") return id_at_end(text);
  if (ending == "partial") {
    std::string_view count;
    const bool counted = split_last(text, '-', count) && (count == "0" || number(count) > 0);
    return counted ? id_at_end(text) : 0;
  }
  return text.ends_with(kUnfinished) ? id_at_end(text.substr(0, text.size() - kUnfinished.size())) : 0;
}

void clear_leftovers(const std::string& folder, bool deep) {
  if (deep) clear<fs::recursive_directory_iterator>(folder, "");
  else clear<fs::directory_iterator>(folder, "");
}

void clear_leftovers_of(const std::string& path) {
  const fs::path file(path);
  clear<fs::directory_iterator>(file.has_parent_path() ? file.parent_path().string() : ".", file.filename().string() + ".");
}

}  // namespace distal
