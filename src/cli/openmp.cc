#include "cli/openmp.h"

#include <cstdlib>
#include <vector>

#include <ATen/Parallel.h>
#include <unistd.h>

#include "cli/command.h"

namespace distal {
namespace {

// GNU OpenMP's own is 300,000. Two threads on two idle cores lose nothing by it (a small 3D network, 16 clips of 8 x 32 x 32: 80 ms a step
// instead of 96; asleep at once, 86); bench/busy.py says what is gained beside others.
constexpr const char* kSpins = "1000";

// Returns where that is impossible: the program then goes on as it is.
void start_again() {
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

void wait_briefly() {
  if (at::get_num_threads() < 2 || std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  ::setenv("GOMP_SPINCOUNT", kSpins, 0);
  start_again();
}

}  // namespace distal
