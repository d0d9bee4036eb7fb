#pragma once
// What a study asked, for the reader of its report: the first clips of each round of an arm, their
// answers and who gave them, and who answered how much.

#include <cstdint>
#include <string>
#include <vector>

#include "distal/evaluation/results.h"
#include "distal/store/store.h"
#include "distal/study/dataset.h"

namespace distal {

/// Fills Trial::asked of the trials of the first seed, and Results::people. `runs`: of each trial,
/// in the store at `store_url`. `who`: answers the study.
void add_asked(Results& results, const std::vector<int64_t>& runs, const Study& study,
               const Dataset& dataset, Store& store, const std::string& store_url,
               const Answerer& who);

/// Of a round.
inline constexpr size_t kMostAskedShown = 8;

}  // namespace distal
