#pragma once
// A run's cells in several processes: each computes its share into the same store, and the run then collects them.

#include <string>
#include <vector>

#include "base/progress.h"

namespace distal {

/// Starts this program once per job, as `distal ARGUMENTS --share I/JOBS --out FOLDER/jobs/I`, its progress in
/// FOLDER/jobs/I.log, and waits for all; the networks they kept go to FOLDER. A job that fails is said with the end of its log: what it left undone is left to the
/// caller. Throws Error where no process can be started; Interrupted after the jobs were told to stop and did.
void run_jobs(const std::vector<std::string>& arguments, const std::string& folder, int64_t jobs, Progress& progress);

}  // namespace distal
