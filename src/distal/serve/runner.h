#pragma once
// The study at work in a process of its own. It ends where it needs people's answers, and is
// started again when these are there.

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "distal/serve/options.h"
#include "distal/serve/pool.h"
#include "distal/store/people_store.h"

namespace distal::serve {

/// Thread-safe. The process never outlives this.
class Runner {
 public:
  /// `command`: words behind the program's name; what it prints goes to the file `log`. `study`:
  /// whose items are waited for, and how many of their answers.
  Runner(std::vector<std::string> command, std::string log, const ServedStudy& study,
         Pool<PeopleStore>& store);
  /// Tells the process to stop, and waits until it has.
  ~Runner();
  Runner(const Runner&) = delete;

  /// Tells the process to stop, and does not wait. It starts no more.
  void close();
  /// Begins to watch, once: starts the process where it is to run.
  void begin(bool run = true);

  /// running, waiting (for people), paused, stopped, done, failed
  std::string state() const;
  /// What a person must know of the last run; empty: nothing.
  std::string note() const;
  /// The last line that it printed.
  std::string last_line() const;
  /// What it does now; empty: it does not run.
  std::string stage() const { return state() == "running" ? last_line() : ""; }

  void start();
  void pause();  // it starts again where it was
  void stop();   // the same; the word says that nobody means to

 private:
  enum class Wish { run, pause, stop };
  void wish(Wish wish);
  void work();
  void look();
  void spawn();
  void tell_to_stop();
  void ended(int status);
  // Of what people were asked.
  struct SoFar {
    int64_t open = 0;
    int64_t answered = 0;  // settled, or left out
    int64_t withdrawn = 0;
    int64_t pool_open = 0;  // of what a strategy chose: only that is ranked
    int64_t pool_answered = 0;
    bool is_ahead_of(const SoFar& before) const {
      return answered > before.answered || withdrawn > before.withdrawn;
    }
  };
  SoFar so_far(const std::string& study);  // empty: all studies of the store
  bool open_rounds_go_on();
  bool answers_are_there();

  std::vector<std::string> command_;
  std::string log_;
  ServedStudy study_;
  Pool<PeopleStore>& store_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool closing_ = false;
  Wish wish_ = Wish::run;
  std::string state_ = "running";
  std::string note_;
  // of the worker alone
  pid_t process_ = 0;
  bool told_to_stop_ = false;
  int64_t told_at_ms_ = 0;
  int64_t ended_at_ms_ = 0;
  SoFar own_at_start_, all_at_start_;
  std::thread worker_;  // last: it uses all above
};

}  // namespace distal::serve
