#include "distal/base/text.h"

#include <fmt/format.h>

#include "distal/base/hash.h"
#include "distal/base/random.h"

namespace distal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;  // C1: U+0080 to U+009F
}

std::string cleaned(std::string_view text, std::string_view kept, bool dots) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length > 0 ? length : 1);
    if (length == 0)
      out += kReplacement;
    else if (dots && control(character) && kept.find(character[0]) == std::string_view::npos)
      out += '.';
    else
      out += character;
    text.remove_prefix(character.size());
  }
  return out;
}

}  // namespace

size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t length = byte(0) >= 0xC2 && byte(0) <= 0xDF   ? 2
                        : (byte(0) & 0xF0) == 0xE0           ? 3
                        : byte(0) >= 0xF0 && byte(0) <= 0xF4 ? 4
                                                             : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies above U+10FFFF show in the second byte.
  if (byte(0) == 0xE0 && byte(1) < 0xA0) return 0;
  if (byte(0) == 0xED && byte(1) > 0x9F) return 0;
  if (byte(0) == 0xF0 && byte(1) < 0x90) return 0;
  if (byte(0) == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

std::string valid_utf8(std::string_view text) { return cleaned(text, "", false); }

std::string printable(std::string_view text) { return cleaned(text, "", true); }

std::string printable_lines(std::string_view text) { return cleaned(text, "\n\t", true); }

std::string excerpt(std::string_view text, size_t most) {
  // A prefix is enough: cleaning never makes text shorter by more than a byte a character of two.
  const std::string clean = printable(text.substr(0, 2 * most + 8));
  if (clean.size() <= most && text.size() <= 2 * most + 8) return clean;
  size_t end = 0;
  while (end < clean.size()) {
    const size_t length = utf8_length(std::string_view(clean).substr(end));
    if (end + length > most) break;
    end += length;
  }
  return clean.substr(0, end) + "...";
}

std::string slug(std::string_view text) {
  constexpr size_t kMost = 80;
  constexpr size_t kDigits = 9;
  const auto stands = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  };
  std::string name;
  bool told = true;  // whether the name still says all of the text
  for (const char c : text) {
    if (stands(c)) {
      name += c;
      continue;
    }
    told &= c == ' ' || c == ',';
    if (!name.empty() && name.back() != '-') name += '-';
  }
  const size_t first = name.find_first_not_of(".-");
  const size_t last = name.find_last_not_of(".-");
  const std::string trimmed =
      first == std::string::npos ? "" : name.substr(first, last - first + 1);
  told &= trimmed == name && !name.empty() && name.size() <= kMost;
  if (told) return name;
  return fmt::format("{}{}{:08x}", trimmed.substr(0, kMost - kDigits), trimmed.empty() ? "" : "-",
                     static_cast<uint32_t>(mix64(fnv1a(text))));
}

}  // namespace distal
