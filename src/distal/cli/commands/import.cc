#include <cmath>
#include <map>
#include <set>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/cli/command.h"
#include "distal/data/clip_reader.h"
#include "distal/lists/import_source.h"
#include "distal/lists/leaks.h"
#include "distal/lists/split.h"
#include "distal/store/store.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

struct ImportArguments {
  ImportOptions source;
  std::string store = "sqlite:distal.db", lists;
  double test_share = 0.25;
  int64_t seed = 1;
  bool resplit = false;
  bool force = false;
  bool dry_run = false;
  bool quiet = false;
  bool json = false;
};

struct OutputList {
  std::string path;
  std::vector<Row> rows;
  std::string text;
};

// What import found and what it writes.
struct Stock {
  ImportSource source;
  std::string lists_folder;       // absolute; empty: no list is written
  std::vector<OutputList> lists;  // train.csv, then test.csv where there is a test set
  std::vector<std::string> notes;
  Classes classes;
  ClipList clips;
  std::map<std::string, int64_t> clips_of_class;
  std::set<std::string> groups;
  double seconds = 0;
};

// Rows that give a clip, and parts marked unlabelled of videos that can be read: what a list is
// made of.
std::vector<bool> rows_to_write(const Stock& stock) {
  const auto& rows = stock.source.list.rows;
  std::vector<bool> kept(rows.size());
  for (const ClipOrigin& origin : stock.clips.origins) kept[static_cast<size_t>(origin.row)] = true;
  std::set<std::string> refused;
  for (const Quarantined& video : stock.clips.quarantined) refused.insert(video.path);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].label == kUnlabelled)
      kept[i] = !refused.contains((fs::path(stock.source.folder) / rows[i].path.str()).string());
  }
  return kept;
}

Tally tally_of(const ClipList& clips, const std::vector<std::string>& missing) {
  Tally tally("rows to make clips of");
  tally.read(std::ssize(clips.clips));
  tally.leave_out("of videos, or parts of them, that cannot be used", "", clips.refused_rows);
  tally.leave_out("twice: the same clip with the same label", "", clips.duplicates);
  tally.leave_out("marked unlabelled", "", clips.unlabelled_segments);
  tally.leave_out("whose video is missing", "", std::ssize(missing));
  return tally;
}

void take_stock(Stock& stock, ClipReader& reader, Progress& progress) {
  auto& rows = stock.source.list.rows;
  auto& sides = stock.source.list.sides;
  stock.classes = classes_of(rows);
  stock.clips = make_clips(
      rows, stock.source.folder, {}, stock.classes,
      [&](const std::string& path) { return reader.probe(path); }, progress);
  stock.source.list.tallies.push_back(tally_of(stock.clips, stock.source.missing));
  const std::vector<bool> kept = rows_to_write(stock);
  std::vector<std::string> contents;
  std::vector<int> lists;
  std::vector<Row> kept_rows;
  std::vector<Side> kept_sides;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!kept[i]) continue;
    check_interrupted();
    contents.push_back(
        reader.probe((fs::path(stock.source.folder) / rows[i].path.str()).string()).id);
    lists.push_back(sides[i] == Side::test);
    kept_rows.push_back(rows[i]);
    kept_sides.push_back(sides[i]);
  }
  rows = std::move(kept_rows);
  sides = std::move(kept_sides);
  if (const int64_t joined = join_sources(rows, contents, lists); joined > 0)
    stock.notes.push_back(fmt::format("{} rows are of the source video of another row (copies of "
                                      "it, or one name) and share its group",
                                      joined));
  for (const Row& row : rows) stock.groups.insert(row.group);
  for (const Clip& clip : stock.clips.clips) {
    if (clip.label >= 0) ++stock.clips_of_class[stock.classes.names[clip.label]];
    stock.seconds += clip.duration_s();
  }
}

