#pragma once
// What the reader of a report must know beside what was measured.

#include <map>
#include <string>

#include "distal/evaluation/results.h"
#include "distal/store/store.h"
#include "distal/study/dataset.h"

namespace distal {

/// Results without trials: the question, the lists, the recipe, the program and the machine.
Results describe(const Study& study, const Dataset& dataset, const std::string& command);

/// Adds notes and quarantined videos of the store's runs, whichever process they happened in.
/// `seeds`: of each run.
void add_findings(Results& results, const Study& study, const Dataset& dataset, Store& store,
                  const std::map<int64_t, int64_t>& seeds);

/// Host, processor, threads: one line.
std::string machine_line();

}  // namespace distal
