#include "distal/cli/openmp.h"

#include <csignal>
#include <cstdlib>
#include <vector>

#include <ATen/Parallel.h>
#include <unistd.h>

#include "distal/base/interrupted.h"
#include "distal/cli/command.h"

namespace distal {
namespace {

// GNU OpenMP's own is 300,000. Two threads on two idle cores lose nothing by it (a small 3D
// network, 16 clips of 8 x 32 x 32: 80 ms a step instead of 96; asleep at once, 86); bench/busy.py
// says what is gained beside others.
constexpr const char* kSpins = "1000";

void hold_signals(int how) {
  sigset_t stops;
  sigemptyset(&stops);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&stops, signal);
  ::pthread_sigmask(how, &stops, nullptr);
}

// Signals wait as long as one lives, whether it ends by an exception or not.
struct HeldSignals {
  HeldSignals() { hold_signals(SIG_BLOCK); }
  ~HeldSignals() { hold_signals(SIG_UNBLOCK); }
  HeldSignals(const HeldSignals&) = delete;
};

// Returns where that is impossible: the program then goes on as it is. A signal that came before is
// not forgotten, one that comes from now on waits for the program that is started.
void start_again() {
  const HeldSignals held;
  check_interrupted();
  std::vector<char*> words;
  for (std::string& word : command_words()) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv("/proc/self/exe", words.data());
}

}  // namespace

void keep_threads_fixed() {
  if (std::getenv("OMP_DYNAMIC") == nullptr) return;
  ::unsetenv("OMP_DYNAMIC");
  start_again();
}

void hear_held_signals() { hold_signals(SIG_UNBLOCK); }

void wait_briefly() {
  if (at::get_num_threads() < 2 || std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT"))
    return;
  ::setenv("GOMP_SPINCOUNT", kSpins, 0);
  start_again();
}

}  // namespace distal
