#include "distal/lists/import_source.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/pattern.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

const Pattern& hmdb51_name() {
  static const Pattern pattern(R"((.+)_test_split(\d{1,3})\.txt)", "HMDB51");
  return pattern;
}

const Pattern& ucf101_name() {
  static const Pattern pattern(R"((train|test)list(\d{1,3})\.txt)", "UCF101");
  return pattern;
}

bool exists(const std::string& path) {
  std::error_code unknown;
  return fs::exists(path, unknown);
}

bool is_folder(const std::string& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

std::string name_of(const std::string& path) { return fs::path(path).filename().string(); }
std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

// Lexically: a symbolic link stays what it is called here.
fs::path below(const std::string& folder, const fs::path& entry) {
  return entry.string().substr((fs::path(folder) / "").string().size());
}

// Calls `visit` with each entry of a folder, or of all below it (fs::recursive_directory_iterator),
// where folders of others are passed over.
template <class Iterator, class Visit>
void walk(const std::string& folder, const Visit& visit) {
  std::error_code error;
  constexpr bool deep = std::is_same_v<Iterator, fs::recursive_directory_iterator>;
  Iterator at(folder,
              deep ? fs::directory_options::skip_permission_denied : fs::directory_options::none,
              error);
  if (error)
    fail("{}: the folder cannot be read ({}); check its name and its permissions", folder,
         error.message());
  for (const Iterator end; at != end; at.increment(error)) {
    check_interrupted();
    visit(*at);
  }
  if (error) fail("{}: cannot be read to its end ({}); check the disk", folder, error.message());
}

std::vector<std::string> files_named(const std::string& folder, const Pattern& pattern,
                                     int64_t split) {
  std::vector<std::string> files;
  walk<fs::directory_iterator>(folder.empty() ? "." : folder,
                               [&](const fs::directory_entry& entry) {
                                 const std::string name = name_of(entry.path().string());
                                 const auto found = pattern.match(name);
                                 if (found && std::stoll(found->at(2)) == split)
                                   files.push_back((fs::path(folder) / name).string());
                               });
  std::sort(files.begin(), files.end());
  return files;
}

std::string format_of(const ImportOptions& options) {
  if (!options.format.empty()) return options.format;
  if (is_folder(options.path)) {
    if (options.unlabelled) return "tree";
    if (!files_named(options.path, ucf101_name(), options.split).empty()) return "ucf101";
    return files_named(options.path, hmdb51_name(), options.split).empty() ? "tree" : "hmdb51";
  }
  if (has_video_ending(options.path))
    throw UsageError(fmt::format(
        "{}: a video; give the folder of CLASS/VIDEO it lies in, or a list", options.path));
  const std::string format = recognised_format(list_text(options.path), name_of(options.path));
  if (format.empty())
    fail("{}: of no known format; import reads {}: --format NAME says which; our own CSV begins "
         "with path,label",
         options.path, fmt::join(import_formats(), ", "));
  return format;
}

// The published lists that belong together: both of UCF101, those of all classes of HMDB51.
std::vector<std::string> partners(const ImportOptions& options, const Pattern& pattern) {
  if (is_folder(options.path)) return files_named(options.path, pattern, options.split);
  const auto found = pattern.match(name_of(options.path));
  return found ? files_named(folder_of(options.path), pattern, std::stoll(found->at(2)))
               : std::vector{options.path};
}

std::string hmdb51_class(const std::string& path) {
  const auto found = hmdb51_name().match(name_of(path));
  if (!found) fail("{}: an HMDB51 list carries its class in its name: CLASS_test_split1.txt", path);
  return found->at(1);
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  if (path.empty()) return names;
  std::istringstream lines(list_text(path));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) names.push_back(line);
  }
  return names;
}

std::string class_folder(const std::string& video, const fs::path& relative) {
  if (!relative.has_parent_path()) {
    fail("{}: lies beside the class folders; a folder tree is CLASS/VIDEO. Where nobody knows the "
         "classes yet: --unlabelled",
         video);
  }
  const std::string name = utf8_name(relative.parent_path().filename().string());
  if (name.find_first_not_of(" \t") == std::string::npos)
    fail("{}: its class folder has a blank name; name the class", video);
  return name;
}

