#include "distal/base/yaml.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_map>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "distal/base/error.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr size_t kShown = 60;

[[noreturn]] void refuse(const YamlPlace& at, const std::string& what) {
  throw UsageError(fmt::format("{}: {}", at.text(), what));
}

// What the parser stumbled over, in our words: its own speak of its states.
std::string in_words(const std::string& found) {
  struct Row {
    const char* found;
    const char* words;
  };
  static const std::array kRows = {
      // not constexpr: yaml-cpp declares its words as variables
      Row{YAML::ErrorMsg::END_OF_MAP, "not a line of this section; check the indentation, and the "
                                      "colon and space behind the key"},
      Row{YAML::ErrorMsg::END_OF_SEQ,
          "not an item of this list; check the indentation and the '- ' before it"},
      Row{YAML::ErrorMsg::END_OF_MAP_FLOW, "a '{' is not closed; write its '}'"},
      Row{YAML::ErrorMsg::END_OF_SEQ_FLOW, "a '[' is not closed; write its ']'"},
      Row{YAML::ErrorMsg::FLOW_END, "a closing bracket without its opening one; take it away"},
      Row{YAML::ErrorMsg::TAB_IN_INDENTATION, "a tab in the indentation; indent with spaces"},
      Row{YAML::ErrorMsg::BLOCK_ENTRY,
          "an item ('- ') where none can stand; check the indentation"},
      Row{YAML::ErrorMsg::MAP_KEY, "a key where none can stand; check the indentation"},
      Row{YAML::ErrorMsg::MAP_VALUE, "a second colon in the line, or a value where none can stand; "
                                     "put quotes around the text"},
      Row{YAML::ErrorMsg::EOF_IN_SCALAR, "quotes are not closed; write the closing one"},
      Row{YAML::ErrorMsg::DOC_IN_SCALAR, "quotes are not closed; write the closing one"},
      Row{YAML::ErrorMsg::UNKNOWN_TOKEN,
          "a character that begins no value; put quotes around the text"},
      Row{YAML::ErrorMsg::UNKNOWN_ANCHOR,
          "an alias ('*') of an anchor ('&') that does not stand before it; write the value out"},
      Row{YAML::ErrorMsg::ALIAS_NOT_FOUND, "a '*' without a name; put quotes around the text"},
      Row{YAML::ErrorMsg::ANCHOR_NOT_FOUND, "an '&' without a name; put quotes around the text"},
  };
  for (const Row& row : kRows) {
    if (found == row.found) return row.words;
  }
  if (found.starts_with(YAML::ErrorMsg::INVALID_ESCAPE) ||
      found.starts_with(YAML::ErrorMsg::INVALID_UNICODE))
    return "an escape that does not exist; use single quotes, or \\\\ for a backslash";
  return "it cannot be read from here on; check quotes, brackets and indentation";
}

// U+FFFE and U+FFFF, which the library reads and writes as U+FFFD.
constexpr std::string_view kNoCharacters[] = {"\xEF\xBF\xBE", "\xEF\xBF\xBF"};

bool is_no_character(std::string_view text) {
  return std::any_of(std::begin(kNoCharacters), std::end(kNoCharacters),
                     [&](std::string_view none) { return text.starts_with(none); });
}

// Whether the bytes are text at all. The parser takes some control characters for the end of the
// file.
void require_text(std::string_view text, const YamlPlace& source) {
  YamlPlace at = source;
  at.line = at.column = 1;
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    refuse(at, "not YAML: text in UTF-16; save it as UTF-8");
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0)
      refuse(
          at,
          fmt::format(
              "not YAML: byte 0x{:02x} is no UTF-8; save the file as UTF-8, if it is the right one",
              byte));
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F)
      refuse(at, fmt::format(
                     "not YAML: control character 0x{:02x}; take it away, if it is the right file",
                     byte));
    if (is_no_character(text))
      refuse(at, "not YAML: U+FFFE or U+FFFF, which are no characters; take it away, if it is the "
                 "right file");
    at.column += 1;
    if (byte == '\n') {
      ++at.line;
      at.column = 1;
    }
    text.remove_prefix(length);
  }
}

// Without the comments that are whole lines, which the parser is slow to skip: a run's recipe.yaml
// has every arm's options in them. Values that go over several lines are indented, so such a line
// is part of none.
std::string without_comments(std::string_view text) {
  std::string rest;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    rest += text[0] == '#' ? "" : text.substr(0, end);
    if (end < text.size()) rest += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rest;
}

