#pragma once
// What people did in a study, for its report.

#include <string>
#include <vector>

#include "distal/evaluation/results.h"

namespace distal {

class PeopleStore;

/// Those with most answers first. Minutes are of the answers' own seconds, however long. Repeats
/// are items of the purpose `repeat` whose person answered about the same clip before.
std::vector<PersonResult> people_results(PeopleStore& people, const std::string& study);

}  // namespace distal
