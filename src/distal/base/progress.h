#pragma once
// Progress of long work. The library reports progress to a sink and prints nothing itself. A
// program uses ConsoleProgress or derives its own sink.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace distal {

/// A sink of progress. Work is a sequence of stages. Each stage has a begin, steps and an end.
/// Several threads may call a sink, so it must lock its state.
class Progress {
 public:
  virtual ~Progress() = default;

  /// Begins a stage: `what` for `total` items of `unit`, such as ("probing", 40, "videos"). This
  /// ends the previous stage.
  virtual void begin(const std::string& what, int64_t total, const std::string& unit) = 0;
  /// Reports that `done` items of the stage are finished. `note` is a remark for the user. Throws
  /// Interrupted after a signal (base/interrupted.h), with every sink, so the calling loop ends at
  /// a safe point.
  void step(int64_t done, const std::string& note = "");
  /// Ends the stage. Without a stage it has no effect.
  virtual void end() = 0;
  /// Shows a line, such as a warning or the result of a round. May be called outside of a stage.
  virtual void say(const std::string& line) = 0;

 private:
  /// `step` calls it unless a signal arrived.
  virtual void stepped(int64_t done, const std::string& note) = 0;
};

/// Writes to stderr. On a terminal it shows a bar with rate and remaining time. Otherwise it writes
/// a line every 10 s. Quiet mode writes nothing. Errors of stderr are ignored.
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
