#pragma once
// What commands print. stdout may be a disk that is full or a pipe whose reader has gone, and what
// was not written must not pass for success.

#include <string_view>

#include "distal/base/error.h"

namespace distal {

/// stdout cannot be written; the message says why and what to do.
class StdoutError : public Error {
 public:
  explicit StdoutError(int reason);  // an errno
  int reason;
  /// Whoever read it has gone, as `head` does once it has enough: no fault, and nothing to say.
  bool reader_left() const;
};

/// Prints to stdout and flushes: for lines that come one by one, so that nothing is computed for an
/// output that takes no more. Throws StdoutError.
void print_now(std::string_view text);
/// Flushes what was printed in any way. Throws StdoutError where any of it was lost.
void flush_stdout();
/// Prints to stderr; that it cannot be written stops nothing.
void print_error(std::string_view text);
/// Before anything is opened: a closed stdin, stdout or stderr becomes one that cannot be used, so
/// that no file takes its number; a pipe whose reader has gone becomes an error of the write, not a
/// signal, as a server that hangs up must not end a run.
void guard_standard_files();

}  // namespace distal
