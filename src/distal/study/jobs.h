#pragma once
// A run's cells in several processes: each computes its share into the same store, and the run then
// collects them.

#include <cstdint>
#include <string>
#include <vector>

namespace distal {

class Progress;

/// What a job is told beyond the command line of the run that starts it.
struct Job {
  int64_t share = 0;
  int64_t shares = 1;
  int64_t threads = 1;
  std::vector<std::string> words(
      int64_t parent) const;  // for the command line; `parent`: id of the process it belongs to
  std::string folder(const std::string& run) const;  // where it keeps its networks: RUN/jobs/SHARE
};

/// Starts this program once per job, with Job::words after the first two of `command` (program and
/// subcommand), its progress in FOLDER/jobs/I.log and said here too behind `job I:`, and waits for
/// all. First it waits for whoever is at work in FOLDER/jobs/I. A job that fails is said with the
/// end of its log: what it left undone is left to the caller. Throws Error where no process can be
/// started; Interrupted after the jobs were told to stop and did.
void run_jobs(const std::vector<std::string>& command, const std::string& folder, int64_t jobs,
              int64_t threads, Progress& progress);

/// For a job: from now on this process is killed when its parent ends, however that ends; at once
/// where it has ended already.
void end_with_parent(int64_t parent);

/// Removes FOLDER/jobs, but for the folders where somebody is at work, whoever started them.
void remove_jobs(const std::string& folder);

}  // namespace distal
