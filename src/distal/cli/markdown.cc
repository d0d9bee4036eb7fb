#include "distal/cli/markdown.h"

#include <cctype>

#include <fmt/ranges.h>

namespace distal {
namespace {

// The anchor that GitHub gives to a heading.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    if (c == ' ')
      anchor += '-';
    else if (c != '.')
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return anchor;
}

}  // namespace

std::string markdown_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '*') out += '\\';
    if (c == '<')
      out += "&lt;";
    else
      out += c;
  }
  return out;
}

std::string markdown_code(const std::string& text) {
  std::string out = "`";
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out + "`";
}

std::string codes_joined(const std::vector<std::string>& words) {
  std::vector<std::string> codes;
  for (const std::string& word : words) codes.push_back(markdown_code(word));
  return fmt::format("{}", fmt::join(codes, ", "));
}

std::string link_to(const std::string& text, const std::string& page, const std::string& heading) {
  return fmt::format("[{}]({}#{})", text, page, anchor_of(heading));
}

std::string page_head(const std::string& title) {
  return fmt::format(
      "# {}\n\n"
      "<!-- Written by `distal list --reference docs/reference`. Change the source, not this page. "
      "-->\n\n",
      title);
}

}  // namespace distal
