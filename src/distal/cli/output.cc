#include "distal/cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace distal {
namespace {

// Whether a write fails so; what else stands in errno came from something in between.
bool of_a_write(int reason) {
  const auto reasons = {ENOSPC, EDQUOT, EFBIG, EIO, EPIPE, EBADF};
  return std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
}

}  // namespace

StdoutError::StdoutError(int reason)
    : Error(fmt::format("stdout: cannot be written ({}); not all of the output is there: free some "
                        "space, or send it elsewhere",
                        std::strerror(reason))),
      reason(reason) {}

bool StdoutError::reader_left() const { return reason == EPIPE; }

void print_now(std::string_view text) {
  errno = 0;
  std::fwrite(text.data(), 1, text.size(), stdout);
  flush_stdout();
}

void flush_stdout() {
  const bool lost =
      std::ferror(stdout) != 0;  // before; errno is then of that write where nothing came between
  const int before = errno;
  if (std::fflush(stdout) != 0) throw StdoutError(errno);
  if (lost) throw StdoutError(of_a_write(before) ? before : EIO);
}

void print_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void guard_standard_files() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(file, F_GETFD) < 0) ::open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }  // takes the lowest free number, which is `file`
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace distal
