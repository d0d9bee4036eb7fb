#pragma once
// Errors. `Error` is what a person can mend: its message says place, what is wrong, and what would
// be right, in one line. `expect` guards a promise between our functions; a failure is a bug of
// distal. Only cli/main.cc catches.

#include <source_location>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

namespace distal {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong usage of the command line or of a recipe: exit code 2 instead of 1.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// SIGINT or SIGTERM arrived; thrown at the next safe point, after a checkpoint.
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
