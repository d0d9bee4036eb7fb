#pragma once
// What `distal train` does with a pool nobody has answered for.

#include "distal/cli/command.h"

namespace distal {

/// Pre-trains the student of the recipe's first seed, writes DIR/pretrained.safetensors and
/// DIR/recipe.yaml and prints what its frozen features are worth; with --dry-run says how long it
/// would take. DIR belongs to one process at a time.
void pretrain_and_print(const Study& study, const RecipeArguments& arguments);

}  // namespace distal