bool indented_by_tab(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(0, std::min(text.find_first_not_of(" \t"), text.size())).find('\t') !=
         std::string_view::npos;
}

class Builder final : public YAML::EventHandler {
 public:
  Builder(YamlPlace source, bool lines) : source_(std::move(source)), lines_(lines) {}

  Yaml root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0)
      refuse(exact(mark), "a second document begins here, or a line stands further left than the "
                          "first; keep one document, and one indentation");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    count(mark, 1);
    Yaml value;
    value.place = place(mark);
    add(std::move(value), mark, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    require_untagged(mark, tag);
    count(mark, 1);
    if (const std::string unfit = no_yaml_text(text); !unfit.empty())
      refuse(exact(mark), "text with " + unfit + "; take it away");
    add(Yaml::of_text(text, place(mark)), mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      refuse(exact(mark),
             "an alias ('*') within what it stands for has no end; write the value out");
    count(mark, values_of(found->second));
    require_depth(mark, open_.size() + depth_of(found->second));
    add(found->second, mark, YAML::NullAnchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    begin(Yaml::Kind::list, mark, tag, anchor, style);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    begin(Yaml::Kind::section, mark, tag, anchor, style);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

 private:
  struct Open {  // a list or section that has begun and not ended
    Yaml value;
    YAML::Mark mark;
    YAML::anchor_t anchor;
    std::optional<Yaml> key;
    std::unordered_map<std::string, YamlPlace> keys;
  };

  YamlPlace exact(const YAML::Mark& mark) const {
    YamlPlace at = source_;
    at.line = mark.line + 1;
    at.column = mark.column + 1;
    return at;
  }
  YamlPlace place(const YAML::Mark& mark) const { return lines_ ? exact(mark) : source_; }

  void require_untagged(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(exact(mark),
             fmt::format("tags ({}) mean nothing here; leave it out", excerpt(tag, kShown)));
  }
  void require_depth(const YAML::Mark& mark, size_t depth) const {
    if (depth > static_cast<size_t>(kMostYamlDepth))
      refuse(exact(mark),
             fmt::format("nested deeper than {} levels; no option is", kMostYamlDepth));
  }
  void count(const YAML::Mark& mark, int64_t values) {
    values_ += values;
    if (values_ > kMostYamlValues)
      refuse(exact(mark), fmt::format("more than {} values up to here, those that aliases ('*') "
                                      "stand for included; write fewer",
                                      kMostYamlValues));
  }
  static int64_t values_of(const Yaml& value) {
    int64_t all = 1;
    for (const Yaml& item : value.items) all += values_of(item);
    for (const YamlEntry& entry : value.entries) all += 1 + values_of(entry.value);
    return all;
  }
  static size_t depth_of(const Yaml& value) {
    if (!value.is_list() && !value.is_section()) return 0;
    size_t deepest = 0;
    for (const Yaml& item : value.items) deepest = std::max(deepest, depth_of(item));
    for (const YamlEntry& entry : value.entries) deepest = std::max(deepest, depth_of(entry.value));
    return deepest + 1;
  }

  void begin(Yaml::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
             YAML::EmitterStyle::value style) {
    require_untagged(mark, tag);
    count(mark, 1);
    require_depth(mark, open_.size() + 1);
    Yaml value;
    value.kind = kind;
    value.flow = style == YAML::EmitterStyle::Flow;
    value.place = place(mark);
    open_.push_back({std::move(value), mark, anchor, std::nullopt, {}});
  }
  void end() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.value), closed.mark, closed.anchor);
  }

  void add(Yaml value, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      count(mark, values_of(value));  // the copy that aliases are made from
      anchors_[anchor] = value;
    }
    if (open_.empty()) {
      root = std::move(value);
      return;
    }
    Open& into = open_.back();
    if (into.value.is_list()) {
      into.value.items.push_back(std::move(value));
    } else if (into.key) {
      into.value.entries.push_back({into.key->text, into.key->place, std::move(value)});
      into.key.reset();
    } else {
      require_key(into, value, mark);
      into.key = std::move(value);
    }
  }
  void require_key(Open& into, const Yaml& key, const YAML::Mark& mark) const {
    if (!key.is_text())
      refuse(exact(mark), fmt::format("{} is no key; a key is plain text",
                                      key.is_nothing() ? "nothing" : "a list or section"));
    if (key.text == "<<")
      refuse(exact(mark), "merge keys ('<<') are not read; write the options out");
    const auto [there, first] = into.keys.try_emplace(key.text, exact(mark));
    if (first) return;
    refuse(exact(mark),
           fmt::format(
               "'{}' stands here for the second time, the first is in line {}, column {}; keep one",
               excerpt(key.text, kShown), there->second.line, there->second.column));
  }

  YamlPlace source_;
  bool lines_;
  int documents_ = 0;
  int64_t values_ = 0;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Yaml> anchors_;
};

