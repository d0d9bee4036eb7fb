#include "distal/base/progress.h"

#include <cstdio>

#include <unistd.h>

#include <fmt/format.h>

#include "distal/base/interrupted.h"
#include "distal/base/text.h"

namespace distal {
namespace {

// A stderr that cannot be written stops nothing.
void to_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

std::string clock(double seconds) {
  const auto s = std::llround(seconds);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace

void Progress::step(int64_t done, const std::string& note) {
  check_interrupted();
  stepped(done, note);
}

ConsoleProgress::ConsoleProgress(Mode mode)
    : quiet_(mode == Mode::quiet), terminal_(isatty(STDERR_FILENO)) {}

ConsoleProgress::~ConsoleProgress() { ConsoleProgress::end(); }

void ConsoleProgress::begin(const std::string& what, int64_t total, const std::string& unit) {
  const std::lock_guard lock(mutex_);
  what_ = what;
  unit_ = unit;
  note_.clear();
  total_ = total;
  done_ = 0;
  first_ = -1;
  began_ = drawn_ = std::chrono::steady_clock::now();
}

void ConsoleProgress::stepped(int64_t done, const std::string& note) {
  const std::lock_guard lock(mutex_);
  if (quiet_ || what_.empty()) return;
  if (first_ < 0) first_ = done;
  done_ = done;
  note_ = note;
  const auto now = std::chrono::steady_clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
  if (now - drawn_ >= pause) {
    drawn_ = now;
    draw(false);
  }
}

void ConsoleProgress::end() {
  const std::lock_guard lock(mutex_);
  if (!quiet_ && terminal_ && !what_.empty() && done_ > 0) draw(true);
  what_.clear();
}

void ConsoleProgress::say(const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (!quiet_) to_stderr(fmt::format("{}{}\n", terminal_ ? "\r\033[K" : "", printable_lines(line)));
}

void ConsoleProgress::draw(bool last) {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  const double rate =
      seconds > 0 ? static_cast<double>(done_ - std::max<int64_t>(first_, 0)) / seconds : 0;
  const std::string left =
      rate > 0 && total_ > done_
          ? fmt::format(", {} left", clock(static_cast<double>(total_ - done_) / rate))
          : "";
  const std::string text = printable(
      fmt::format("{} {}/{} {} {:.3g}/s{} {}", what_, done_, total_, unit_, rate, left, note_));
  if (terminal_) {
    const int64_t width = 20;
    const int64_t full = total_ > 0 ? std::min(width, width * done_ / total_) : 0;
    to_stderr(fmt::format("\r\033[K[{}{}] {}{}", std::string(full, '='),
                          std::string(width - full, ' '), text, last ? "\n" : ""));
  } else {
    to_stderr(text + "\n");
  }
}

}  // namespace distal
