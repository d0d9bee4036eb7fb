#include "distal/base/interrupted.h"

#include <csignal>
#include <string_view>

#include <unistd.h>

#include "distal/base/error.h"

namespace distal {
namespace {

volatile std::sig_atomic_t g_signal = 0;
volatile std::sig_atomic_t g_at_once = 0;

// What a handler may call, and the words that the program has for Interrupted.
void end_at_once(int signal) {
  const std::string_view words = signal == SIGINT
                                     ? "distal: stopped by signal 2; the same command continues\n"
                                     : "distal: stopped by signal 15; the same command continues\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, words.data(), words.size());
  ::_exit(128 + signal);
}

}  // namespace

// No SA_RESTART: a read that blocks returns. The first signal gives both back to the system, so
// that the second ends the program where nothing of ours runs: in one step of a large network, or
// in a library.
void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int signal) {
    if (g_at_once > 0) end_at_once(signal);
    g_signal = signal;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  };
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

void check_interrupted() {
  if (g_signal != 0) throw Interrupted(g_signal);
}

bool interrupted() { return g_signal != 0; }

EndAtOnce::EndAtOnce() {
  g_at_once = g_at_once + 1;
  if (!interrupted()) return;
  g_at_once = g_at_once - 1;
  throw Interrupted(g_signal);
}

EndAtOnce::~EndAtOnce() { g_at_once = g_at_once - 1; }

}  // namespace distal
