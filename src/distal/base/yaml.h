#pragma once
// A YAML text as a tree of values: recipes, --set, and what a model's description says of itself.
// Trees are values: copies share nothing, and none can hold itself.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace distal {

/// Bounds of a text, within which reading it takes less than a second. Lines that begin with '#' do
/// not count. An alias (`*a`) stands for a copy of what its anchor (`&a`) marks, and counts as one.
inline constexpr int64_t kMostYamlBytes = int64_t{256} << 10;
inline constexpr int64_t kMostYamlValues = 50'000;
inline constexpr int kMostYamlDepth = 64;

struct YamlPlace {
  std::shared_ptr<const std::string> source;  // a file, or `--set key`
  // from 1; 0: the source as a whole
  int line = 0;
  int column = 0;
  std::string text() const;  // `file:line:column`
};

struct YamlEntry;

struct Yaml {
  enum class Kind { nothing, text, list, section };
  Kind kind = Kind::nothing;
  bool flow = false;  // a list or section in brackets
  std::string text;   // of a scalar, without its quotes; nothing: empty
  YamlPlace place;
  std::vector<Yaml> items;         // of a list
  std::vector<YamlEntry> entries;  // of a section, in the order of the text; keys differ

  bool is_nothing() const { return kind == Kind::nothing; }
  bool is_text() const { return kind == Kind::text; }
  bool is_list() const { return kind == Kind::list; }
  bool is_section() const { return kind == Kind::section; }
  static Yaml of_text(std::string text, YamlPlace place);
  static Yaml section(YamlPlace place);
  const Yaml* find(std::string_view key) const;  // the value of a section's key; null: none
  void set(const std::string& key, Yaml value);  // replaces or adds
  void remove(std::string_view key);
};

struct YamlEntry {
  std::string key;
  YamlPlace place;  // of the key
  Yaml value;
};

/// Parses one document. Throws UsageError `place:line:column: what; cure`: no UTF-8, no YAML, a key
/// twice, a key that is no plain text, an anchor within itself, tags, merge keys, a second
/// document, and what exceeds the bounds above. `lines`: false where a value's own place is `place`
/// alone (--set).
Yaml parse_yaml(std::string_view text, const std::string& place, bool lines = true);

/// What keeps a text from being written as YAML and read again as it was, such as "the byte 0xe9 in
/// it, which is no UTF-8"; empty: nothing.
std::string no_yaml_text(std::string_view text);

/// As text that parse_yaml reads to the same values, where no_yaml_text has nothing against their
/// texts.
std::string yaml_text(const Yaml& value);
/// Of one line, for messages: at most 60 bytes.
std::string yaml_excerpt(const Yaml& value);

}  // namespace distal
