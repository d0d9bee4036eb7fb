#pragma once
// Signals where Progress::check_interrupted cannot be asked: in libraries.

namespace distal {

/// Whether SIGINT or SIGTERM arrived since Progress::catch_signals. For libraries that ask whether to go on, where nothing may be thrown.
bool interrupted();

/// While one lives, a signal ends the program at once, with the message and exit code of Interrupted: for commands that make nothing, so that
/// nothing is lost whatever library is at work. Throws Interrupted where a signal came before.
class EndAtOnce {
 public:
  EndAtOnce();
  ~EndAtOnce();
  EndAtOnce(const EndAtOnce&) = delete;
};

}  // namespace distal