std::vector<bool> in_test(const Stock& stock, const ImportArguments& arguments,
                          std::vector<std::string>& notes) {
  if (arguments.source.unlabelled) {
    return hold_out_groups(stock.source.list.rows, arguments.test_share,
                           static_cast<uint64_t>(arguments.seed));
  }
  const auto& sides = stock.source.list.sides;
  const bool training = std::find(sides.begin(), sides.end(), Side::training) != sides.end();
  const bool testing = std::find(sides.begin(), sides.end(), Side::test) != sides.end();
  std::vector<bool> test;
  if (training && testing && !arguments.resplit) {
    for (const Side side : sides) test.push_back(side == Side::test);
    return test;
  }
  if (training != testing && !arguments.resplit)
    notes.push_back("the list holds one side of a published split; --test LIST names the other. "
                    "Its groups were divided here");
  const GroupSplit split = split_by_group(stock.source.list.rows, arguments.test_share,
                                          static_cast<uint64_t>(arguments.seed));
  if (!split.one_group.empty())
    notes.push_back(fmt::format("only one group, all for training, nothing measures it: class {}",
                                fmt::join(split.one_group, ", ")));
  if (!split.untested.empty())
    notes.push_back(
        fmt::format("no group for testing, each is some other class's only one: class {}",
                    fmt::join(split.untested, ", ")));
  return split.test;
}

// What distal run would refuse of a split that others made: a group on both sides ends all, classes
// that cannot be learned are left out.
void make_fit(const std::vector<Row>& train, std::vector<Row>& test,
              std::vector<std::string>& notes) {
  std::map<std::string, const Row*> groups;
  std::set<std::string> shared, unknown;
  const Row* one = nullptr;
  const Row* other = nullptr;
  for (const Row& row : train) groups.emplace(row.group, &row);
  for (const Row& row : test) {
    const auto at = groups.find(row.group);
    if (at == groups.end()) continue;
    if (shared.empty()) {
      one = at->second;
      other = &row;
    }
    shared.insert(row.group);
  }
  if (!shared.empty()) {
    fail("{} ({}) and {} ({}) are of one source video, '{}', on both sides of the split{}; distal "
         "run refuses that: --resplit divides by group",
         one->place, one->path, other->place, other->path, other->group,
         shared.size() > 1 ? fmt::format(", and {} more are", shared.size() - 1) : "");
  }
  const Classes classes = classes_of(train);
  const auto cannot_be_learned = [&](const Row& row) {
    if (row.label.empty() || row.label == kUnlabelled || classes.index(row.label)) return false;
    unknown.insert(row.label);
    return true;
  };
  const auto left_out = std::erase_if(test, cannot_be_learned);
  if (left_out > 0)
    notes.push_back(fmt::format(
        "{} rows are left out of test.csv, for nothing is there to train their classes on: {}",
        left_out, fmt::join(unknown, ", ")));
}

// As the lists' folder sees a video: relative where it lies below, else absolute.
std::string seen_from(const std::string& lists, const fs::path& video) {
  const fs::path relative = fs::absolute(video).lexically_normal().lexically_relative(lists);
  return relative.empty() || *relative.begin() == ".."
             ? fs::absolute(video).lexically_normal().string()
             : relative.string();
}

// How far the accuracy that so many clips show may lie from the true one, in points: half of the
// 95 % interval of a share of .5.
double points_shown(size_t clips) { return 98 / std::sqrt(static_cast<double>(clips)); }

std::string what_it_shows(const std::vector<Row>& held_out) {
  std::set<std::string> groups;
  for (const Row& row : held_out) groups.insert(row.group);
  return fmt::format(
      "held_out.csv is never trained on: {} rows of {} groups. People answer about them too. An "
      "accuracy over them is known to about +- {:.0f} points{}",
      held_out.size(), groups.size(), points_shown(held_out.size()),
      groups.size() < held_out.size() ? ", and less well where clips of a group are alike" : "");
}

void divide(Stock& stock, const ImportArguments& arguments) {
  const ImportSource& source = stock.source;
  const bool unlabelled = arguments.source.unlabelled;
  if (source.format == "csv" && arguments.lists.empty() && arguments.source.test.empty() &&
      !unlabelled)
    return;  // it is a list of ours already
  const fs::path folder = !arguments.lists.empty() ? arguments.lists
                          : !source.folder.empty() ? source.folder
                                                   : ".";
  stock.lists_folder = (fs::absolute(folder) / "").lexically_normal().parent_path().string();
  const std::vector<bool> test = in_test(stock, arguments, stock.notes);
  std::vector<Row> sides[2];
  for (size_t i = 0; i < source.list.rows.size(); ++i) {
    Row row = source.list.rows[i];
    row.path = seen_from(stock.lists_folder, fs::path(source.folder) / row.path.str());
    sides[test[i]].push_back(row);
  }
  make_fit(sides[0], sides[1], stock.notes);
  if (sides[1].empty())
    stock.notes.push_back("no test list: without one nothing can be claimed");
  else if (unlabelled)
    stock.notes.push_back(what_it_shows(sides[1]));
  const std::string names[2] = {unlabelled ? "/pool.csv" : "/train.csv",
                                unlabelled ? "/held_out.csv" : "/test.csv"};
  for (const bool side : {false, true}) {
    if (sides[side].empty()) continue;
    stock.lists.push_back({stock.lists_folder + names[side], sides[side], csv_text(sides[side])});
  }
}

