#pragma once
// Progress of long work: what the library tells whoever watches. The library prints nothing itself.
// A program derives a sink of its own, or shows a ConsoleProgress.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace distal {

/// A sink of progress. Work is a sequence of stages, each with a begin, steps and an end. Several
/// threads may call the same one; a sink locks what it keeps.
class Progress {
 public:
  virtual ~Progress() = default;

  /// A stage begins: `what` is done to `total` of `unit`, such as ("probing", 40, "videos"). The
  /// stage before is over, whether it was ended or not.
  virtual void begin(const std::string& what, int64_t total, const std::string& unit) = 0;
  /// `done` of the stage's total; `note` says how it goes. Throws Interrupted after a signal
  /// (base/interrupted.h), whatever the sink, so that a loop that steps ends at a safe point.
  void step(int64_t done, const std::string& note = "");
  /// The stage is over. Without one nothing happens.
  virtual void end() = 0;
  /// A line of its own: a warning, a round. It may come outside of a stage.
  virtual void say(const std::string& line) = 0;

 private:
  /// What `step` tells the sink, unless a signal arrived.
  virtual void stepped(int64_t done, const std::string& note) = 0;
};

/// Writes to stderr: on a terminal a bar with rate and remaining time, elsewhere a line every 10 s;
/// quiet: nothing. A stderr that cannot be written stops nothing.
class ConsoleProgress final : public Progress {
 public:
  enum class Mode { automatic, quiet };
  explicit ConsoleProgress(Mode mode = Mode::automatic);
  ~ConsoleProgress() override;

  void begin(const std::string& what, int64_t total, const std::string& unit) override;
  void end() override;
  void say(const std::string& line) override;

 private:
  void stepped(int64_t done, const std::string& note) override;
  void draw(bool last);

  std::mutex mutex_;
  bool quiet_;
  bool terminal_;
  std::string what_;  // empty: between two stages
  std::string unit_;
  std::string note_;
  int64_t total_ = 0;
  int64_t done_ = 0;
  int64_t first_ = -1;  // of the stage's first step
  std::chrono::steady_clock::time_point began_{};
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace distal
