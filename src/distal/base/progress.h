#pragma once
// Progress of long work: a bar with rate and remaining time on a terminal, plain lines every 10 s elsewhere, nothing
// under --quiet. Writes to stderr only. Also where SIGINT and SIGTERM become `Interrupted` at a safe point.
// Safe to call from several threads.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

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

  /// Keeps the first SIGINT or SIGTERM for check_interrupted; a second one ends the program at once. Called once by cli/main.cc.
  static void catch_signals();
  /// Throws Interrupted if a signal arrived. Every loop that may take longer than a second asks once a turn.
  static void check_interrupted();

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

}  // namespace distal
