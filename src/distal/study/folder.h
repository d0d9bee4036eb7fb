#pragma once
// A study in its folder: whose folder it is, how many processes and threads, what is written.

#include <string>
#include <vector>

#include "distal/study/run.h"

namespace distal {

class Progress;

struct RunOptions {
  std::string folder;
  std::string store = "sqlite:distal.db";
  std::vector<std::string> command;  // the words that started it, the program first: for the
                                     // report, and to start jobs with
  // 0: as measured at the start (study/split.h), or as the folder began
  int64_t threads = 0;
  int64_t jobs = 0;
  std::string share;   // I/N: of the cells only these, to be collected by a run without it
  int64_t job_of = 0;  // the process that started this one as a job of its folder
};

/// Where a process of a study works: a job has a folder of its own. Throws UsageError: share is no
/// I/N.
RunPlace place_of(const RunOptions& options);

/// What a plan can tell of the places of a run without making them: the store is named by a URL,
/// and the folder can be made. Throws Error.
void require_places(const RunOptions& options);

/// Runs a study and writes its folder, the report last.
///
/// The folder belongs to one process at a time (FileLock) and, once it holds a report or trained
/// networks, to one study: that of FOLDER/recipe.yaml. Another one is refused before anything is
/// read, so that no report replaces another's. It is the same study where the arms have the same
/// names, in the same order, and the same options less those that only name, place, repeat or
/// prolong a run: question, control, no_random_arm, weights, seeds, rounds, cache. So seeds=10
/// after seeds=5 continues, and rounds=6 after rounds=4; rounds=2 shows the first two of what is
/// stored. Another first seed is another study, with another teacher.
///
/// FOLDER/recipe.yaml is the recipe with its overrides, as `distal run` reads it; every arm's
/// options stand below as comments. It is written first, the report last; unfinished/ goes when the
/// report stands.
///
/// With N jobs the cells are computed by N processes (run_jobs) that share the store, and collected
/// here. Where neither jobs nor threads are given both are measured; FOLDER/threads.json holds
/// them, since what is trained depends on the number of threads in its last bits: who continues a
/// run uses what it began with.
Results run_in_folder(const Study& study, const RunOptions& options, Progress& progress);

/// For a training that nothing runs beside: sets LibTorch's threads to RunOptions::threads, else to
/// what the folder began with (threads.json), else to what is measured now, and says so.
void set_threads_alone(const Learner& learner, const InputOptions& input, const RunOptions& options,
                       const std::string& folder, Progress& progress);

}  // namespace distal
