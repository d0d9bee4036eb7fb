#pragma once
// The result of an experiment on a terminal: a line per arm, then the comparisons in words.

#include <string>

#include "distal/evaluation/results.h"

namespace distal {

std::string summary_text(const Results& results);

}  // namespace distal