ForeignList rows_of_tree(const std::string& folder, bool unlabelled) {
  ForeignList list;
  walk<fs::recursive_directory_iterator>(folder, [&](const fs::directory_entry& entry) {
    std::error_code unknown;
    if (!has_video_ending(entry.path().string()) || !entry.is_regular_file(unknown)) return;
    const fs::path relative = below(folder, entry.path());
    Row row;
    row.path = relative.string();
    row.place = relative.string();
    if (!unlabelled) row.label = class_folder(entry.path().string(), relative);
    set_group_of_name(row);
    list.add(row);
  });
  if (list.rows.empty()) {
    fail("{}: no video below it; {} (mp4, avi, mkv, mov, webm, ...)", folder,
         unlabelled ? "give the folder of the videos" : "a folder tree is CLASS/VIDEO");
  }
  std::sort(list.rows.begin(), list.rows.end(),
            [](const Row& a, const Row& b) { return a.path < b.path; });
  return list;
}

ForeignList read_list(const std::string& path, const ImportSource& source,
                      const ImportOptions& options, const FindVideo& find) {
  if (source.format == "csv") {
    ForeignList list;
    for (Row& row : read_rows(path, "", !options.unlabelled)) {
      if (options.unlabelled) row.label = "";
      list.add(std::move(row));
    }
    list.tallies.emplace_back("rows").read(std::ssize(list.rows));
    return list;
  }
  const std::string text = list_text(path);
  if (source.format == "kinetics") return read_kinetics(text, path, find);
  if (source.format == "mmaction2") return read_mmaction2(text, path, names_in(options.classes));
  if (source.format == "ucf101") {
    const Side side = source.files.size() < 2             ? Side::unsaid
                      : name_of(path).starts_with("test") ? Side::test
                                                          : Side::training;
    return read_ucf101(text, path, side);
  }
  if (source.format == "hmdb51") return read_hmdb51(text, path, hmdb51_class(path));
  if (source.format == "labelstudio")
    return read_label_studio(text, path, find, options.frame_rate);
  return read_cvat(text, path);
}

void regroup(ForeignList& list, const std::string& expression) {
  if (expression.empty()) return;
  const Pattern group(expression, "--group");
  int64_t others = 0;
  for (Row& row : list.rows) {
    const auto found = group.find(fs::path(row.path.str()).stem().string());
    const std::string name = !found ? "" : found->size() > 1 ? found->at(1) : found->front();
    if (name.empty()) {
      ++others;
      continue;
    }
    row.group = utf8_name(name);
    row.grouped = true;
  }
  if (others == 0) return;
  list.notes.push_back(
      fmt::format("--group matches {} of {} rows; the others keep the group they had",
                  std::ssize(list.rows) - others, list.rows.size()));
}

// A video that lies in no folder of its own keeps the group that it had.
void group_by_folder(ForeignList& list) {
  for (Row& row : list.rows) {
    const fs::path folder = fs::path(row.path.str()).parent_path();
    if (folder.empty()) continue;
    row.group = utf8_name(folder.string());
    row.grouped = true;
  }
}

void set_groups(ForeignList& list, const ImportOptions& options) {
  if (options.folder_groups) group_by_folder(list);
  regroup(list, options.group);
}

// Leaves out the rows whose video is not there.
void locate(ImportSource& source, const FindVideo& find) {
  ForeignList present;
  present.notes = source.list.notes;
  present.tallies = source.list.tallies;
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
    fail("{}: none of its {} videos lies in {}; --videos names their folder. The first: {}",
         source.files.front(), source.missing.size(),
         source.folder.empty() ? "this folder" : source.folder, source.missing.front());
  }
  source.list = std::move(present);
}

}  // namespace

const std::vector<std::string>& import_formats() {
  static const std::vector<std::string> formats = {"tree",   "csv",    "kinetics",    "mmaction2",
                                                   "ucf101", "hmdb51", "labelstudio", "cvat"};
  return formats;
}

bool has_video_ending(const std::string& path) {
  static const std::set<std::string> endings = {".mp4", ".avi",  ".mkv", ".mov", ".webm", ".m4v",
                                                ".mpg", ".mpeg", ".ts",  ".wmv", ".flv"};
  std::string ending = fs::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return endings.contains(ending);
}

