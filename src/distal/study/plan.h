#pragma once
// Plans of given paces (run.h has the one of measured paces).

#include "distal/learn/pace.h"
#include "distal/study/material.h"
#include "distal/study/run.h"

namespace distal {

/// Each distinct network's pace is asked for once, however many arms have it.
Plan plan(const Experiment& experiment, Progress& progress, const PaceOf& pace_of);
/// The same where the videos are opened already, be it with another input.
Plan plan(const Experiment& experiment, Material& material, const PaceOf& pace_of);

}  // namespace distal
