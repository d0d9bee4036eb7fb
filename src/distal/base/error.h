#pragma once
// Errors. An `Error` is a problem that the user can fix. Its message names the place, the problem
// and the fix in one line. `expect` checks an invariant. A violation is a bug of distal.
// cli/program.cc catches every exception and prints it. Other code catches an Error only to
// continue without the file, video or answer that it concerns, or to rethrow it with more context.
// It must let Interrupted pass.

#include <source_location>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

namespace distal {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A wrong command line or recipe. The program exits with status 2 instead of 1.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// SIGINT or SIGTERM arrived. Thrown at the next safe point, after a checkpoint.
class Interrupted : public Error {
 public:
  explicit Interrupted(int signal)
      : Error(fmt::format("stopped by signal {}", signal)), signal(signal) {}
  int signal;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

inline void expect(bool condition, const char* promise,
                   std::source_location at = std::source_location::current()) {
  if (!condition)
    throw std::logic_error(
        fmt::format("bug in distal: {}:{}: {}", at.file_name(), at.line(), promise));
}

}  // namespace distal
