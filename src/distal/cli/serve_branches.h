#pragma once
// The studies that `distal serve` runs: that of its recipe, and branches, which differ from it in
// some options. FOLDER is where the results of the recipe lie. A branch is
// FOLDER/branches/NAME.yaml, with results in FOLDER/branches/NAME; nothing is written elsewhere.

#include <string>
#include <vector>

#include "distal/cli/command.h"
#include "distal/serve/options.h"

namespace distal {

class Branches {
 public:
  Branches(const RecipeArguments& arguments, const Study& study);

  /// That of the recipe.
  serve::ServedStudy first() const;
  /// Those made by earlier servers, the oldest first; one whose recipe cannot be read is left out.
  std::vector<serve::ServedStudy> earlier() const;
  /// What makes others; this must outlive it.
  serve::BranchMaker maker() const;

 private:
  std::vector<serve::RecipeOption> options(const std::string& study) const;
  serve::ServedStudy make(const serve::BranchWish& wish) const;
  std::string recipe_of(const std::string& branch) const;
  Document document_of(const std::string& study) const;
  serve::ServedStudy branch(const std::string& name, const std::string& of) const;

  RecipeArguments arguments_;
  Study study_;
  std::string folder_;
};

}  // namespace distal
