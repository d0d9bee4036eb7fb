// study/recipe.h: whole recipes with arms and sweeps. What stands behind a zero byte are overrides,
// one a line.
#include "distal/study/recipe.h"

#include <sstream>

#include "distal/base/document.h"
#include "distal/study/sweep.h"
#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  const size_t zero = input.find('\0');
  fuzz::attempt(input, [&] {
    Document document = Document::text(std::string(input.substr(0, zero)), "recipe.yaml");
    if (zero != std::string_view::npos) {
      std::vector<Override> overrides;
      std::istringstream lines{std::string(input.substr(zero + 1))};
      for (std::string line; std::getline(lines, line);) overrides.push_back(Override::parse(line));
      document = document.with(overrides);
    }
    const Study study = read_study(document, "recipe");
    fuzz::require(!study.arms.empty(), "an experiment has an arm");
  });
}
