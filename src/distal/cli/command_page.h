#pragma once
// The page of docs/reference/ that describes the commands.

#include <string>

#include <CLI/CLI.hpp>

namespace distal {

/// Usage, arguments and flags of each command of `app`, in the order in which they were added.
/// Hidden commands and flags are left out. `recipe_help` is the help of a recipe's options; of a
/// command that prints it the page refers to recipe.md instead.
std::string commands_page(const CLI::App& app, const std::string& recipe_help);

}  // namespace distal
