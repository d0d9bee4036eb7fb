#pragma once
// Weights that a program keeps for its own next start: checkpoints, and what a training ended with.

#include <optional>
#include <string>

#include "distal/models/weights.h"

namespace distal {

class Progress;

/// What save_checked left at `path`; nothing where there is no such file, or where it is not what
/// was written: cut, damaged, unreadable. Such a file is removed and said, since training again
/// gives the same.
std::optional<Tensors> load_kept(const std::string& path, Progress& progress);

}  // namespace distal
