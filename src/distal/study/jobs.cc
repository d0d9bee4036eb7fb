#include "distal/study/jobs.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/in_use.h"
#include "distal/base/interrupted.h"
#include "distal/base/progress.h"

extern char** environ;

namespace distal {
namespace {

namespace fs = std::filesystem;

struct Started {
  int64_t share = 0;
  pid_t process = 0;
  std::string log;
  std::streamoff said = 0;  // bytes of the log that were said here too
  int status = 0;
  bool running = true;
};

Started start(int64_t share, std::vector<std::string> arguments, const std::string& log) {
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0666);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_t own_group;  // Ctrl-C reaches this process alone, which passes it on once: a
                                // second signal would end a job before its checkpoint
  posix_spawnattr_init(&own_group);
  posix_spawnattr_setflags(&own_group, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&own_group, 0);
  Started job{share, 0, log};
  const int failed =
      ::posix_spawn(&job.process, "/proc/self/exe", &files, &own_group, pointers.data(), environ);
  posix_spawnattr_destroy(&own_group);
  posix_spawn_file_actions_destroy(&files);
  if (failed) fail("--jobs: no process can be started ({}); try fewer", std::strerror(failed));
  return job;
}

// Looks once; true while any job is at work.
bool any_running(std::vector<Started>& jobs) {
  bool any = false;
  for (Started& job : jobs) {
    if (!job.running) continue;
    const pid_t ended = ::waitpid(job.process, &job.status, WNOHANG);
    job.running =
        ended == 0 || (ended < 0 && errno != ECHILD);  // no child: ended, and nobody knows how
    any |= job.running;
  }
  return any;
}

void stop(std::vector<Started>& jobs) {
  for (const Started& job : jobs) {
    if (job.running) ::kill(job.process, SIGTERM);
  }  // each writes its checkpoint
  for (Started& job : jobs) {
    if (job.running) ::waitpid(job.process, &job.status, 0);
  }
}

std::string last_line(const std::string& path) {
  std::ifstream in(path);
  std::string line, last;
  while (std::getline(in, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

// The whole lines that came to its log since the last call.
void say_new_lines(Started& job, Progress& progress) {
  std::ifstream in(job.log);
  in.seekg(job.said);
  for (std::string line; std::getline(in, line) && !in.eof();) {
    progress.say(fmt::format("job {}: {}", job.share, line));
    job.said += std::ssize(line) + 1;
  }
}

void wait_for_owner(const std::string& folder, Progress& progress) {
  for (bool said = false; fs::is_directory(folder); said = true) {
    try {
      const FileLock lock(folder + "/.lock", folder, "remove the folder");
      return;
    } catch (const InUse& busy) {
      if (!said) progress.say(fmt::format("waiting: {}", busy.what()));
    }
    check_interrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

std::vector<std::string> Job::words(int64_t parent) const {
  return {"--job-of",  fmt::format("{}", parent), "--share", fmt::format("{}/{}", share, shares),
          "--threads", fmt::format("{}", threads)};
}

std::string Job::folder(const std::string& run) const {
  return fmt::format("{}/jobs/{}", run, share);
}

void run_jobs(const std::vector<std::string>& command, const std::string& folder, int64_t jobs,
              int64_t threads, Progress& progress) {
  make_folder(folder + "/jobs");
  progress.say(fmt::format("{} jobs at work; their progress: {}/jobs/*.log", jobs, folder));
  std::vector<Started> started;
  try {
    for (int64_t i = 0; i < jobs; ++i) {
      const Job job{i, jobs, threads};
      wait_for_owner(job.folder(folder), progress);
      std::vector<std::string> all = command;
      const auto words = job.words(::getpid());
      all.insert(all.begin() + 2, words.begin(), words.end());
      started.push_back(start(i, all, job.folder(folder) + ".log"));
    }
    for (bool running = true; running;) {
      running = any_running(started);
      for (Started& job : started) say_new_lines(job, progress);
      check_interrupted();
      if (running) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  } catch (...) {
    stop(started);
    throw;
  }
  for (const Started& job : started) {
    if (job.status != 0)
      progress.say(fmt::format("job {} failed: {}", job.share, last_line(job.log)));
  }
}

void end_with_parent(int64_t parent) {
  ::prctl(
      PR_SET_PDEATHSIG,
      SIGKILL);  // it is safe to be killed at any instruction, and whoever comes next need not wait
  if (::getppid() != parent) ::raise(SIGKILL);
}

void remove_jobs(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder + "/jobs", ignored)) {
    if (!entry.is_directory(ignored)) {
      fs::remove(entry.path(), ignored);
      continue;
    }
    try {
      const FileLock lock(entry.path().string() + "/.lock", entry.path().string(),
                          "remove the folder");
      fs::remove_all(entry.path(), ignored);
    } catch (const Error&) {  // somebody's, or not ours to remove
    }
  }
  fs::remove(folder + "/jobs", ignored);
}

}  // namespace distal
