#pragma once
// JSON from outside, read within bounds.

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace distal {

/// Deepest nesting that `parse_json` takes. What is deeper is no description, list or answer, and code that walks it would
/// need a stack frame a level.
inline constexpr int kMostJsonDepth = 64;

/// Parses `text`. Throws Error `place, line and column, what is wrong`: no JSON, nested deeper than kMostJsonDepth, strings that
/// are no UTF-8. None carries a library's words.
nlohmann::json parse_json(std::string_view text, const std::string& place);

}  // namespace distal
