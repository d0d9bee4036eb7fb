#include "distal/lists/leaks.h"

#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>

#include "distal/base/error.h"
#include "distal/lists/import_source.h"
#include "distal/lists/list_text.h"

namespace distal {
namespace {

// A group by its parts: `./videos/VID73.mp4` and `/videos/VID73/` are both videos/VID73.
std::string normal_name(const std::string& group) {
  const std::string name =
      has_video_ending(group) ? std::filesystem::path(group).replace_extension().string() : group;
  std::filesystem::path normal;
  for (const auto& part : std::filesystem::path(name).lexically_normal()) {
    if (!part.empty() && part != "/" && part != ".") normal /= part;
  }
  return normal.empty() ? name : normal.string();
}

// The proper ends of a name: of a/b/c these are b/c and c.
std::vector<std::string> ends_of(const std::string& name) {
  std::vector<std::string> ends;
  for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
    ends.push_back(name.substr(slash + 1));
  return ends;
}

std::string base_name(const Footage& one) {
  return std::filesystem::path(one.video.str()).stem().string();
}

std::string file_of(const Footage& one) {
  return std::filesystem::path(one.video.str()).lexically_normal().string();
}

std::set<std::string> classes_in(std::span<const Footage> all) {
  std::set<std::string> classes;
  Interned last;
  for (const Footage& one : all) {
    if (one.label != last) classes.insert(last = one.label);
  }
  classes.erase("");
  return classes;
}

// The class in whose folder a video lies; "" where its folder is none of its class's.
std::string class_folder(const Footage& one, const std::set<std::string>& classes) {
  const std::string folder =
      utf8_name(std::filesystem::path(one.video.str()).parent_path().filename().string());
  return one.label.empty() ? (classes.contains(folder) ? folder : "")
                           : (one.label == folder ? folder : "");
}

// Whether a list has one base name for two contents: its files are numbered anew in each folder.
bool numbers_files(std::span<const Footage> list) {
  std::unordered_map<std::string, std::string> contents;
  Interned last;
  for (const Footage& one : list) {
    if (one.video == last) continue;
    last = one.video;
    const std::string content = one.content.empty() ? file_of(one) : one.content.str();
    if (contents.try_emplace(base_name(one), content).first->second != content) return true;
  }
  return false;
}

bool same_base_counts(const Footage& a, const Footage& b, const std::set<std::string>& classes) {
  if (a.grouped && b.grouped) return false;
  const std::string folder = class_folder(a, classes);
  const std::string other = class_folder(b, classes);
  return folder.empty() || other.empty() || folder == other;
}

// A list by what may be met again.
class Sources {
 public:
  Sources(std::span<const Footage> list, bool numbered, std::set<std::string> classes)
      : list_(list), numbered_(numbered), classes_(std::move(classes)) {
    Interned last_video, last_group;
    for (int64_t i = 0; i < std::ssize(list); ++i) {
      const Footage& one = list[i];
      if (i > 0 && one.video == last_video && one.group == last_group) continue;
      last_video = one.video;
      last_group = one.group;
      contents_.try_emplace(one.content.empty() ? file_of(one) : one.content.str(), i);
      const std::string name = normal_name(one.group);
      groups_[one.grouped].try_emplace(name, i);
      for (const std::string& end : ends_of(name)) ends_[one.grouped].try_emplace(end, i);
      if (!numbered_) bases_.emplace(base_name(one), i);
    }
  }

  std::optional<Leak> shared_with(const Footage& one, int64_t index) const {
    if (const auto at = contents_.find(one.content.empty() ? file_of(one) : one.content.str());
        at != contents_.end())
      return Leak{at->second, index,
                  one.content.empty() ? "they are the same file" : "they have the same content"};
    if (const auto at = same_group(one))
      return Leak{
          *at, index,
          list_[*at].group == one.group ? "they are of one group" : "their groups have one name"};
    if (numbered_) return std::nullopt;
    const auto [first, last] = bases_.equal_range(base_name(one));
    for (auto at = first; at != last; ++at) {
      if (same_base_counts(list_[at->second], one, classes_))
        return Leak{at->second, index,
                    "their videos have one name, and a list does not say the group"};
    }
    return std::nullopt;
  }

 private:
  using Index = std::unordered_map<std::string, int64_t>;

  std::optional<int64_t> same_group(const Footage& one) const {
    const std::string name = normal_name(one.group);
    const auto find = [](const Index& index, const std::string& key) -> std::optional<int64_t> {
      const auto at = index.find(key);
      return at == index.end() ? std::nullopt : std::optional(at->second);
    };
    for (const bool grouped : {false, true}) {
      if (const auto at = find(groups_[grouped], name)) return at;
      if (!grouped && !one.grouped) continue;
      if (const auto at = find(ends_[grouped], name)) return at;
      for (const std::string& end : ends_of(name)) {
        if (const auto at = find(groups_[grouped], end)) return at;
      }
    }
    return std::nullopt;
  }