void refuse_to_overwrite(const Stock& stock, const ImportArguments& arguments) {
  for (const OutputList& list : stock.lists) {
    if (!fs::exists(list.path)) continue;
    for (const std::string& file : stock.source.files) {
      if (fs::equivalent(file, list.path))
        fail("{}: is the list that is read; --lists names another folder", list.path);
    }
    if (!arguments.force && read_if_there(list.path) != list.text)
      fail("{}: exists with other content; --lists names another folder, --force writes over it",
           list.path);
  }
}

void record(const Stock& stock, Store& store, ClipReader& reader) {
  std::set<std::string> stored;
  for (const Clip& clip : stock.clips.clips) {
    if (!stored.insert(clip.video).second) continue;
    check_interrupted();
    store.put_video({clip.video_id, clip.video, reader.probe(clip.video).duration_s, 1, ""});
  }
  for (const Quarantined& video : stock.clips.quarantined) {
    if (stored.insert(video.path).second)
      store.put_video({video.path, video.path, 0, 0, video.reason});
  }
  if (!stock.lists.empty()) store.put_lists_folder(stock.lists_folder);
}

std::string as_text(const Stock& stock, bool dry_run) {
  constexpr size_t kShown = 10;
  const ClipList& clips = stock.clips;
  const std::string classes = stock.classes.names.empty()
                                  ? "no labels"
                                  : fmt::format("{} classes", stock.clips_of_class.size());
  std::string text = fmt::format(
      "{}: {} clips, {:.0f} s, {}, {} groups, {} cannot be used, {} twice, {} missing\n",
      stock.source.format, clips.clips.size(), stock.seconds, classes, stock.groups.size(),
      clips.quarantined.size(), clips.duplicates, stock.source.missing.size());
  for (const auto& [name, count] : stock.clips_of_class)
    text += fmt::format("  {:<32} {}\n", name, count);
  for (const auto& video : clips.quarantined)
    text += fmt::format("  cannot be used: {}: {}\n", video.path, video.reason);
  for (size_t i = 0; i < std::min(kShown, stock.source.missing.size()); ++i)
    text += fmt::format("  missing: {}\n", stock.source.missing[i]);
  if (stock.source.missing.size() > kShown)
    text += fmt::format("  missing: {} more\n", stock.source.missing.size() - kShown);
  for (const Tally& tally : stock.source.list.tallies) text += fmt::format("  {}\n", tally.text());
  for (const auto& note : stock.notes) text += fmt::format("  note: {}\n", note);
  for (const auto& list : stock.lists)
    text +=
        fmt::format("{}{}: {} rows\n", dry_run ? "would write " : "", list.path, list.rows.size());
  return text;
}

nlohmann::json as_json(const Stock& stock, bool dry_run) {
  const auto& missing = stock.source.missing;
  nlohmann::json lists = nlohmann::json::object();
  nlohmann::json unusable = nlohmann::json::array();
  for (const auto& list : stock.lists)
    lists[fs::path(list.path).stem().string()] = {{"path", list.path}, {"rows", list.rows.size()}};
  for (const auto& video : stock.clips.quarantined)
    unusable.push_back({{"path", video.path}, {"reason", video.reason}});
  nlohmann::json tallies = nlohmann::json::array();
  for (const Tally& tally : stock.source.list.tallies) {
    nlohmann::json left_out = nlohmann::json::array();
    for (const auto& [reason, example, count] : tally.reasons())
      left_out.push_back({{"reason", reason}, {"count", count}, {"first", example}});
    tallies.push_back({{"what", tally.what()},
                       {"total", tally.total()},
                       {"read", tally.read_count()},
                       {"left_out", left_out}});
  }
  return {
      {"format", stock.source.format},
      {"clips", stock.clips.clips.size()},
      {"seconds", stock.seconds},
      {"classes", stock.clips_of_class},
      {"groups", stock.groups.size()},
      {"unusable", unusable},
      {"duplicates", stock.clips.duplicates},
      {"missing", missing.size()},
      {"first_missing",
       std::vector(missing.begin(), missing.begin() + std::min<int64_t>(10, std::ssize(missing)))},
      {"tallies", tallies},
      {"notes", stock.notes},
      {"lists", lists},
      {"written", !dry_run}};
}

