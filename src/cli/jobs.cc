#include "cli/jobs.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/files.h"

extern char** environ;

namespace distal {
namespace {

struct Job {
  pid_t process = 0;
  std::string log;
  int status = 0;
  bool running = true;
};

Job start(std::vector<std::string> arguments, const std::string& log) {
  arguments.insert(arguments.begin(), "distal");
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  posix_spawnattr_t own_group;  // Ctrl-C reaches this process alone, which passes it on once: a second signal would end a job before its checkpoint
  posix_spawnattr_init(&own_group);
  posix_spawnattr_setflags(&own_group, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&own_group, 0);
  Job job{0, log};
  const int failed = ::posix_spawn(&job.process, "/proc/self/exe", &files, &own_group, pointers.data(), environ);
  posix_spawnattr_destroy(&own_group);
  posix_spawn_file_actions_destroy(&files);
  if (failed) fail("--jobs: no process can be started ({}); try fewer", std::strerror(failed));
  return job;
}

// Looks once; true while any job is at work.
bool any_running(std::vector<Job>& jobs) {
  bool any = false;
  for (Job& job : jobs) {
    if (job.running && ::waitpid(job.process, &job.status, WNOHANG) == job.process) job.running = false;
    any |= job.running;
  }
  return any;
}

void stop(std::vector<Job>& jobs) {
  for (const Job& job : jobs)
    if (job.running) ::kill(job.process, SIGTERM);  // each writes its checkpoint
  for (Job& job : jobs)
    if (job.running) ::waitpid(job.process, &job.status, 0);
}

std::string last_line(const std::string& path) {
  std::ifstream in(path);
  std::string line, last;
  while (std::getline(in, line))
    if (!line.empty()) last = line;
  return last;
}

// The networks a job kept: the arms whose first seed was its share.
void take_networks(const std::string& from, const std::string& folder) {
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(from, absent)) {
    const auto path = entry.path(), to = std::filesystem::path(folder) / path.filename();
    const bool network = path.extension() == ".safetensors" || path.extension() == ".json";
    if (network) std::filesystem::rename(path, to);  // over the student of fewer rounds
  }
}

}  // namespace

void run_jobs(const std::vector<std::string>& arguments, const std::string& folder, int64_t jobs, Progress& progress) {
  make_folder(folder + "/jobs");
  progress.say(fmt::format("{} jobs at work; their progress: {}/jobs/*.log", jobs, folder));
  std::vector<Job> started;
  try {
    for (int64_t i = 0; i < jobs; ++i) {
      std::vector<std::string> all = arguments;
      const std::string place = fmt::format("{}/jobs/{}", folder, i);
      for (const auto& more : {std::string("--share"), fmt::format("{}/{}", i, jobs), std::string("--out"), place}) all.push_back(more);
      started.push_back(start(all, place + ".log"));
    }
    for (; any_running(started); std::this_thread::sleep_for(std::chrono::milliseconds(50))) Progress::check_interrupted();
  } catch (...) {
    stop(started);
    throw;
  }
  for (size_t i = 0; i < started.size(); ++i) {
    if (started[i].status != 0) progress.say(fmt::format("a job failed: {}", last_line(started[i].log)));
    take_networks(fmt::format("{}/jobs/{}", folder, i), folder);
  }
}

}  // namespace distal
