#pragma once
// SIGINT and SIGTERM end the work at a safe point. A handler records the signal, and loops check
// for it.

namespace distal {

/// Installs handlers that record the first SIGINT or SIGTERM for check_interrupted. A second signal
/// ends the program at once. Call it once, at the start of the program. Without this call a signal
/// has its default action.
void catch_signals();

/// Throws Interrupted (base/error.h) if a signal arrived since catch_signals. A loop that may take
/// longer than a second calls it in every iteration. Thread-safe.
void check_interrupted();

/// Whether a signal arrived since catch_signals. For callbacks that must not throw.
bool interrupted();

/// During its lifetime a signal ends the program at once, with the message and the exit status of
/// Interrupted. For commands that write no files. The constructor throws Interrupted if a signal
/// has arrived before.
class EndAtOnce {
 public:
  EndAtOnce();
  ~EndAtOnce();
  EndAtOnce(const EndAtOnce&) = delete;
};

}  // namespace distal
