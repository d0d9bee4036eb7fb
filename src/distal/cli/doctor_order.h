#pragma once
// distal doctor --order RECIPE: trains TSN and TSM on the recipe's labels and says what seeing the
// order of the frames is worth (study/order_sensitivity.h). DIR, by default runs/RECIPE-order,
// holds the report of the two arms and, as recipe.yaml, a recipe that `distal run` runs again.

#include "distal/cli/command.h"

namespace distal {

/// Prints both accuracies, their difference with interval and test, and what it means; --json: the
/// same as an object, --dry-run: the plan. Throws UsageError: --jobs; Error: DIR holds another
/// experiment, or another process is at work there.
void doctor_order(const RecipeArguments& arguments);

}  // namespace distal
