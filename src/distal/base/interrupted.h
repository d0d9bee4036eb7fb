#pragma once
// SIGINT and SIGTERM end work at a safe point: a program keeps the signal, and its loops ask.

namespace distal {

/// Keeps the first SIGINT or SIGTERM for check_interrupted. A second one ends the program at once.
/// A program calls it once, at its start. Without it a signal ends the program as the system does.
void catch_signals();

/// Throws Interrupted (base/error.h) if a signal arrived since catch_signals. A loop that may take
/// longer than a second calls it once a turn. Safe from several threads.
void check_interrupted();

/// Whether a signal arrived since catch_signals. For libraries that ask whether to go on, where
/// nothing may be thrown.
bool interrupted();

/// While one lives, a signal ends the program at once, with the message and exit code of
/// Interrupted. For commands that make nothing: nothing is lost, whatever library is at work.
/// Throws Interrupted where a signal came before.
class EndAtOnce {
 public:
  EndAtOnce();
  ~EndAtOnce();
  EndAtOnce(const EndAtOnce&) = delete;
};

}  // namespace distal
