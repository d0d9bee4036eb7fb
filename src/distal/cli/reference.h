#pragma once
// What the program knows about its methods, options and commands, as data and as the Markdown pages
// of docs/reference/. Nothing is written twice: a page follows from the `visit` of each options
// struct, the catalogues and the commands. tests/reference_test.py compares the pages with it.

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "distal/base/options.h"

namespace distal {

/// A method of a family.
struct MethodRow {
  std::string name;
  std::string summary;             // one sentence
  std::string source;              // the paper; "-": none
  std::string plugin;              // the file it came from; empty: it is distal's own
  std::vector<OptionRow> options;  // its own, with their defaults
};

struct FamilyRow {
  std::string name;                // as `distal list` calls it
  std::string title;               // the heading of its chapter
  std::string used;                // where a recipe names a method of it
  std::vector<MethodRow> methods;  // sorted by name
};
/// All families, in the order in which `distal list` shows them.
std::vector<FamilyRow> families();

/// Writes recipe.md, methods.md and commands.md into `folder`, and makes it where it is absent.
/// `app` is the program with all its commands. The same program writes the same bytes on every
/// machine and in every environment. Throws Error: a file cannot be written.
void write_reference(const CLI::App& app, const std::string& folder);

}  // namespace distal
