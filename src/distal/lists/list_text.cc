#include "distal/lists/list_text.h"

#include <array>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr int64_t kMostListBytes = int64_t{256} << 20;
constexpr char32_t kReplacement = 0xFFFD;

void append_utf8(std::string& out, char32_t code) {
  const auto byte = [&](char32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

// RFC 2781; half a pair of surrogates becomes U+FFFD.
std::string from_utf16(std::string_view text, bool big_endian) {
  const auto unit = [&](size_t i) -> char32_t {
    const auto first = static_cast<unsigned char>(text[i]);
    const auto second = static_cast<unsigned char>(text[i + 1]);
    return big_endian ? static_cast<char32_t>(first << 8 | second)
                      : static_cast<char32_t>(second << 8 | first);
  };
  std::string out;
  for (size_t i = 2; i + 1 < text.size(); i += 2) {
    char32_t code = unit(i);
    const bool high = code >= 0xD800 && code < 0xDC00;
    const bool low = code >= 0xDC00 && code < 0xE000;
    const char32_t next = high && i + 3 < text.size() ? unit(i + 2) : 0;
    if (high && next >= 0xDC00 && next < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (next - 0xDC00);
      i += 2;
    } else if (high || low) {
      code = kReplacement;
    }
    append_utf8(out, code);
  }
  return out;
}

// Windows-1252, 0x80 to 0x9F; where it has no character the byte is U+0080 to U+009F, as in ISO
// 8859-1.
constexpr std::array<char16_t, 32> kWindows = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

}  // namespace

std::string list_text(const std::string& path) {
  std::string text = read_file(path, kMostListBytes);
  if (text.starts_with("PK\x03\x04"))
    fail("{}: a ZIP archive or a workbook; unpack it and give the file inside, or save the sheet "
         "as CSV (UTF-8)",
         path);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    text = from_utf16(text, text[0] == '\xFE');
  else if (text.starts_with("\xEF\xBB\xBF"))
    text.erase(0, 3);
  if (text.find('\0') != std::string::npos)
    fail("{}: holds zero bytes and is no text; save the list as text, UTF-8", path);
  return text;
}

std::string utf8_name(std::string_view text) {
  if (valid_utf8(text) == text) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    append_utf8(out, byte >= 0x80 && byte < 0xA0 ? kWindows[byte - 0x80] : byte);
  }
  return out;
}

}  // namespace distal