void import(const ImportArguments& arguments) {
  Stock stock{read_source(arguments.source)};
  stock.notes = stock.source.list.notes;
  ConsoleProgress progress(arguments.quiet ? ConsoleProgress::Mode::quiet
                                           : ConsoleProgress::Mode::automatic);
  ClipReader reader({}, {});
  take_stock(stock, reader, progress);
  divide(stock, arguments);
  refuse_to_overwrite(stock, arguments);
  if (!arguments.dry_run) {
    Store store(arguments.store);  // first: one that cannot be used leaves no lists behind
    for (const auto& list : stock.lists) {
      make_folder(stock.lists_folder);
      write_atomically(list.path, list.text);
    }
    record(stock, store, reader);
  }
  if (arguments.json)
    fmt::print("{}\n", json_text(as_json(stock, arguments.dry_run)));
  else
    fmt::print("{}", printable_lines(as_text(stock, arguments.dry_run)));
}

void add_import(CLI::App* command) {
  command->description("reads a folder or a list, probes each video, records it in the store, and "
                       "writes train.csv and test.csv that share no group; with --unlabelled "
                       "pool.csv and held_out.csv");
  const auto arguments = std::make_shared<ImportArguments>();
  ImportOptions& source = arguments->source;
  command
      ->add_option(
          "path", source.path,
          "folder of CLASS/VIDEO, a CSV with path,label[,group], or a list of another tool; with "
          "--unlabelled any folder of videos, or a CSV with path[,group]")
      ->required();
  command->add_option("--format", source.format, "of the list [by its content]")
      ->check(CLI::IsMember(import_formats()));
  command->add_option("--videos", source.videos, "folder of the videos a list names [the list's]");
  command->add_option("--test", source.test, "a second list of the same format: the test set");
  command->add_option("--split", source.split, "of the folder of UCF101's or HMDB51's lists")
      ->capture_default_str()
      ->transform(number_from(1, 3));
  command->add_option("--classes", source.classes,
                      "class names, one a line, for a list of class numbers");
  command
      ->add_option("--frame-rate", source.frame_rate,
                   "that Label Studio counted frames at, frames/s [the file's frames]")
      ->transform(number_from(0.001, 1e6));
  command->add_option("--group", source.group,
                      "regular expression whose capturing group in a file name is the group, e.g. "
                      "'(patient[0-9]+)'");
  command->add_flag("--unlabelled", source.unlabelled,
                    "the videos have no labels yet: people will give them");
  command->add_flag("--group-by-folder", source.folder_groups,
                    "the videos of one folder are one group");
  command->add_option("--store", arguments->store, "where the videos are recorded")
      ->capture_default_str();
  command->add_option(
      "--lists", arguments->lists,
      "folder for the lists [the videos'; of a CSV with path,label none are written]");
  command
      ->add_option("--test-share", arguments->test_share,
                   "share of each class in test.csv, or of the rows in held_out.csv")
      ->capture_default_str()
      ->transform(number_from(0, 1));
  command->add_option("--seed", arguments->seed, "of the split")
      ->capture_default_str()
      ->transform(number_from(0));
  command->add_flag("--resplit", arguments->resplit,
                    "divide by group even where the lists bring their own split");
  command->add_flag("--force", arguments->force,
                    "write over train.csv and test.csv of other content");
  command->add_flag("--dry-run", arguments->dry_run,
                    "probe, count and say what would be written; record and write nothing");
  command->add_flag("--quiet", arguments->quiet, "no progress");
  command->add_flag("--json", arguments->json, "the summary as JSON on stdout");
  command->callback([arguments] { import(*arguments); });
}

}  // namespace

extern const Command import_command;
const Command import_command{30, add_import};

}  // namespace distal
