#include "distal/report/html.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "distal/base/text.h"

namespace distal {
namespace {

constexpr const char* kDash = "–";
constexpr size_t kManyColumns = 10;  // from which on they stand closer
constexpr const char* kReplacement = "\xEF\xBF\xBD";

std::string grouped(std::string digits) {
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text.substr(at));
    const char c = text[at];
    if (length == 0 || (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) &&
                        c != '\n' && c != '\t'))
      out += kReplacement;
    else if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out.append(text.substr(at, length));
    at += length == 0 ? 1 : length;
  }
  return out;
}

std::string shortened(std::string_view text, int64_t characters) {
  std::vector<size_t> starts;
  for (size_t at = 0; at < text.size();) {
    starts.push_back(at);
    at += std::max<size_t>(1, utf8_length(text.substr(at)));
  }
  if (static_cast<int64_t>(starts.size()) <= characters) return std::string(text);
  return std::string(
             text.substr(0, starts[static_cast<size_t>(std::max<int64_t>(0, characters - 1))])) +
         "…";
}

std::string percent(double share, int decimals) {
  return std::isfinite(share) ? fmt::format("{:.{}f}\u00A0%", share * 100, decimals) : kDash;
}

std::string points(double share, int decimals) {
  if (!std::isfinite(share)) return kDash;
  const std::string size = fmt::format("{:.{}f}", std::abs(share) * 100, decimals);
  const bool zero = size.find_first_not_of("0.") == std::string::npos;
  return (zero ? "" : share < 0 ? "−" : "+") + size;
}

std::string number(double value, int decimals) {
  if (!std::isfinite(value)) return kDash;
  std::string text = fmt::format("{:.{}f}", std::abs(value), decimals);
  std::string tail;
  if (const auto dot = text.find('.'); dot != std::string::npos) {
    tail = text.substr(dot);
    text.resize(dot);
    tail.erase(tail.find_last_not_of('0') + 1);
    if (tail == ".") tail.clear();
  }
  const bool zero = text == "0" && tail.empty();
  return (value < 0 && !zero ? "−" : "") + grouped(text) + tail;
}

std::string wall_time(double seconds) {
  if (!std::isfinite(seconds)) return kDash;
  if (seconds < 59.5)
    return number(seconds, seconds < 0.995 ? 2 : seconds < 9.95 ? 1 : 0) + "\u00A0s";
  return seconds < 3597 ? number(seconds / 60, 1) + "\u00A0min"
                        : number(seconds / 3600, 2) + "\u00A0h";
}

std::string p_value(double p) {
  if (!std::isfinite(p)) return kDash;
  return p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", p);
}

std::string measured(double value, const std::string& html) {
  return std::isfinite(value) ? fmt::format("<data value=\"{:.9g}\">{}</data>", value, html)
                              : fmt::format("<data value=\"\">{}</data>", html);
}

std::string base64(std::string_view bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (size_t i = 0; i < 4; ++i)
      out += at + i <= bytes.size() ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

Table& Table::row(std::vector<std::string> cells, std::string row_class) {
  rows_.push_back({std::move(cells), std::move(row_class)});
  return *this;
}

Table& Table::sortable() {
  sortable_ = true;
  return *this;
}

std::string Table::html() const {
  const std::string caption = escaped(caption_);
  std::string kind = headings_.size() >= kManyColumns ? "dense" : "plain";
  if (sortable_) kind += " sortable";
  std::string out = fmt::format("<div class=\"scroll{}\" role=\"region\" tabindex=\"0\" "
                                "aria-label=\"{}\"><table class=\"{}\">"
                                "<caption><span>{}</span></caption><thead><tr>",
                                sortable_ ? " tall" : "", caption, kind, caption);
  for (const auto& heading : headings_) out += "<th scope=\"col\">" + heading + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const auto& row : rows_) {
    out += row.name.empty() ? "<tr>" : "<tr class=\"" + row.name + "\">";
    for (size_t i = 0; i < row.cells.size(); ++i)
      out +=
          i == 0 ? "<th scope=\"row\">" + row.cells[i] + "</th>" : "<td>" + row.cells[i] + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace distal
