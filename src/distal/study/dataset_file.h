#pragma once
// A dataset that one process opened, for the processes that share its study: they read no lists,
// probe no videos and look for no damage again.

#include <string>

#include "distal/study/dataset.h"

namespace distal {

/// Writes the clips of a dataset, JSON, whole or not at all.
void save_dataset(const Dataset& dataset, const std::string& path);

/// The dataset of the file, with readers of the study's own. Throws Error: it is not as
/// save_dataset wrote it.
Dataset load_dataset(const Study& study, const std::string& path);

}  // namespace distal
