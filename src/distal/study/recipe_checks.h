#pragma once
// What a recipe must not say: contradictions, refused before anything is decoded.

#include <string>
#include <vector>

#include "distal/study/recipe.h"

namespace distal {

/// Throws UsageError: an arm contradicts itself or the shared part, its name cannot be a file's, or
/// it counts its budget in another unit than the first. `places`: of each arm in the recipe.
void require_consistent(const Study& study, const std::vector<std::string>& places);

/// What the arm's strategy needs and does not get: what, and what would be right; empty: nothing.
std::string unmet_need(const OracleOptions& oracle, const ArmOptions& arm);

/// The share of its features that a network drops before its classifier; 0 where its backbone has
/// no such option.
double dropout_of(ModelOptions model);

}  // namespace distal
