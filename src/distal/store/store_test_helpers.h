#pragma once
// A store in a folder of its own, and child processes, for the tests of store/.

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "distal/base/testing.h"
#include "distal/store/store.h"

namespace distal {

inline const Answerer kOracle{"o", "v"};

class StoreTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_ / "a store.db"; }
  std::string url() const { return "sqlite:" + path(); }

  TemporaryFolder folder_;
};

/// Runs `work` in a child process, which ends with what it returns (99 where it throws). Returns
/// the child's id.
inline pid_t child(const std::function<int()>& work) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  int code = 99;
  try {
    code = work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
  }
  ::_exit(code);
}

/// The child's exit code, or 1000 + signal.
inline int wait_for(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace distal
