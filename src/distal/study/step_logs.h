#pragma once
// The steps of every training of a study, below FOLDER/training.

#include <string>

#include "distal/learn/network_trainer.h"

namespace distal {

class Progress;

/// Logs each training in FOLDER/training/slug(what) (report/step_log.h). Where a log cannot be
/// written `progress` says so once, and the training goes on without it. `progress` must outlive
/// what is returned.
NetworkTrainer::WatchTraining step_logs(const std::string& folder, Progress& progress);

}  // namespace distal
