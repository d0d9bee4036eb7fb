#pragma once
// What a kept student learned from and how it was measured, for its model card
// (deploy/export_description.h). It holds no path of a machine and no time, so that the same trial
// writes the same bytes anywhere.

#include <cstdint>
#include <string>

namespace distal {

struct Arm;
struct LabeledSet;
struct Metrics;
struct TrialSetup;

/// JSON: study, arm, seed, round, recipe (decisive_options), `data` with the clips, groups and
/// clips of each class of what it learned from and of the lists, `test` with the metrics, `init`
/// with the name of the file of initial weights and its licence, as the file's metadata say
/// (`licence` or `license`). The interval of the accuracy is that of Student's t over test groups,
/// clips of a group being dependent; null with fewer than two groups.
std::string training_account(const TrialSetup& setup, const Arm& arm, const LabeledSet& known,
                             const Metrics& metrics, int64_t seed);

}  // namespace distal