// Quoted and escaped where the emitter would write as they stand what reads as something else.
void emit(YAML::Emitter& out, const std::string& text) {
  const bool document = text.starts_with("--- ") || text.starts_with("... ");  // begins or ends one
  if (document || text.find_first_of("\r\x7F") != std::string::npos)
    out << YAML::DoubleQuoted << YAML::EscapeNonAscii;
  out << text;
}

void emit(YAML::Emitter& out, const Yaml& value) {
  switch (value.kind) {
    case Yaml::Kind::nothing: out << YAML::Null; break;
    case Yaml::Kind::text: emit(out, value.text); break;
    case Yaml::Kind::list:
      out << (value.flow ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
      for (const Yaml& item : value.items) emit(out, item);
      out << YAML::EndSeq;
      break;
    case Yaml::Kind::section:
      out << (value.flow ? YAML::Flow : YAML::Block) << YAML::BeginMap;
      for (const YamlEntry& entry : value.entries) {
        out << YAML::Key;
        emit(out, entry.key);
        out << YAML::Value;
        emit(out, entry.value);
      }
      out << YAML::EndMap;
      break;
  }
}

}  // namespace

std::string no_yaml_text(std::string_view text) {
  for (; !text.empty(); text.remove_prefix(utf8_length(text))) {
    if (text[0] == '\0') return "a NUL character in it";
    if (utf8_length(text) == 0)
      return fmt::format("the byte 0x{:02x} in it, which is no UTF-8",
                         static_cast<unsigned char>(text[0]));
    if (is_no_character(text)) return "U+FFFE or U+FFFF in it, which are no characters";
  }
  return "";
}

std::string YamlPlace::text() const {
  const std::string& name = source ? *source : std::string();
  return line > 0 ? fmt::format("{}:{}:{}", name, line, column) : name;
}

Yaml Yaml::of_text(std::string text, YamlPlace place) {
  Yaml value;
  value.kind = Kind::text;
  value.text = std::move(text);
  value.place = std::move(place);
  return value;
}

Yaml Yaml::section(YamlPlace place) {
  Yaml value;
  value.kind = Kind::section;
  value.place = std::move(place);
  return value;
}

const Yaml* Yaml::find(std::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

void Yaml::set(const std::string& key, Yaml value) {
  for (YamlEntry& entry : entries) {
    if (entry.key != key) continue;
    entry.place = value.place;
    entry.value = std::move(value);
    return;
  }
  const YamlPlace at = value.place;
  entries.push_back({key, at, std::move(value)});
}

void Yaml::remove(std::string_view key) {
  std::erase_if(entries, [&](const YamlEntry& entry) { return entry.key == key; });
}

Yaml parse_yaml(std::string_view text, const std::string& place, bool lines) {
  const YamlPlace source{std::make_shared<const std::string>(place), 0, 0};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  require_text(text, source);
  std::string rest = without_comments(text);
  rest.erase(rest.find_last_not_of(" \t\r\n") +
             1);  // the parser takes open quotes before a last newline for closed
  if (static_cast<int64_t>(rest.size()) > kMostYamlBytes)
    refuse(source, fmt::format("{} bytes of YAML, at most {} are read; is it the right file?",
                               rest.size(), kMostYamlBytes));
  Builder builder(source, lines);
  try {
    std::istringstream in(rest);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    YamlPlace at = source;
    if (!error.mark.is_null()) {
      at.line = error.mark.line + 1;
      at.column = error.mark.column + 1;
    }
    refuse(at, "not YAML: " + in_words(indented_by_tab(rest, error.mark.line)
                                           ? YAML::ErrorMsg::TAB_IN_INDENTATION
                                           : error.msg));
  }
  if (!builder.root.place.source) builder.root.place = source;
  return std::move(builder.root);
}

std::string yaml_text(const Yaml& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string(out.c_str(), out.size()) + "\n";
}

std::string yaml_excerpt(const Yaml& value) {
  if (value.is_text()) return excerpt(value.text, kShown);
  return value.is_nothing() ? "nothing" : value.is_list() ? "a list" : "a section";
}

}  // namespace distal
