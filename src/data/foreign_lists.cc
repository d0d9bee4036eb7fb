#include "data/foreign_lists.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <optional>
#include <regex>
#include <sstream>

#include <fmt/ranges.h>

#include "base/error.h"
#include "data/csv.h"

namespace distal {
namespace {

struct ListLine {
  std::string text, place;  // trimmed; file:line
};

constexpr size_t kLongestLine = 4096;  // longer ones are no list's, and std::regex recurses once a character

std::vector<ListLine> lines_of(const std::string& text, const std::string& place) {
  std::vector<ListLine> lines;
  int64_t number = 0;
  for (size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    line.erase(line.find_last_not_of(" \t\r") + 1);
    line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.size() > kLongestLine) fail("{}:{}: a line of {} characters; this is no list of videos", place, number, line.size());
    if (!line.empty()) lines.push_back({line, fmt::format("{}:{}", place, number)});
  }
  return lines;
}

template <class Number>
std::optional<Number> number(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A line's last word as a whole number, and what stands before it; nothing where it is none.
struct Counted {
  std::string before;
  int64_t number = 0;
};
std::optional<Counted> counted(const std::string& line) {
  const size_t gap = line.find_last_of(" \t");
  if (gap == std::string::npos) return std::nullopt;
  const auto last = number<int64_t>(line.substr(gap + 1));
  if (!last) return std::nullopt;
  return Counted{line.substr(0, line.find_last_not_of(" \t", gap) + 1), *last};
}

std::string stem(const std::string& path) { return std::filesystem::path(path).stem().string(); }

Row row_of(std::string path, std::string label, std::string group, const std::string& place) {
  Row row;
  row.path = std::move(path);
  row.label = std::move(label);
  row.group = std::move(group);
  row.place = place;
  return row;
}

const std::regex& ucf_path() {
  static const std::regex pattern(R"(([^/]+)/v_[^/]+_g\d+_c\d+\.\w+)");
  return pattern;
}

int64_t column(const CsvRecord& header, const std::string& name, const std::string& place) {
  const auto at = std::find(header.fields.begin(), header.fields.end(), name);
  if (at == header.fields.end())
    fail("{}:{}: a Kinetics list needs a column {}, it has {}", place, header.line, name, fmt::join(header.fields, ", "));
  return at - header.fields.begin();
}

bool has_column(const std::string& header, const std::string& name) {
  std::istringstream fields(header);
  for (std::string field; std::getline(fields, field, ',');) {
    std::erase_if(field, [](char c) { return c == '"' || c == ' ' || c == '\t'; });
    if (field == name) return true;
  }
  return false;
}

double seconds(const std::string& text, const char* name, const std::string& place) {
  const auto value = number<double>(text);
  if (!value || !(*value >= 0)) fail("{}: {} is '{}', write seconds as a number", place, name, text);
  return *value;
}

Side kinetics_side(const std::string& split) {
  if (split.empty()) return Side::unsaid;
  return split.starts_with("train") ? Side::training : Side::test;
}

Row kinetics_row(const std::string& label, const std::string& id, double start_s, double end_s, const std::string& place, const FindVideo& find) {
  Row row = row_of(fmt::format("{}_{:06}_{:06}.mp4", id, std::llround(start_s), std::llround(end_s)), label, id, place);
  if (const std::string cut = find(row.path); !cut.empty()) {
    row.path = cut;
  } else if (const std::string whole = find(id + ".mp4"); !whole.empty()) {
    row.path = whole;
    row.start_s = start_s;
    row.end_s = end_s;
  }
  return row;
}

// `dir 120 3` stands for frames; `clip.mp4 1 3` for two labels.
void require_one_label(const ListLine& line, const std::string& before) {
  const auto more = counted(before);
  if (!more) return;
  const bool video = std::filesystem::path(more->before).has_extension();
  if (video) fail("{}: several labels; distal learns one class a video, write `path label`", line.place);
  fail("{}: `path frames label` lists folders of frames, which are no videos; give the list of the videos (path label)", line.place);
}

}  // namespace

void ForeignList::add(Row row, Side side) {
  rows.push_back(std::move(row));
  sides.push_back(side);
}

void ForeignList::append(ForeignList more) {
  std::move(more.rows.begin(), more.rows.end(), std::back_inserter(rows));
  std::move(more.sides.begin(), more.sides.end(), std::back_inserter(sides));
  for (auto& note : more.notes)
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(std::move(note));
}

std::string recognised_format(const std::string& text, const std::string& file_name) {
  const size_t begin = text.find_first_not_of(" \t\r\n", text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  if (begin == std::string::npos || text.find('\0') != std::string::npos) return "";
  if (text[begin] == '{' || text[begin] == '[') return "labelstudio";
  if (text[begin] == '<') return text.find("<annotations") != std::string::npos ? "cvat" : "";
  const auto lines = lines_of(text, file_name);
  const std::string& first = lines.front().text;
  const auto all = [&](const auto& holds) { return std::all_of(lines.begin(), lines.end(), holds); };
  const auto ends_in_number = [](const ListLine& line) { return counted(line.text).has_value(); };
  if (std::regex_match(file_name, std::regex(R"(.+_test_split\d+\.txt)")) && all(ends_in_number)) return "hmdb51";
  const auto is_ucf = [](const ListLine& line) {
    const auto numbered = counted(line.text);
    return std::regex_match(numbered ? numbered->before : line.text, ucf_path());
  };
  const bool ucf_name = std::regex_match(file_name, std::regex(R"((train|test)list\d+\.txt)"));
  if (all(is_ucf) && (ucf_name || !ends_in_number(lines.front()))) return "ucf101";
  if (all(ends_in_number)) return "mmaction2";
  if (has_column(first, "youtube_id")) return "kinetics";
  return has_column(first, "path") || has_column(first, "video") ? "csv" : "";
}

std::string group_of_name(const std::string& path) {
  static const std::regex pattern(R"(v_(.+_g\d+)_c\d+)");
  const std::string name = stem(path);
  std::smatch found;
  return std::regex_match(name, found, pattern) ? found[1].str() : std::filesystem::path(path).lexically_normal().replace_extension().string();
}

ForeignList read_kinetics(const std::string& text, const std::string& place, const FindVideo& find) {
  const auto records = parse_csv(text, place);
  if (records.empty()) fail("{}:1: empty; the first line of a Kinetics list is label,youtube_id,time_start,time_end,split", place);
  const CsvRecord& header = records.front();
  const int64_t label = column(header, "label", place), id = column(header, "youtube_id", place), start = column(header, "time_start", place),
                end = column(header, "time_end", place);
  const auto split = std::find(header.fields.begin(), header.fields.end(), "split") - header.fields.begin();
  ForeignList list;
  int64_t unlabelled = 0;
  for (auto record = records.begin() + 1; record != records.end(); ++record) {
    const std::string here = fmt::format("{}:{}", place, record->line);
    const auto& fields = record->fields;
    if (fields.size() != header.fields.size()) fail("{}: {} fields where the header has {}", here, fields.size(), header.fields.size());
    if (fields[id].empty()) fail("{}: empty youtube_id, name a video or remove the line", here);
    const double start_s = seconds(fields[start], "time_start", here), end_s = seconds(fields[end], "time_end", here);
    if (end_s <= start_s) fail("{}: time_end {} is not after time_start {}", here, fields[end], fields[start]);
    if (fields[label].empty()) ++unlabelled;
    else list.add(kinetics_row(fields[label], fields[id], start_s, end_s, here, find), kinetics_side(split < std::ssize(fields) ? fields[split] : ""));
  }
  if (unlabelled > 0) list.notes.push_back(fmt::format("{} rows without a label were left out", unlabelled));
  return list;
}

ForeignList read_mmaction2(const std::string& text, const std::string& place, const std::vector<std::string>& class_names) {
  ForeignList list;
  for (const ListLine& line : lines_of(text, place)) {
    const auto found = counted(line.text);
    if (!found || found->number < 0) fail("{}: '{}' does not end in a class number; an MMAction2 list is `path label`", line.place, line.text);
    require_one_label(line, found->before);
    const int64_t known = std::ssize(class_names);
    if (known > 0 && found->number >= known) fail("{}: class number {}, but there are {} class names; the first is number 0", line.place, found->number, known);
    list.add(row_of(found->before, known > 0 ? class_names[found->number] : fmt::format("{}", found->number), group_of_name(found->before), line.place));
  }
  if (class_names.empty()) list.notes.push_back("classes are called by their numbers; --classes FILE, one name a line, names them");
  return list;
}

ForeignList read_ucf101(const std::string& text, const std::string& place, Side side) {
  ForeignList list;
  for (const ListLine& line : lines_of(text, place)) {
    const auto numbered = counted(line.text);
    const std::string path = numbered ? numbered->before : line.text;
    std::smatch found;
    if (!std::regex_match(path, found, ucf_path())) fail("{}: '{}' is not of UCF101; a line is Class/v_Class_g01_c01.avi", line.place, line.text);
    list.add(row_of(path, found[1].str(), group_of_name(path), line.place), side);
  }
  return list;
}

ForeignList read_hmdb51(const std::string& text, const std::string& place, const std::string& label) {
  static const std::regex last_number(R"(_\d+$)");
  ForeignList list;
  for (const ListLine& line : lines_of(text, place)) {
    const auto found = counted(line.text);
    if (!found || found->number < 0 || found->number > 2)
      fail("{}: '{}' is not of an HMDB51 split; a line is `name.avi N`, 1 training, 2 test, 0 unused", line.place, line.text);
    if (found->number == 0) continue;
    const std::string group = std::regex_replace(stem(found->before), last_number, "");
    list.add(row_of(label + "/" + found->before, label, group, line.place), found->number == 1 ? Side::training : Side::test);
  }
  return list;
}

std::string csv_text(const std::vector<Row>& rows) {
  const auto quoted = [](const std::string& field) {
    if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
    return fmt::format("\"{}\"", std::regex_replace(field, std::regex("\""), "\"\""));
  };
  const auto timed = [](const Row& row) { return row.start_s > 0 || std::isfinite(row.end_s); };
  const auto framed = [](const Row& row) { return row.start_frame >= 0; };
  const bool seconds = std::any_of(rows.begin(), rows.end(), timed), frames = std::any_of(rows.begin(), rows.end(), framed);
  if (seconds && frames) fail("{}: spans in seconds and in frames do not go into one list; import them apart", rows.front().place);
  std::string text = seconds ? "path,label,group,start_s,end_s\n" : frames ? "path,label,group,start_frame,end_frame\n" : "path,label,group\n";
  constexpr int64_t kLastFrame = 999'999'999;  // of a whole video among spans: a span may end after its video
  for (const Row& row : rows) {
    text += fmt::format("{},{},{}", quoted(row.path), quoted(row.label), quoted(row.group));
    if (seconds) text += fmt::format(",{},{}", row.start_s, row.end_s);
    if (frames) text += framed(row) ? fmt::format(",{},{}", row.start_frame, row.end_frame) : fmt::format(",0,{}", kLastFrame);
    text += '\n';
  }
  return text;
}

}  // namespace distal
