// base/text.h: bytes from outside as text for JSON and for terminals.
#include "distal/base/text.h"

#include "target.h"

using namespace distal;

namespace {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0 || length > text.size()) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Whether a terminal takes none of it for a command: no C0 but those of `kept`, no DEL, no C1
/// (U+0080 to U+009F).
bool is_plain(std::string_view text, std::string_view kept) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && kept.find(text[i]) == std::string_view::npos) || byte == 0x7f) return false;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return false;
  }
  return true;
}

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  const std::string valid = valid_utf8(input);
  const std::string line = printable(input);
  const std::string lines = printable_lines(input);
  fuzz::require(is_utf8(valid) && is_utf8(line) && is_utf8(lines), "text is UTF-8");
  fuzz::require(valid == input || !is_utf8(input), "valid text stays as it is");
  fuzz::require(is_plain(line, "") && is_plain(lines, "\n\t"), "text holds no control characters");
  fuzz::require(printable(line) == line && printable_lines(lines) == lines,
                "printable text stays as it is");
  const std::string start = excerpt(input, 20);
  fuzz::require(is_utf8(start) && is_plain(start, "") && start.size() <= 23,
                "an excerpt is printable and short");
}
