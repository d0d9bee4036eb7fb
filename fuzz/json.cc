// base/json.h: JSON from outside.
#include "distal/base/json.h"

#include <nlohmann/json.hpp>

#include "target.h"

using namespace distal;

namespace {

int depth_of(const nlohmann::json& value) {
  int deepest = 0;
  if (value.is_structured()) {
    for (const auto& item : value) deepest = std::max(deepest, depth_of(item));
  }
  return deepest + value.is_structured();
}

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  fuzz::attempt(input, [&] {
    const auto value = parse_json(input, "input.json");
    fuzz::require(depth_of(value) <= kMostJsonDepth, "no value is deeper than promised");
    fuzz::require(parse_json(value.dump(), "again") == value,
                  "what was read can be written and read again");
  });
}
