#include "distal/lists/foreign_lists.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <optional>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/pattern.h"
#include "distal/base/text.h"
#include "distal/lists/csv.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

struct ListLine {
  std::string text, place;  // trimmed; file:line
};

constexpr size_t kLongestLine = 65'536;  // longer ones are no list's
constexpr size_t kLongestName = 255;     // of a file
constexpr double kMostSeconds = 1e6;     // eleven days

std::vector<ListLine> lines_of(const std::string& text, const std::string& place) {
  std::vector<ListLine> lines;
  int64_t number = 0;
  for (size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + (text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    ++number;
    line.erase(line.find_last_not_of(" \t\r") + 1);
    line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.size() > kLongestLine)
      fail("{}:{}: a line of {} characters; this is no list of videos", place, number, line.size());
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

// Of a group that the list or its naming rule says.
Row row_of(const std::string& path, const std::string& label, const std::string& group,
           const std::string& place) {
  Row row;
  row.path = path;
  row.label = utf8_name(label);
  row.group = utf8_name(group);
  row.grouped = true;
  row.place = place;
  return row;
}

const Pattern& ucf_path() {
  static const Pattern pattern(R"(([^/]+)/v_[^/]+_g\d+_c\d+\.\w+)", "UCF101");
  return pattern;
}

int64_t column(const CsvRecord& header, const std::string& name, const std::string& place) {
  const auto at = std::find(header.fields.begin(), header.fields.end(), name);
  if (at == header.fields.end())
    fail("{}:{}: a Kinetics list needs a column {}, it has {}", place, header.line, name,
         fmt::join(header.fields, ", "));
  return at - header.fields.begin();
}

double seconds(const std::string& text, const char* name, const std::string& place) {
  const auto value = number<double>(text);
  if (!value || !(*value >= 0 && *value <= kMostSeconds))
    fail("{}: {} is '{}', write seconds as a number from 0 to {:.0f}", place, name,
         excerpt(text, 40), kMostSeconds);
  return *value;
}

Side kinetics_side(const std::string& split) {
  if (split.empty()) return Side::unsaid;
  return split.starts_with("train") ? Side::training : Side::test;
}

Row kinetics_row(const std::string& label, const std::string& id, double start_s, double end_s,
                 const std::string& place, const FindVideo& find) {
  Row row =
      row_of(fmt::format("{}_{:06}_{:06}.mp4", id, std::llround(start_s), std::llround(end_s)),
             label, id, place);
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
  if (video)
    fail("{}: several labels; distal learns one class a video, write `path label`", line.place);
  fail("{}: `path frames label` lists folders of frames, which are no videos; give the list of the "
       "videos (path label)",
       line.place);
}

}  // namespace

void Tally::leave_out(const std::string& reason, const std::string& example, int64_t count) {
  if (count == 0) return;
  auto at = std::find_if(reasons_.begin(), reasons_.end(),
                         [&](const Reason& known) { return known.reason == reason; });
  if (at == reasons_.end()) at = reasons_.insert(at, {reason, example, 0});
  at->count += count;
}

void Tally::append(const Tally& more) {
  read(more.read_);
  for (const Reason& one : more.reasons_) leave_out(one.reason, one.example, one.count);
}

int64_t Tally::left_out() const {
  int64_t sum = 0;
  for (const Reason& one : reasons_) sum += one.count;
  return sum;
}

std::string Tally::text() const {
  constexpr size_t kShown = 12;
  std::string text = fmt::format("{} {}: {} read", total(), what_, read_);
  int64_t shown = 0;
  for (size_t i = 0; i < std::min(kShown, reasons_.size()); ++i) {
    const auto& [reason, example, count] = reasons_[i];
    text += fmt::format(", {} {}", count, reason);
    if (!example.empty()) text += fmt::format(" ({}{})", count > 1 ? "the first: " : "", example);
    shown += count;
  }
  if (shown < left_out())
    text += fmt::format(", {} for {} other reasons", left_out() - shown, reasons_.size() - kShown);
  return text;
}

void ForeignList::add(Row row, Side side) {
  rows.push_back(std::move(row));
  sides.push_back(side);
}

void ForeignList::append(ForeignList more) {
  std::move(more.rows.begin(), more.rows.end(), std::back_inserter(rows));
  std::move(more.sides.begin(), more.sides.end(), std::back_inserter(sides));
  for (auto& note : more.notes) {
    if (std::find(notes.begin(), notes.end(), note) == notes.end())
      notes.push_back(std::move(note));
  }
  for (Tally& tally : more.tallies) {
    const auto at = std::find_if(tallies.begin(), tallies.end(),
                                 [&](const Tally& known) { return known.what() == tally.what(); });
    if (at == tallies.end())
      tallies.push_back(std::move(tally));
    else
      at->append(tally);
  }
}

std::string recognised_format(const std::string& text, const std::string& file_name) {
  const size_t begin = text.find_first_not_of(" \t\r\n", text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  if (begin == std::string::npos || text.find('\0') != std::string::npos) return "";
  if (text[begin] == '{' || text[begin] == '[') return "labelstudio";
  if (text[begin] == '<') return text.find("<annotations") != std::string::npos ? "cvat" : "";
  const auto lines = lines_of(text, file_name);
  const auto all = [&](const auto& holds) {
    return std::all_of(lines.begin(), lines.end(), holds);
  };
  const auto ends_in_number = [](const ListLine& line) { return counted(line.text).has_value(); };
  static const Pattern hmdb_name(R"(.+_test_split\d+\.txt)", "HMDB51");
  static const Pattern ucf_name(R"((train|test)list\d+\.txt)", "UCF101");
  if (hmdb_name.matches_all(file_name) && all(ends_in_number)) return "hmdb51";
  const auto is_ucf = [](const ListLine& line) {
    const auto numbered = counted(line.text);
    return ucf_path().matches_all(numbered ? numbered->before : line.text);
  };
  if (all(is_ucf) && (ucf_name.matches_all(file_name) || !ends_in_number(lines.front())))
    return "ucf101";
  if (all(ends_in_number)) return "mmaction2";
  const auto records = parse_csv(lines.front().text, file_name);
  if (records.empty()) return "";  // a byte-order mark and nothing else
  const auto& header = records.front().fields;
  const auto has = [&](const char* name) {
    return std::find(header.begin(), header.end(), name) != header.end();
  };
  if (has("youtube_id")) return "kinetics";
  if (has("annotation_id") && has("lead_time"))
    fail("{}:1: a CSV export of Label Studio, which loses spans; export from Label Studio as JSON",
         file_name);
  return has("path") || has("video") ? "csv" : "";
}

std::string group_of_name(const std::string& path) {
  static const Pattern pattern(R"(v_(.+_g\d+)_c\d+)", "UCF101");
  const auto found = pattern.match(stem(path));
  return found ? utf8_name(found->at(1)) : group_of_path(path);
}

void set_group_of_name(Row& row) {
  row.group = group_of_name(row.path);
  row.grouped = row.group != group_of_path(row.path);
}

ForeignList read_kinetics(const std::string& text, const std::string& place,
                          const FindVideo& find) {
  const auto records = parse_csv(text, place);
  if (records.empty())
    fail("{}:1: empty; the first line of a Kinetics list is "
         "label,youtube_id,time_start,time_end,split",
         place);
  const CsvRecord& header = records.front();
  const int64_t label = column(header, "label", place);
  const int64_t id = column(header, "youtube_id", place);
  const int64_t start = column(header, "time_start", place);
  const int64_t end = column(header, "time_end", place);
  const auto split =
      std::find(header.fields.begin(), header.fields.end(), "split") - header.fields.begin();
  ForeignList list;
  Tally rows("rows");
  for (auto record = records.begin() + 1; record != records.end(); ++record) {
    const std::string here = fmt::format("{}:{}", place, record->line);
    const auto& fields = record->fields;
    if (fields.size() != header.fields.size())
      fail("{}: {} fields where the header has {}, quote a field that contains a comma", here,
           fields.size(), header.fields.size());
    if (fields[id].empty()) fail("{}: empty youtube_id, name a video or remove the line", here);
    const double start_s = seconds(fields[start], "time_start", here);
    const double end_s = seconds(fields[end], "time_end", here);
    if (end_s <= start_s)
      fail("{}: time_end {} is not after time_start {}, correct them or remove the line", here,
           fields[end], fields[start]);
    if (fields[id].size() > kLongestName)
      fail("{}: a youtube_id of {} characters, name a video or remove the line", here,
           fields[id].size());
    if (fields[label].empty()) {
      rows.leave_out("without a label", here);
      continue;
    }
    rows.read();
    list.add(kinetics_row(fields[label], fields[id], start_s, end_s, here, find),
             kinetics_side(split < std::ssize(fields) ? fields[split] : ""));
  }
  list.tallies.push_back(rows);
  return list;
}

ForeignList read_mmaction2(const std::string& text, const std::string& place,
                           const std::vector<std::string>& class_names) {
  ForeignList list;
  Tally rows("rows");
  for (const ListLine& line : lines_of(text, place)) {
    const auto found = counted(line.text);
    if (!found || found->number < 0)
      fail("{}: '{}' does not end in a class number; an MMAction2 list is `path label`", line.place,
           excerpt(line.text, 80));
    require_one_label(line, found->before);
    const int64_t known = std::ssize(class_names);
    if (known > 0 && found->number >= known)
      fail("{}: class number {}, but there are {} class names (the first is number 0); name it in "
           "--classes",
           line.place, found->number, known);
    Row row = row_of(found->before,
                     known > 0 ? class_names[found->number] : fmt::format("{}", found->number), "",
                     line.place);
    set_group_of_name(row);
    list.add(row);
    rows.read();
  }
  list.tallies.push_back(rows);
  if (class_names.empty())
    list.notes.push_back(
        "classes are called by their numbers; --classes FILE, one name a line, names them");
  return list;
}

ForeignList read_ucf101(const std::string& text, const std::string& place, Side side) {
  ForeignList list;
  Tally rows("rows");
  for (const ListLine& line : lines_of(text, place)) {
    const auto numbered = counted(line.text);
    const std::string path = numbered ? numbered->before : line.text;
    const auto found = ucf_path().match(path);
    if (!found)
      fail("{}: '{}' is not of UCF101; a line is Class/v_Class_g01_c01.avi", line.place,
           excerpt(line.text, 80));
    list.add(row_of(path, found->at(1), group_of_name(path), line.place), side);
    rows.read();
  }
  list.tallies.push_back(rows);
  return list;
}

ForeignList read_hmdb51(const std::string& text, const std::string& place,
                        const std::string& label) {
  static const Pattern last_number(R"(_\d+$)", "HMDB51");
  ForeignList list;
  Tally rows("rows");
  for (const ListLine& line : lines_of(text, place)) {
    const auto found = counted(line.text);
    if (!found || found->number < 0 || found->number > 2)
      fail("{}: '{}' is not of an HMDB51 split; a line is `name.avi N`, 1 training, 2 test, 0 "
           "unused",
           line.place, excerpt(line.text, 80));
    if (found->number == 0) {
      rows.leave_out("unused in this split (0)");
      continue;
    }
    rows.read();
    const std::string group = last_number.replaced(stem(found->before), "");
    list.add(row_of(label + "/" + found->before, label, group, line.place),
             found->number == 1 ? Side::training : Side::test);
  }
  list.tallies.push_back(rows);
  return list;
}

std::string csv_text(const std::vector<Row>& rows) {
  const auto framed = [](const Row& row) { return row.start_frame >= 0; };
  const auto timed = [&](const Row& row) {
    return !framed(row) && (row.start_s > 0 || std::isfinite(row.end_s));
  };
  const bool seconds = std::any_of(rows.begin(), rows.end(), timed);
  const bool frames = std::any_of(rows.begin(), rows.end(), framed);
  const bool labels =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return !row.label.empty(); });
  std::string text =
      fmt::format("path{},group{}{}\n", labels ? ",label" : "", seconds ? ",start_s,end_s" : "",
                  frames ? ",start_frame,end_frame" : "");
  for (const Row& row : rows) {
    text += csv_field(row.path);
    if (labels) text += fmt::format(",{}", csv_field(row.label));
    text += fmt::format(",{}", csv_field(row.group));
    if (seconds) text += timed(row) ? fmt::format(",{},{}", row.start_s, row.end_s) : ",,";
    if (frames) text += framed(row) ? fmt::format(",{},{}", row.start_frame, row.end_frame) : ",,";
    text += '\n';
  }
  return text;
}

}  // namespace distal
