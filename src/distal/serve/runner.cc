#include "distal/serve/runner.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/serve/options.h"

extern char** environ;

namespace distal::serve {
namespace {

constexpr auto kLook = std::chrono::milliseconds(500);
constexpr int64_t kFarewell_ms = 60'000;  // for a checkpoint
constexpr int64_t kPause_ms = 2000;       // between two starts
constexpr std::streamoff kTail = 16 << 10;

// The last line of a log that says something.
std::string last_line_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(0, std::ios::end);
  const std::streamoff size = in.tellg();
  in.seekg(std::max<std::streamoff>(0, size - kTail));
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = line;
  }
  return excerpt(last, 1000);
}

}  // namespace

int64_t system_now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

Runner::Runner(std::vector<std::string> command, std::string log, const ServedStudy& study,
               Pool<PeopleStore>& store)
    : command_(std::move(command)), log_(std::move(log)), study_(study), store_(store) {}

void Runner::begin(bool run) {
  if (!run) stop();
  worker_ = std::thread([this] { work(); });
}

void Runner::close() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  changed_.notify_all();
}

Runner::~Runner() {
  close();
  if (worker_.joinable()) worker_.join();
}

std::string Runner::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::string Runner::note() const {
  const std::lock_guard lock(mutex_);
  return note_;
}

std::string Runner::last_line() const { return last_line_of(log_); }

void Runner::start() { wish(Wish::run); }
void Runner::pause() { wish(Wish::pause); }
void Runner::stop() { wish(Wish::stop); }

void Runner::wish(Wish wish) {
  const std::lock_guard lock(mutex_);
  wish_ = wish;
  if (wish == Wish::run) {
    if (state_ == "done") return;
    state_ = "running";
    note_.clear();
  } else if (state_ != "done") {
    state_ = wish == Wish::pause ? "paused" : "stopped";
  }
  changed_.notify_all();
}

// A process of ours is killed when the thread that started it ends: all of this is one thread's.
void Runner::work() {
  std::unique_lock lock(mutex_);
  while (!closing_ || process_ > 0) {
    lock.unlock();
    try {
      look();
    } catch (const std::exception& error) {
      lock.lock();
      note_ = excerpt(error.what(), 1000);
      lock.unlock();
    }
    lock.lock();
    if (!closing_ || process_ > 0) changed_.wait_for(lock, kLook);
  }
}

void Runner::look() {
  std::string state;
  Wish wish{};
  {
    const std::lock_guard lock(mutex_);
    state = state_;
    wish = closing_ ? Wish::stop : wish_;
  }
  if (process_ > 0) {
    int status = 0;
    const pid_t gone = ::waitpid(process_, &status, WNOHANG);
    if (gone == process_ || (gone < 0 && errno == ECHILD)) return ended(status);
    if (wish != Wish::run) tell_to_stop();
    return;
  }
  if (wish != Wish::run) return;
  const bool due = system_now_ms() - ended_at_ms_ >= kPause_ms;
  if ((state == "running" && due) || (state == "waiting" && due && answers_are_there())) spawn();
}

void Runner::spawn() {
  own_at_start_ =
      so_far(study_.name);  // what comes from here on may come too late for this process
  all_at_start_ = so_far("");
  std::vector<std::string> words = {"distal"};
  words.insert(words.end(), command_.begin(), command_.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log_.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_t own_group;  // Ctrl-C reaches the server alone, which passes it on once
  posix_spawnattr_init(&own_group);
  posix_spawnattr_setflags(&own_group, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&own_group, 0);
  const int failed =
      ::posix_spawn(&process_, "/proc/self/exe", &files, &own_group, pointers.data(), environ);
  posix_spawnattr_destroy(&own_group);
  posix_spawn_file_actions_destroy(&files);
  told_to_stop_ = false;
  const std::lock_guard lock(mutex_);
  if (failed != 0) {
    process_ = 0;
    state_ = "failed";
    note_ = fmt::format("{}: no process can be started ({}); stop what else runs", study_.name,
                        std::strerror(failed));
  } else {
    state_ = "running";
    note_.clear();
  }
}

void Runner::tell_to_stop() {
  const int64_t now = system_now_ms();
  if (!told_to_stop_) {
    ::kill(process_, SIGTERM);
    told_to_stop_ = true;
    told_at_ms_ = now;
  } else if (now - told_at_ms_ > kFarewell_ms) {
    ::kill(process_, SIGKILL);
  }
}

void Runner::ended(int status) {
  process_ = 0;
  ended_at_ms_ = system_now_ms();
  const std::string line = last_line_of(log_);
  const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const bool waits = WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL;
  const std::lock_guard lock(mutex_);
  if (wish_ != Wish::run || closing_) return;  // state_ says so already
  if (told_to_stop_) return;                   // and then wanted again: it is started
  state_ = well ? "done" : waits ? "waiting" : "failed";
  note_ = well || waits ? "" : line;
}

Runner::SoFar Runner::so_far(const std::string& study) {
  SoFar sums;
  for (const auto& row : store_.borrow()->progress(study)) {
    if (row.purpose == "repeat") continue;  // no round waits for these
    sums.open += row.open;
    sums.answered += row.settled + row.left_out;
    sums.withdrawn += row.withdrawn;
    if (row.purpose != "pool") continue;
    sums.pool_open += row.open;
    sums.pool_answered += row.settled + row.left_out;
  }
  return sums;
}

// Something has come since the study was started, and it lets a round go on, or be ranked again.
// What it waits for may have been asked by another study of the store.
bool Runner::answers_are_there() {
  store_.borrow()->withdraw_spent(system_now_ms());
  const SoFar own = so_far(study_.name);
  const int64_t fresh = own.pool_answered - own_at_start_.pool_answered;
  if (study_.rank_again > 0 && own.pool_open > 0 && fresh >= study_.rank_again) return true;
  if (!open_rounds_go_on()) return false;
  if (own.is_ahead_of(own_at_start_)) return true;
  const SoFar all = so_far("");
  return all.open == 0 && all.is_ahead_of(all_at_start_);
}

bool Runner::open_rounds_go_on() {
  const auto open = store_.borrow()->open_batches(study_.name);
  return std::ranges::all_of(open, [&](const PeopleStore::Batch& batch) {
    const double all = static_cast<double>(batch.open + batch.answered);
    return batch.purpose == "repeat" ||
           (batch.purpose != "held_out" &&
            static_cast<double>(batch.answered) >= study_.share * all - 1e-9);
  });
}

}  // namespace distal::serve
