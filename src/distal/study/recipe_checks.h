#pragma once
// What a recipe must not say: contradictions, refused before anything is decoded.

#include <map>
#include <string>

#include "distal/study/recipe.h"

namespace distal {

/// Throws UsageError: an arm contradicts itself, or its name cannot be a file's. `taken`: the arms so far, by their files; `place` is the arm's in the recipe.
void check(const Arm& arm, const Experiment& experiment, std::map<std::string, std::string>& taken, const std::string& place);

/// Throws UsageError: an arm differs from the first in what arms share.
void require_shared(const Arm& arm, const Arm& first, const std::string& place);

/// What the recipe's strategy needs and does not get: what, and what would be right; empty: nothing.
std::string unmet_need(const Recipe& recipe);

/// The share of its features that a network drops before its classifier; 0 where its backbone has no such option.
double dropout_of(ModelOptions model);

}  // namespace distal
