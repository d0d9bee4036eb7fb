#pragma once
// Progress of long work: a bar with rate and remaining time on a terminal, plain lines every 10 s elsewhere, nothing
// under --quiet. Writes to stderr only.
// Safe to call from several threads.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "distal/base/interrupted.h"

namespace distal {

class Progress {
 public:
  enum class Mode { automatic, quiet };
  explicit Progress(Mode mode = Mode::automatic);
  ~Progress();

  void begin(const std::string& what, int64_t total, const std::string& unit);
  void step(int64_t done, const std::string& note = "");  // `done` of `total`; throws Interrupted after a signal
  void end();
  void say(const std::string& line);                       // a line of its own: warnings, rounds

  static void catch_signals() { distal::catch_signals(); }
  static void check_interrupted() { distal::check_interrupted(); }

 private:
  void draw(bool last);
  std::mutex mutex_;
  bool quiet_, terminal_;
  std::string what_, unit_, note_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  int64_t first_ = -1;
  std::chrono::steady_clock::time_point began_{};
  std::chrono::steady_clock::time_point drawn_{};
};

using ConsoleProgress = Progress;

}  // namespace distal
