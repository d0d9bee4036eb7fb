#include "distal/base/json.h"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/text.h"

namespace distal {
namespace {

// Looks at brackets outside strings only: the parser itself says whether the text is JSON.
void require_shallow(std::string_view text, const std::string& place) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMostJsonDepth)
        fail("{}: its JSON is nested deeper than {} levels; nothing that distal reads is: check "
             "that it is the right file",
             place, kMostJsonDepth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

std::string position(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte > 0 ? byte - 1 : 0);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t newline = before.rfind('\n');
  return fmt::format("line {}, column {}", line,
                     before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1);
}

template <class Json>
std::string text_of(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string json_text(const nlohmann::json& value, int indent) { return text_of(value, indent); }

std::string json_text(const nlohmann::ordered_json& value, int indent) {
  return text_of(value, indent);
}

nlohmann::json parse_json(std::string_view text, const std::string& place) {
  require_shallow(text, place);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
      fail("{}: empty; JSON was expected: copy or write it again", place);
    const size_t at = error.byte > 0 ? error.byte - 1 : 0;
    const std::string there =
        at < text.size() ? fmt::format("not JSON from '{}' on", excerpt(text.substr(at), 20))
                         : "its JSON ends too early";
    fail("{}: {}: {}; it may be cut off or of another format", place, position(text, error.byte),
         there);
  } catch (const nlohmann::json::exception&) {  // a number out of range
    fail("{}: a number in its JSON is out of range, beyond {:.1e}; give a smaller one", place,
         std::numeric_limits<double>::max());
  }
}

}  // namespace distal
