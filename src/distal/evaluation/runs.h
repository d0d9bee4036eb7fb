#pragma once
// Finished runs read back from their folders.

#include <string>
#include <vector>

#include "distal/evaluation/results.h"

namespace distal {

/// The results that `distal run` left in the folders, at least one. Of several they are laid side
/// by side: an arm is called FOLDER/ARM, with as many parts of the folder's path as tell it from
/// the others, and notes say where the runs differ. Throws UsageError: a folder is given twice;
/// Error: a folder holds no finished run, an arm has a seed twice, or the runs were not measured on
/// the same test clips, classes and unit of budget.
Results read_runs(const std::vector<std::string>& folders);

}  // namespace distal