  std::span<const Footage> list_;
  bool numbered_;
  std::set<std::string> classes_;
  Index contents_;
  Index groups_[2], ends_[2];  // by Footage::grouped
  std::unordered_multimap<std::string, int64_t> bases_;
};

std::vector<Footage> footage_of(const ClipList& list, const Classes& classes) {
  std::vector<Footage> all;
  all.reserve(list.clips.size());
  for (size_t i = 0; i < list.clips.size(); ++i) {
    const Clip& clip = list.clips[i];
    all.push_back({clip.video, clip.video_id, clip.group,
                   clip.label >= 0 ? Interned(classes.names[clip.label]) : Interned(),
                   list.origins[i].grouped, list.origins[i].place});
  }
  return all;
}

std::string described(const Footage& one, const std::string& role) {
  return fmt::format("{} ({}, {}group '{}')", one.place, one.video, role.empty() ? "" : role + ", ",
                     one.group);
}

// Rows in sets; a set is called by its first row.
class Sets {
 public:
  explicit Sets(size_t rows) : parent_(rows) { std::iota(parent_.begin(), parent_.end(), 0); }
  size_t first_of(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(size_t a, size_t b) {
    const size_t one = first_of(a);
    const size_t other = first_of(b);
    parent_[std::max(one, other)] = std::min(one, other);
  }

 private:
  std::vector<size_t> parent_;
};

}  // namespace

std::optional<Leak> find_leak(std::span<const Footage> first, std::span<const Footage> second) {
  std::set<std::string> classes = classes_in(first);
  classes.merge(classes_in(second));
  const Sources sources(first, numbers_files(first) || numbers_files(second), std::move(classes));
  for (int64_t i = 0; i < std::ssize(second); ++i) {
    if (auto leak = sources.shared_with(second[i], i)) return leak;
  }
  return std::nullopt;
}

void require_disjoint(const RoleClips& first, const RoleClips& second, const Classes& classes) {
  const auto one = footage_of(*first.list, classes);
  const auto other = footage_of(*second.list, classes);
  const auto leak = find_leak(one, other);
  if (!leak) return;
  const Footage& a = one[leak->first];
  const Footage& b = other[leak->second];
  fail("{} and {} show one source video, for {}; keep all clips of it on one side{}",
       described(b, second.role), described(a, first.role), leak->why,
       a.content == b.content && !a.content.empty() ? ""
                                                    : ", or tell the two apart in a column group");
}

int64_t join_sources(std::vector<Row>& rows, const std::vector<std::string>& contents,
                     const std::vector<int>& lists) {
  std::map<int, std::vector<Footage>> by_list;
  std::map<int, std::vector<size_t>> rows_of_list;
  for (size_t i = 0; i < rows.size(); ++i) {
    by_list[lists[i]].push_back(
        {rows[i].path, contents[i], rows[i].group, rows[i].label, rows[i].grouped, rows[i].place});
    rows_of_list[lists[i]].push_back(i);
  }
  Sets sets(rows.size());
  // What is equal: contents, groups.
  std::unordered_map<std::string, size_t> with_content, with_name;
  std::unordered_map<std::string, bool> said;  // by name: a list says it
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!contents[i].empty()) sets.join(i, with_content.try_emplace(contents[i], i).first->second);
    const std::string name = normal_name(rows[i].group);
    sets.join(i, with_name.try_emplace(name, i).first->second);
    said[name] |= rows[i].grouped;
  }
  // Names that are the end of another.
  for (const auto& [name, i] : with_name) {
    for (const std::string& end : ends_of(name)) {
      if (const auto at = with_name.find(end); at != with_name.end() && (said[name] || said[end]))
        sets.join(i, at->second);
    }
  }
  // Base names, from list to list.
  std::set<std::string> classes;
  bool numbered = false;
  for (const auto& [list, footage] : by_list) {
    classes.merge(classes_in(footage));
    numbered |= numbers_files(footage);
  }
  std::unordered_map<std::string, std::vector<std::pair<int, size_t>>>
      with_base;  // rows that differ in list, group or class folder
  for (const auto& [list, footage] : by_list) {
    for (size_t k = 0; k < footage.size() && !numbered && by_list.size() > 1; ++k) {
      auto& met = with_base[base_name(footage[k])];
      const size_t row = rows_of_list[list][k];
      bool known = false;
      for (const auto& [other_list, other] : met) {
        known |= other_list == list && rows[other].group == rows[row].group &&
                 rows[other].path == rows[row].path;
        const Footage before{rows[other].path,  contents[other],     rows[other].group,
                             rows[other].label, rows[other].grouped, rows[other].place};
        if (other_list != list && same_base_counts(before, footage[k], classes))
          sets.join(row, other);
      }
      if (!known) met.emplace_back(list, row);
    }
  }
  int64_t changed = 0;
  std::vector<Interned> groups;
  for (size_t i = 0; i < rows.size(); ++i) groups.push_back(rows[sets.first_of(i)].group);
  for (size_t i = 0; i < rows.size(); ++i) {
    changed += groups[i] != rows[i].group;
    rows[i].group = groups[i];
  }
  return changed;
}

}  // namespace distal
