#include "distal/lists/lists.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/pattern.h"
#include "distal/lists/csv.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Where each column stands in a record; -1: absent.
struct Columns {
  int64_t path, label, group, start_s, end_s, start_frame, end_frame;
  int64_t count;
};

Columns columns_of(const CsvRecord& header, const std::string& place, bool labelled) {
  std::vector<std::string> names;
  for (const auto& field : header.fields) names.push_back(trimmed(field));
  const auto find = [&](const std::string& name) -> int64_t {
    const auto at = std::find(names.begin(), names.end(), name);
    return at == names.end() ? -1 : at - names.begin();
  };
  Columns columns{find("path"),  find("label"),       find("group"),     find("start_s"),
                  find("end_s"), find("start_frame"), find("end_frame"), std::ssize(names)};
  if (columns.path < 0) columns.path = find("video");
  const auto refuse = [&](const std::string& what) {
    fail("{}:{}: {}, it has {}", place, header.line, what, fmt::join(names, ", "));
  };
  if (columns.path < 0) refuse("the list needs a column path (or video)");
  if (columns.label < 0 && labelled) refuse("the list needs a column label");
  if ((columns.start_s < 0) != (columns.end_s < 0)) refuse("start_s and end_s come together");
  if ((columns.start_frame < 0) != (columns.end_frame < 0))
    refuse("start_frame and end_frame come together");
  return columns;
}

template <class Number>
Number number(const std::string& text, const char* column, const Origin& place) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail("{}: {} is '{}', write {}", place, column, text,
         std::is_integral_v<Number> ? "a whole number" : "seconds as a number such as 12.5");
  }
  return value;
}

// Both ends of a span as written; nothing where both fields are empty or there are no such columns.
std::optional<std::pair<std::string, std::string>> ends_of(const CsvRecord& record, int64_t start,
                                                           int64_t end, const Origin& place) {
  if (start < 0) return std::nullopt;
  const std::string first = trimmed(record.fields[start]);
  const std::string last = trimmed(record.fields[end]);
  if (first.empty() && last.empty()) return std::nullopt;
  if (first.empty() || last.empty())
    fail("{}: a span with one end, give both ends or neither (the whole video)", place);
  return std::pair(first, last);
}

void read_span(Row& row, const CsvRecord& record, const Columns& columns) {
  const auto seconds = ends_of(record, columns.start_s, columns.end_s, row.place);
  const auto frames = ends_of(record, columns.start_frame, columns.end_frame, row.place);
  if (seconds && frames)
    fail("{}: a span in seconds and one in frames, leave one of them empty", row.place);
  if (seconds) {
    row.start_s = number<double>(seconds->first, "start_s", row.place);
    row.end_s = number<double>(seconds->second, "end_s", row.place);
    if (!(row.start_s >= 0 && row.end_s > row.start_s)) {
      fail("{}: the span {} .. {} s is empty, end_s must be after start_s, start_s at least 0",
           row.place, row.start_s, row.end_s);
    }
  }
  if (frames) {
    row.start_frame = number<int64_t>(frames->first, "start_frame", row.place);
    row.end_frame = number<int64_t>(frames->second, "end_frame", row.place);
    if (row.start_frame < 0 || row.end_frame < row.start_frame) {
      fail("{}: the span of frames {} .. {} is empty, end_frame must be at least start_frame, "
           "start_frame at least 0",
           row.place, row.start_frame, row.end_frame);
    }
  }
}

Row row_of(const CsvRecord& record, const Columns& columns, const std::string& csv_path,
           bool labelled) {
  Row row;
  row.place = {csv_path, record.line};
  if (std::ssize(record.fields) != columns.count) {
    fail("{}: {} fields where the header has {}, quote a field that contains a comma", row.place,
         record.fields.size(), columns.count);
  }
  row.path = record.fields[columns.path];
  if (row.path.empty()) fail("{}: empty path, name a video or remove the line", row.place);
  if (row.path.str().size() > kLongestPath)
    fail("{}: a path of {} characters, no file has one; name a video or remove the line", row.place,
         row.path.str().size());
  if (columns.label >= 0) row.label = utf8_name(trimmed(record.fields[columns.label]));
  if (row.label.empty() && labelled)
    fail("{}: empty label, name a class or remove the line", row.place);
  if (columns.group >= 0) row.group = utf8_name(trimmed(record.fields[columns.group]));
  row.grouped = !row.group.empty();
  if (!row.grouped) row.group = group_of_path(row.path);
  read_span(row, record, columns);
  return row;
}

}  // namespace

void ListOptions::visit(OptionVisitor& v) const {
  v("csv", csv, "list of videos: path,label[,group][,start_s,end_s], relative to the data folder");
  v("groups", groups, "regular expression that a row's group must match; empty: all");
}

void ClipOptions::visit(OptionVisitor& v) const {
  v("unit", unit, "what a clip is: a video (or the span of its row), or a segment of fixed length",
    one_of({"video", "segment"}));
  v("length_s", length_s, "length of a segment, s", Range{0.001});
  v("stride_s", stride_s, "time from the start of a segment to the next start, s", Range{0.001});
}

std::string group_of_path(const std::string& path) {
  return utf8_name(std::filesystem::path(path).lexically_normal().replace_extension().string());
}

namespace {

[[noreturn]] void no_list(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code unknown;
  if (!folder.empty() && !std::filesystem::exists(folder, unknown) && !unknown)
    fail("{}: there is no folder {}; check its path, or make the lists with distal import", path,
         folder.string());
  fail("{}: no such file, give the path of a CSV with the columns path,label, or make the lists "
       "with distal import",
       path);
}

}  // namespace

std::vector<Row> read_rows(const std::string& csv_path, const std::string& groups, bool labelled) {
  const Pattern pattern(groups, "groups");
  std::error_code unknown;
  if (!std::filesystem::exists(csv_path, unknown) && !unknown) no_list(csv_path);
  std::optional<Columns> columns;
  std::optional<Interned> first_group;
  std::vector<Row> rows;
  each_csv(list_text(csv_path), csv_path, [&](const CsvRecord& record) {
    if (!columns) {
      columns = columns_of(record, csv_path, labelled);
      return;
    }
    const Row row = row_of(record, *columns, csv_path, labelled);
    if (!first_group) first_group = row.group;
    if (pattern.found_in(row.group.str())) rows.push_back(row);
  });
  if (!columns)
    fail("{}:1: the file is empty, the first line names the columns: path,label", csv_path);
  if (rows.empty() && first_group)
    fail("{}: no group matches '{}', the first one is '{}'", csv_path, groups, *first_group);
  if (rows.empty()) fail("{}:1: no line after the header, list at least one video", csv_path);
  rows.shrink_to_fit();
  return rows;
}

Classes classes_of(const std::vector<Row>& rows) {
  std::set<std::string> names;
  for (const auto& row : rows) {
    if (!row.label.empty() && row.label != kUnlabelled) names.insert(row.label);
  }
  return {{names.begin(), names.end()}};
}

}  // namespace distal
