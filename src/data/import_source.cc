#include "data/import_source.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <fmt/ranges.h>

#include "base/error.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

const std::regex& hmdb51_name() {
  static const std::regex pattern(R"((.+)_test_split(\d{1,3})\.txt)");
  return pattern;
}

const std::regex& ucf101_name() {
  static const std::regex pattern(R"((train|test)list(\d{1,3})\.txt)");
  return pattern;
}

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) fail("{}: cannot be read; check its name and its permissions", path);
  if (text.view().starts_with("PK\x03\x04")) fail("{}: a ZIP archive; unpack it and give the file inside", path);
  return text.str();
}

std::string name_of(const std::string& path) { return fs::path(path).filename().string(); }
std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

// Lexically: a symbolic link stays what it is called here.
fs::path below(const std::string& folder, const fs::path& entry) { return entry.string().substr((fs::path(folder) / "").string().size()); }

std::vector<std::string> files_named(const std::string& folder, const std::regex& pattern, int64_t split) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder)) {
    const std::string name = name_of(entry.path().string());
    std::smatch found;
    if (std::regex_match(name, found, pattern) && std::stoll(found[2].str()) == split) files.push_back((fs::path(folder) / name).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string format_of(const ImportOptions& options) {
  if (!options.format.empty()) return options.format;
  if (fs::is_directory(options.path)) {
    if (!files_named(options.path, ucf101_name(), options.split).empty()) return "ucf101";
    return files_named(options.path, hmdb51_name(), options.split).empty() ? "tree" : "hmdb51";
  }
  if (has_video_ending(options.path)) throw UsageError(fmt::format("{}: a video; give the folder of CLASS/VIDEO it lies in, or a list", options.path));
  const std::string format = recognised_format(text_of(options.path), name_of(options.path));
  if (format.empty())
    fail("{}: of no known format; import reads {}: --format NAME says which; our own CSV begins with path,label", options.path,
         fmt::join(import_formats(), ", "));
  return format;
}

// The published lists that belong together: both of UCF101, those of all classes of HMDB51.
std::vector<std::string> partners(const ImportOptions& options, const std::regex& pattern) {
  if (fs::is_directory(options.path)) return files_named(options.path, pattern, options.split);
  const std::string name = name_of(options.path);
  std::smatch found;
  return std::regex_match(name, found, pattern) ? files_named(folder_of(options.path), pattern, std::stoll(found[2].str())) : std::vector{options.path};
}

std::string hmdb51_class(const std::string& path) {
  const std::string name = name_of(path);
  std::smatch found;
  if (!std::regex_match(name, found, hmdb51_name())) fail("{}: an HMDB51 list carries its class in its name: CLASS_test_split1.txt", path);
  return found[1].str();
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  if (path.empty()) return names;
  std::istringstream lines(text_of(path));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) names.push_back(line);
  }
  return names;
}

ForeignList rows_of_tree(const std::string& folder) {
  ForeignList list;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    if (!has_video_ending(entry.path().string()) || !entry.is_regular_file()) continue;
    const fs::path relative = below(folder, entry.path());
    if (!relative.has_parent_path()) fail("{}: lies beside the class folders; a folder tree is CLASS/VIDEO", entry.path().string());
    Row row;
    row.path = relative.string(), row.place = relative.string();
    row.label = relative.parent_path().filename().string();
    row.group = group_of_name(row.path);
    list.add(row);
  }
  if (list.rows.empty()) fail("{}: no video below it; a folder tree is CLASS/VIDEO (mp4, avi, mkv, mov, webm, ...)", folder);
  std::sort(list.rows.begin(), list.rows.end(), [](const Row& a, const Row& b) { return a.path < b.path; });
  return list;
}

ForeignList read_list(const std::string& path, const ImportSource& source, const ImportOptions& options, const FindVideo& find) {
  if (source.format == "csv") {
    ForeignList list;
    for (Row& row : read_rows(path, "")) list.add(std::move(row));
    return list;
  }
  const std::string text = text_of(path);
  if (source.format == "kinetics") return read_kinetics(text, path, find);
  if (source.format == "mmaction2") return read_mmaction2(text, path, names_in(options.classes));
  if (source.format == "ucf101") {
    const Side side = source.files.size() < 2 ? Side::unsaid : name_of(path).starts_with("test") ? Side::test : Side::training;
    return read_ucf101(text, path, side);
  }
  if (source.format == "hmdb51") return read_hmdb51(text, path, hmdb51_class(path));
  if (source.format == "labelstudio") return read_label_studio(text, path, find, options.frame_rate);
  return read_cvat(text, path);
}

