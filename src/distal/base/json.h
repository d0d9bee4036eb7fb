#pragma once
// JSON from outside, read within bounds.

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace distal {

/// Deepest nesting that `parse_json` takes. What is deeper is no description, list or answer, and
/// code that walks it would need a stack frame a level.
inline constexpr int kMostJsonDepth = 64;

/// Parses `text`. Throws Error `place, line and column, what is wrong`: no JSON, nested deeper than
/// kMostJsonDepth, strings that are no UTF-8. None carries a library's words.
nlohmann::json parse_json(std::string_view text, const std::string& place);

/// JSON as it is printed and written to files: bytes that are no UTF-8, as names of files may hold,
/// become U+FFFD. `indent` -1: in one line. Never throws for what a value holds.
std::string json_text(const nlohmann::json& value, int indent = -1);
std::string json_text(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace distal
