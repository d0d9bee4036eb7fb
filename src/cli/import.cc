#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "cli/command.h"
#include "data/batches.h"
#include "models/weights.h"
#include "store/store.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string path, store = "sqlite:distal.db", lists, group;
  double test_share = 0.25;
  int64_t seed = 1;
  bool dry_run = false, quiet = false;
};

const std::set<std::string> kVideoEndings = {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"};

std::string quoted(const std::string& field) {
  if (field.find_first_of(",\"\n") == std::string::npos) return field;
  return "\"" + std::regex_replace(field, std::regex("\""), "\"\"") + "\"";
}

// A folder tree: the folder's name is the label, the group what `group` captures in the file's name (else the stem).
std::vector<Row> rows_of_tree(const Arguments& arguments) {
  std::regex group;
  try {
    group = std::regex(arguments.group);
  } catch (const std::regex_error& error) {
    throw UsageError(fmt::format("--group '{}': no regular expression: {}", arguments.group, error.what()));
  }
  std::vector<Row> rows;
  for (const auto& entry : fs::recursive_directory_iterator(arguments.path, fs::directory_options::skip_permission_denied)) {
    std::string ending = entry.path().extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!entry.is_regular_file() || !kVideoEndings.contains(ending)) continue;
    const fs::path relative = fs::relative(entry.path(), arguments.path);
    if (!relative.has_parent_path()) fail("{}: lies beside the class folders; a folder tree is CLASS/VIDEO", entry.path().string());
    Row row;
    row.path = relative.string();
    row.label = relative.parent_path().filename().string();
    row.group = relative.stem().string();
    std::smatch found;
    const std::string stem = row.group;
    if (!arguments.group.empty() && std::regex_search(stem, found, group)) row.group = found.size() > 1 ? found[1].str() : found[0].str();
    row.place = row.path;
    rows.push_back(row);
  }
  if (rows.empty()) fail("{}: no video below it; a folder tree is CLASS/VIDEO ({})", arguments.path, "mp4, avi, mkv, mov, webm, ...");
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.path < b.path; });
  return rows;
}

// Whole groups go to the test list until each class has about its share there.
std::set<std::string> test_groups(const std::vector<Row>& rows, const Arguments& arguments) {
  std::map<std::string, std::map<std::string, int64_t>> groups;
  std::map<std::string, int64_t> totals;
  for (const Row& row : rows) {
    ++groups[row.label][row.group];
    ++totals[row.label];
  }
  std::set<std::string> chosen;
  for (const auto& [label, sizes] : groups) {
    std::vector<std::string> names;
    for (const auto& [name, size] : sizes) names.push_back(name);
    double taken = 0;
    for (const int64_t at : Random(arguments.seed).stream(label).permutation(static_cast<int64_t>(names.size()))) {
      if (taken >= arguments.test_share * static_cast<double>(totals[label])) break;
      chosen.insert(names[at]);
      taken += static_cast<double>(sizes.at(names[at]));
    }
  }
  return chosen;
}

void write_list(const std::string& path, const std::vector<Row>& rows) {
  std::string text = "path,label,group\n";
  for (const Row& row : rows) text += fmt::format("{},{},{}\n", quoted(row.path), quoted(row.label), quoted(row.group));
  write_atomically(path, text);
}

void import(const Arguments& arguments) {
  if (!fs::exists(arguments.path)) throw UsageError(fmt::format("{}: missing; give a folder of CLASS/VIDEO, or a CSV with path,label[,group]", arguments.path));
  const bool tree = fs::is_directory(arguments.path);
  const std::vector<Row> rows = tree ? rows_of_tree(arguments) : read_rows(arguments.path, "");
  const std::string folder = tree ? arguments.path : fs::path(arguments.path).parent_path().string();
  const Classes classes = classes_of(rows);
  Progress progress(arguments.quiet ? Progress::Mode::quiet : Progress::Mode::automatic);
  ClipReader reader({}, {});
  const ClipList list = make_clips(rows, folder, {}, classes, [&](const std::string& path) { return reader.probe(path); }, progress);

  std::map<std::string, int64_t> clips;
  std::set<std::string> groups;
  double seconds = 0;
  for (const Clip& clip : list.clips) {
    ++clips[classes.names[clip.label]];
    groups.insert(clip.group);
    seconds += clip.duration_s();
  }
  fmt::print("{} clips, {:.0f} s, {} classes, {} groups, {} cannot be used\n", list.clips.size(), seconds, classes.size(), groups.size(), list.quarantined.size());
  for (const auto& [name, count] : clips) fmt::print("  {:<32} {}\n", name, count);
  for (const auto& video : list.quarantined) fmt::print("  cannot be used: {}: {}\n", video.path, video.reason);
  if (arguments.dry_run) return;

  Store store(arguments.store);
  std::set<std::string> stored;
  for (const Clip& clip : list.clips)
    if (stored.insert(clip.video).second) store.put_video({clip.video_id, clip.video, clip.end_s, 1, ""});
  for (const auto& video : list.quarantined) store.put_video({video.path, video.path, 0, 0, video.reason});
  if (!tree) return;
  const std::set<std::string> held_out = test_groups(rows, arguments);
  std::vector<Row> train, test;
  for (const Row& row : rows) (held_out.contains(row.group) ? test : train).push_back(row);
  const std::string lists = arguments.lists.empty() ? arguments.path : arguments.lists;
  fs::create_directories(lists);
  for (const char* name : {"train.csv", "test.csv"})
    if (fs::exists(fs::path(lists) / name)) fail("{}/{}: exists; --lists names another folder", lists, name);
  write_list((fs::path(lists) / "train.csv").string(), train);
  write_list((fs::path(lists) / "test.csv").string(), test);
  fmt::print("{0}/train.csv: {1} rows, {0}/test.csv: {2} rows, split by group\n", lists, train.size(), test.size());
}

}  // namespace

void add_import(CLI::App& app) {
  auto* command = app.add_subcommand("import", "takes stock of videos: a folder of CLASS/VIDEO or a CSV; probes each, records it, writes lists split by group");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("path", arguments->path, "folder of CLASS/VIDEO, or a CSV with path,label[,group]")->required();
  command->add_option("--store", arguments->store, "where the videos are recorded")->capture_default_str();
  command->add_option("--lists", arguments->lists, "folder for train.csv and test.csv of a folder tree [the folder itself]");
  command->add_option("--group", arguments->group, "regular expression whose capture names the source video, e.g. '(.*_g[0-9]+)_c[0-9]+'");
  command->add_option("--test-share", arguments->test_share, "share of each class in test.csv")->capture_default_str()->check(CLI::Range(0.0, 1.0));
  command->add_option("--seed", arguments->seed, "of the split")->capture_default_str();
  command->add_flag("--dry-run", arguments->dry_run, "probe and count; record and write nothing");
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->callback([arguments] { import(*arguments); });
}

}  // namespace distal