void regroup(ForeignList& list, const std::string& pattern) {
  if (pattern.empty()) return;
  std::regex group;
  try {
    group = std::regex(pattern);
  } catch (const std::regex_error& error) {
    throw UsageError(fmt::format("--group '{}': no regular expression: {}", pattern, error.what()));
  }
  int64_t others = 0;
  for (Row& row : list.rows) {
    const std::string stem = fs::path(row.path.str()).stem().string();
    std::smatch found;
    if (std::regex_search(stem, found, group)) row.group = found.size() > 1 ? found[1].str() : found[0].str();
    else ++others;
  }
  if (others == 0) return;
  list.notes.push_back(fmt::format("--group matches {} of {} rows; the others keep the group they had", std::ssize(list.rows) - others, list.rows.size()));
}

// Leaves out the rows whose video is not there.
void locate(ImportSource& source, const FindVideo& find) {
  ForeignList present;
  present.notes = source.list.notes;
  for (size_t i = 0; i < source.list.rows.size(); ++i) {
    Row row = source.list.rows[i];
    const std::string path = find(row.path);
    if (path.empty()) {
      source.missing.push_back(fmt::format("{}: {}", row.place, row.path));
      continue;
    }
    row.path = path;
    present.add(row, source.list.sides[i]);
  }
  if (present.rows.empty()) {
    fail("{}: none of its {} videos lies in {}; --videos names their folder. The first: {}", source.files.front(), source.missing.size(),
         source.folder.empty() ? "this folder" : source.folder, source.missing.front());
  }
  source.list = std::move(present);
}

}  // namespace

const std::vector<std::string>& import_formats() {
  static const std::vector<std::string> formats = {"tree", "csv", "kinetics", "mmaction2", "ucf101", "hmdb51", "labelstudio", "cvat"};
  return formats;
}

bool has_video_ending(const std::string& path) {
  static const std::set<std::string> endings = {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"};
  std::string ending = fs::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return endings.contains(ending);
}

struct VideoFolder::Index {
  std::multimap<std::string, std::string> by_name, by_stem, by_path;  // path without ending
  explicit Index(const std::string& folder) {
    for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
      if (!has_video_ending(entry.path().string()) || !entry.is_regular_file()) continue;
      const fs::path path = below(folder, entry.path());
      by_name.emplace(path.filename().string(), path.string());
      by_stem.emplace(path.stem().string(), path.string());
      by_path.emplace((path.parent_path() / path.stem()).string(), path.string());
    }
  }
};

VideoFolder::VideoFolder(std::string folder) : folder_(folder.empty() ? "." : std::move(folder)) {}
VideoFolder::~VideoFolder() = default;

std::string VideoFolder::find(const std::string& name) {
  std::error_code error;
  if (name.empty()) return "";
  if (fs::exists(fs::path(folder_) / name, error)) return name;
  if (!index_) index_ = std::make_unique<Index>(folder_);
  const auto only = [](const auto& names, const std::string& key) { return names.count(key) == 1 ? names.find(key)->second : std::string(); };
  const fs::path path = fs::path(name).lexically_normal();
  if (const auto found = only(index_->by_path, (path.parent_path() / path.stem()).string()); !found.empty()) return found;
  if (path.has_parent_path()) return "";
  const std::string same = only(index_->by_name, path.string());
  return same.empty() ? only(index_->by_stem, path.stem().string()) : same;
}

ImportSource read_source(const ImportOptions& options) {
  if (!fs::exists(options.path))
    throw UsageError(fmt::format("{}: missing; give a folder of CLASS/VIDEO, or a list ({})", options.path, fmt::join(import_formats(), ", ")));
  ImportSource source;
  source.format = format_of(options);
  const bool folder = fs::is_directory(options.path);
  const bool published = source.format == "ucf101" || source.format == "hmdb51";
  if (folder != (source.format == "tree") && !(folder && published)) {
    throw UsageError(fmt::format("{}: {} is a {}, not a {}", options.path, source.format, folder ? "file" : "folder", folder ? "folder" : "file"));
  }
  if (!options.test.empty() && (folder || published))
    throw UsageError("--test goes with one list; a folder, UCF101 and HMDB51 bring both sides or are split by group");
  source.folder = !options.videos.empty() ? options.videos : folder ? options.path : folder_of(options.path);
  if (source.format == "tree") {
    source.list = rows_of_tree(options.path);
    source.folder = options.path;
    regroup(source.list, options.group);
    return source;
  }
  source.files = published ? partners(options, source.format == "ucf101" ? ucf101_name() : hmdb51_name()) : std::vector{options.path};
  if (source.files.empty()) fail("{}: no {} list of split {} in it; --split N", options.path, source.format, options.split);
  if (!options.test.empty()) source.files.push_back(options.test);
  VideoFolder videos(source.folder);
  const FindVideo find = [&](const std::string& name) { return videos.find(name); };
  for (const std::string& file : source.files) {
    ForeignList list = read_list(file, source, options, find);
    if (!options.test.empty()) list.sides.assign(list.rows.size(), file == options.test ? Side::test : Side::training);
    source.list.append(std::move(list));
  }
  if (source.list.rows.empty()) fail("{}: no row with a label in it", source.files.front());
  regroup(source.list, options.group);
  locate(source, find);
  return source;
}

}  // namespace distal
