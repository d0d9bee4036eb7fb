#pragma once
// Text for the report: escaping, numbers as a reader wants them, and tables that read well to eyes
// and screen readers. Pure functions and values; the result never needs a network.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace distal {

/// Text made safe for HTML bodies and quoted attributes. Bytes that are no UTF-8 and control
/// characters become U+FFFD.
std::string escaped(std::string_view text);

/// At most `characters` characters (code points); a longer text ends in an ellipsis.
std::string shortened(std::string_view text, int64_t characters);

/// 0.6123 -> "61.2 %" with a no-break space; a dash where not finite.
std::string percent(double share, int decimals = 1);
/// 0.0312 -> "+3.1", in percentage points; a true minus sign; a dash where not finite.
std::string points(double share, int decimals = 1);
/// 1234.5 -> "1,234.5" with at most `decimals` decimals, trailing zeros dropped; a dash where not
/// finite.
std::string number(double value, int decimals = 2);
/// 3725 -> "1.03 h", 78 -> "1.3 min", 12.3 -> "12 s", 0.25 -> "0.25 s", with no-break spaces.
std::string wall_time(double seconds);
/// 0.0312 -> "0.031", 0.00001 -> "< 0.001".
std::string p_value(double p);

/// A cell (HTML) that a table sorts by `value`; one that is not finite comes last.
std::string measured(double value, const std::string& html);

/// RFC 4648 with padding.
std::string base64(std::string_view bytes);

/// A table with a caption (text), column headings, and a heading in the first cell of each row.
/// Headings and cells are HTML already: what came from outside goes through escaped() first.
class Table {
 public:
  Table(std::string caption, std::vector<std::string> headings)
      : caption_(std::move(caption)), headings_(std::move(headings)) {}
  Table& row(std::vector<std::string> cells, std::string row_class = "");
  /// The page's script lets a reader sort the rows by each column: by measured() where a cell has
  /// one, else by its text. Without a script the rows stand as they were added.
  Table& sortable();
  bool empty() const { return rows_.empty(); }
  std::string html() const;  // inside a scrolling box; columns after the first are set as numbers

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string name;
  };
  std::string caption_;
  std::vector<std::string> headings_;
  std::vector<Row> rows_;
  bool sortable_ = false;
};

}  // namespace distal