struct VideoFolder::Index {
  std::multimap<std::string, std::string> by_name, by_stem, by_path;  // path without ending
  explicit Index(const std::string& folder) {
    walk<fs::recursive_directory_iterator>(folder, [&](const fs::directory_entry& entry) {
      std::error_code unknown;
      if (!has_video_ending(entry.path().string()) || !entry.is_regular_file(unknown)) return;
      const fs::path path = below(folder, entry.path());
      by_name.emplace(path.filename().string(), path.string());
      by_stem.emplace(path.stem().string(), path.string());
      by_path.emplace((path.parent_path() / path.stem()).string(), path.string());
    });
  }
};

VideoFolder::VideoFolder(std::string folder) : folder_(folder.empty() ? "." : std::move(folder)) {}
VideoFolder::~VideoFolder() = default;

std::string VideoFolder::find(const std::string& name) {
  if (name.empty() || name.size() > kLongestPath) return "";
  const std::string found = find_as_written(name);
  const std::string decoded = utf8_name(name);
  return found.empty() && decoded != name ? find_as_written(decoded) : found;
}

std::string VideoFolder::find_as_written(const std::string& name) {
  std::error_code unknown;
  if (exists((fs::path(folder_) / name).string()) &&
      !fs::is_directory(fs::path(folder_) / name, unknown))
    return name;
  if (!index_) index_ = std::make_unique<Index>(folder_);
  const auto only = [](const auto& names, const std::string& key) {
    return names.count(key) == 1 ? names.find(key)->second : std::string();
  };
  const fs::path path = fs::path(name).lexically_normal();
  if (const auto found = only(index_->by_path, (path.parent_path() / path.stem()).string());
      !found.empty())
    return found;
  if (path.has_parent_path()) return "";
  const std::string same = only(index_->by_name, path.string());
  return same.empty() ? only(index_->by_stem, path.stem().string()) : same;
}

ImportSource read_source(const ImportOptions& options) {
  if (!exists(options.path))
    throw UsageError(fmt::format("{}: missing; give a folder of CLASS/VIDEO, or a list ({})",
                                 options.path, fmt::join(import_formats(), ", ")));
  ImportSource source;
  source.format = format_of(options);
  const bool folder = is_folder(options.path);
  const bool published = source.format == "ucf101" || source.format == "hmdb51";
  if (folder != (source.format == "tree") && !(folder && published)) {
    throw UsageError(fmt::format("{}: {} is a {}, not a {}", options.path, source.format,
                                 folder ? "file" : "folder", folder ? "folder" : "file"));
  }
  if (options.unlabelled && !options.test.empty())
    throw UsageError("--test names a list with labels; --unlabelled draws the held-out set itself");
  if (!options.test.empty() && (folder || published))
    throw UsageError("--test goes with one list; a folder, UCF101 and HMDB51 bring both sides or "
                     "are split by group");
  if (options.unlabelled && source.format != "tree" && source.format != "csv") {
    throw UsageError(
        fmt::format("--unlabelled reads a folder of videos or a CSV with path[,group]; "
                    "{} is a list of {}, which carries labels",
                    options.path, source.format));
  }
  source.folder = !options.videos.empty() ? options.videos
                  : folder                ? options.path
                                          : folder_of(options.path);
  if (source.format == "tree") {
    source.list = rows_of_tree(options.path, options.unlabelled);
    source.folder = options.path;
    set_groups(source.list, options);
    return source;
  }
  source.files = published
                     ? partners(options, source.format == "ucf101" ? ucf101_name() : hmdb51_name())
                     : std::vector{options.path};
  if (source.files.empty())
    fail("{}: no {} list of split {} in it; --split N", options.path, source.format, options.split);
  if (!options.test.empty()) source.files.push_back(options.test);
  VideoFolder videos(source.folder);
  const FindVideo find = [&](const std::string& name) { return videos.find(name); };
  for (const std::string& file : source.files) {
    ForeignList list = read_list(file, source, options, find);
    if (!options.test.empty())
      list.sides.assign(list.rows.size(), file == options.test ? Side::test : Side::training);
    source.list.append(std::move(list));
  }
  if (source.list.rows.empty()) {
    std::string found;
    for (const Tally& tally : source.list.tallies) found += "; " + tally.text();
    fail("{}: no row with a label in it{}", source.files.front(), found);
  }
  set_groups(source.list, options);
  locate(source, find);
  return source;
}

}  // namespace distal
