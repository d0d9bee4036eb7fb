#pragma once
// What limits the results of a study, each with its number and its cure: too few seeds, test groups
// or test clips, one teacher, answers that are wrong or of one person, students that did not finish
// learning. Only what was measured is said; where a number is not known, nothing is. Pure.

#include <string>
#include <vector>

#include "distal/report/summary.h"

namespace distal {

struct Limit {
  std::string name;   // for programs: seeds, test_groups, test_groups_of_class, test_clips,
                      // one_teacher, wrong_answers, one_person, plateau, budget, first_student,
                      // start_draw, missing_runs, many_arms, unusable_videos
  double number = 0;  // what is too small or too large, in the unit that `says` gives
  std::string says;   // one sentence with the number
  std::string cure;   // one sentence; may be empty
};

/// The thresholds below which a limit is told.
inline constexpr int64_t kEnoughSeeds = 5;
inline constexpr int64_t kEnoughTestGroups = 30;
inline constexpr int64_t kEnoughTestClips = 200;
inline constexpr double kEnoughRight = 0.9;     // share of answers that agree with hidden labels
inline constexpr double kStillFalling = 0.05;   // RoundResult::loss_fall
inline constexpr double kStillRising = 0.02;    // accuracy that the last round added
inline constexpr size_t kManyComparisons = 10;  // at once

/// The gravest first: those that forbid a claim for other videos, then those that weaken one.
std::vector<Limit> limits(const Summary& summary);

}  // namespace distal
