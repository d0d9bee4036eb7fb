#include "base/options.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

namespace distal {
namespace {

constexpr const char* kOverrideTag = "!set";  // marks nodes that came from --set

std::string where(const YAML::Node& node, const std::string& place, const std::string& key) {
  const YAML::Mark mark = node.Mark();
  if (node.Tag() == kOverrideTag || mark.is_null()) return key.empty() ? place : fmt::format("--set {}", key);
  return fmt::format("{}:{}:{}", place, mark.line + 1, mark.column + 1);
}

template <class T>
struct Kind;
template <> struct Kind<bool> { static constexpr const char* name = "true or false"; };
template <> struct Kind<int64_t> { static constexpr const char* name = "a whole number"; };
template <> struct Kind<double> { static constexpr const char* name = "a number"; };
template <> struct Kind<std::string> { static constexpr const char* name = "text"; };

class Reader final : public OptionVisitor {
 public:
  Reader(YAML::Node node, std::string place, std::string prefix)
      : node_(std::move(node)), place_(std::move(place)), prefix_(std::move(prefix)) {
    // reset, not =: assigning to a YAML::Node would change the document itself.
    if (node_.IsNull() || !node_.IsDefined()) node_.reset(YAML::Node(YAML::NodeType::Map));
    if (node_.IsScalar()) {  // `strategy: badge` is short for `strategy: {name: badge}`
      YAML::Node section(YAML::NodeType::Map);
      section.force_insert("name", node_);
      node_.reset(section);
    }
    if (!node_.IsMap()) throw UsageError(fmt::format("{}: {} must be a section of key: value lines", where(node_, place_, prefix_), prefix_.empty() ? "the recipe" : prefix_));
  }

  void done() override {
    for (const auto& pair : node_) {
      const auto key = pair.first.as<std::string>();
      if (seen_.contains(key)) continue;
      const std::vector<std::string> known(seen_.begin(), seen_.end());
      const auto near = nearest(key, known);
      throw UsageError(fmt::format("{}: {}{} is no option here; {}", where(pair.first, place_, prefix_ + key), prefix_, key,
                                   near ? fmt::format("did you mean {}?", *near) : fmt::format("known: {}", fmt::join(known, ", "))));
    }
  }

  std::string place() const override { return where(node_, place_, prefix_.empty() ? "" : prefix_.substr(0, prefix_.size() - 1)); }

 protected:
  void value(const char* name, Field field, const char*, Range range, const OneOf& words) override {
    seen_.insert(name);
    const YAML::Node at = node_[name];
    if (!at.IsDefined()) return;
    const std::string key = prefix_ + name, spot = where(at, place_, key);
    std::visit([&](auto* target) { read(at, *target, key, spot, range, words); }, field);
  }

  void section(const char* name, const char*, bool present, const Body& body) override {
    seen_.insert(name);
    const YAML::Node at = node_[name];
    // A section that is not written is still visited when it has defaults: the method behind a Choice must be made.
    if ((!at.IsDefined() || at.IsNull()) && !present) return;
    Reader inner(at.IsDefined() ? at : YAML::Node(YAML::NodeType::Map), place_, prefix_ + name + ".");
    body()(inner);
    inner.done();
  }

 private:
  template <class T>
  static T scalar(const YAML::Node& at, const std::string& key, const std::string& spot) {
    try {
      if (!at.IsScalar()) throw YAML::BadConversion(at.Mark());
      if constexpr (std::is_same_v<T, int64_t>) {
        const double number = at.as<double>();  // 1e3 is a whole number too
        if (std::abs(number) > 9e15 || number != std::floor(number)) throw YAML::BadConversion(at.Mark());
        return static_cast<int64_t>(number);
      } else {
        return at.as<T>();
      }
    } catch (const YAML::Exception&) {
      throw UsageError(fmt::format("{}: {} = {} is not {}", spot, key, at.IsScalar() ? at.Scalar() : YAML::Dump(at), Kind<T>::name));
    }
  }
  template <class T>
  static void check(const T& value, const std::string& key, const std::string& spot, Range range, const OneOf& words) {
    if constexpr (std::is_arithmetic_v<T>) {
      const auto number = static_cast<double>(value);
      if (!(number >= range.low && number <= range.high))
        throw UsageError(fmt::format("{}: {} = {} lies outside [{}, {}]", spot, key, value, range.low, range.high));
    } else if (!words.words.empty() && std::find(words.words.begin(), words.words.end(), value) == words.words.end()) {
      const auto near = nearest(value, words.words);
      throw UsageError(fmt::format("{}: {} = '{}' is not one of: {}{}", spot, key, value, fmt::join(words.words, ", "),
                                   near ? fmt::format("; did you mean {}?", *near) : ""));
    }
  }
  template <class T>
  static void read(const YAML::Node& at, T& target, const std::string& key, const std::string& spot, Range range, const OneOf& words) {
    target = scalar<T>(at, key, spot);
    check(target, key, spot, range, words);
  }
  template <class T>
  static void read(const YAML::Node& at, std::optional<T>& target, const std::string& key, const std::string& spot, Range range, const OneOf& words) {
    if (at.IsNull()) {
      target.reset();
      return;
    }
    target = scalar<T>(at, key, spot);
    check(*target, key, spot, range, words);
  }
  template <class T>
  static void read(const YAML::Node& at, std::vector<T>& target, const std::string& key, const std::string& spot, Range range, const OneOf& words) {
    target.clear();
    if (at.IsScalar()) target.push_back(scalar<T>(at, key, spot));
    else if (at.IsSequence()) for (const auto& item : at) target.push_back(scalar<T>(item, key, spot));
    else throw UsageError(fmt::format("{}: {} must be a list", spot, key));
    for (const T& item : target) check(item, key, spot, range, words);
  }

  YAML::Node node_;
  std::string place_, prefix_;
  std::set<std::string> seen_;
};

class Writer final : public OptionVisitor {
 public:
  YAML::Node node{YAML::NodeType::Map};
  void done() override {}

 protected:
  void value(const char* name, Field field, const char*, Range, const OneOf&) override {
    std::visit([&](auto* source) { write(name, *source); }, field);
  }
  void section(const char* name, const char*, bool present, const Body& body) override {
    if (!present) return;
    Writer inner;
    body()(inner);
    node[name] = inner.node;
  }

 private:
  static std::string text(double number) { return fmt::format("{}", number); }
  template <class T>
  void write(const char* name, const T& source) {
    if constexpr (std::is_same_v<T, double>) node[name] = text(source);
    else node[name] = source;
  }
  template <class T>
  void write(const char* name, const std::optional<T>& source) { if (source) write(name, *source); }
  template <class T>
  void write(const char* name, const std::vector<T>& source) {
    YAML::Node list(YAML::NodeType::Sequence);
    list.SetStyle(YAML::EmitterStyle::Flow);
    for (const T& item : source) {
      if constexpr (std::is_same_v<T, double>) list.push_back(text(item));
      else list.push_back(item);
    }
    node[name] = list;
  }
};

class Help final : public OptionVisitor {
 public:
  explicit Help(std::string& out, std::string prefix = "") : out_(out), prefix_(std::move(prefix)) {}
  void done() override {}

 protected:
  void value(const char* name, Field field, const char* help, Range range, const OneOf& words) override {
    const std::string value = std::visit([](auto* source) { return show(*source); }, field);
    std::string limits;
    if (!words.words.empty()) limits = fmt::format(" [{}]", fmt::join(words.words, "|"));
    else if (std::isfinite(range.low) && std::isfinite(range.high)) limits = fmt::format(" [{}..{}]", range.low, range.high);
    else if (std::isfinite(range.low)) limits = fmt::format(" [>= {}]", range.low);
    out_ += fmt::format("  {:<34} {:<14} {}{}\n", prefix_ + name, value, help, limits);
  }
  void section(const char* name, const char* help, bool, const Body& body) override {
    out_ += fmt::format("  {:<34} {:<14} {}\n", prefix_ + name, "", help);
    Help inner(out_, prefix_ + name + ".");
    body()(inner);
  }

 private:
  template <class T>
  static std::string show(const T& source) { return fmt::format("{}", source); }
  template <class T>
  static std::string show(const std::optional<T>& source) { return source ? show(*source) : "none"; }
  template <class T>
  static std::string show(const std::vector<T>& source) { return fmt::format("[{}]", fmt::join(source, ", ")); }
  std::string& out_;
  std::string prefix_;
};

// Fresh maps and lists over the same scalars: unlike YAML::Clone this keeps line and column. Scalars are never changed in place.
YAML::Node copy_of(const YAML::Node& node) {
  if (!node.IsMap() && !node.IsSequence()) return node;
  YAML::Node copy(node.Type());
  copy.SetStyle(node.Style());
  if (node.IsMap()) for (const auto& pair : node) copy.force_insert(pair.first, copy_of(pair.second));
  else for (const auto& item : node) copy.push_back(copy_of(item));
  return copy;
}

YAML::Node lay_over(const YAML::Node& base, const YAML::Node& difference) {
  if (base.IsScalar() && difference.IsMap() && !difference["name"].IsDefined()) {  // `loss: kd` under `loss: {tau: 2}`
    YAML::Node named = copy_of(difference);
    named.force_insert("name", base);
    return named;
  }
  if (!base.IsMap() || !difference.IsMap()) return copy_of(difference);
  // Another method: its predecessor's own options would not fit it.
  const YAML::Node was = base["name"], is = difference["name"];
  if (is.IsDefined() && was.IsDefined() && is.as<std::string>() != was.as<std::string>()) return copy_of(difference);
  YAML::Node merged(YAML::NodeType::Map);
  merged.SetStyle(base.Style());
  for (const auto& pair : base) {
    const YAML::Node above = difference[pair.first.as<std::string>()];
    merged.force_insert(pair.first, above.IsDefined() ? lay_over(pair.second, above) : copy_of(pair.second));
  }
  for (const auto& pair : difference) {
    if (!base[pair.first.as<std::string>()].IsDefined()) merged.force_insert(pair.first, copy_of(pair.second));
  }
  return merged;
}

// Sets `words` (a path) below `map` to `value`; a scalar on the way becomes a section whose `name` it was.
YAML::Node with_value(const YAML::Node& map, std::vector<std::string> words, const YAML::Node& value) {
  if (words.empty()) return value;
  YAML::Node section = map.IsMap() ? map : YAML::Node(YAML::NodeType::Map);
  if (map.IsScalar()) section.force_insert("name", map);
  const std::string word = words.front();
  words.erase(words.begin());
  const YAML::Node below = std::as_const(section)[word];
  const YAML::Node set = with_value(below.IsDefined() ? below : YAML::Node(YAML::NodeType::Map), words, value);
  section.remove(word);
  section.force_insert(word, set);
  return section;
}

void refuse_repeated_keys(const YAML::Node& node, const std::string& place) {
  std::set<std::string> keys;
  if (node.IsSequence()) for (const auto& item : node) refuse_repeated_keys(item, place);
  if (!node.IsMap()) return;
  for (const auto& pair : node) {
    const auto mark = pair.first.Mark();
    if (pair.first.IsScalar() && !keys.insert(pair.first.Scalar()).second)
      throw UsageError(fmt::format("{}:{}:{}: '{}' stands here for the second time; keep one", place, mark.line + 1, mark.column + 1, pair.first.Scalar()));
    refuse_repeated_keys(pair.second, place);
  }
}

YAML::Node parse(const std::string& yaml, const std::string& place) {
  try {
    const YAML::Node node = YAML::Load(yaml);
    refuse_repeated_keys(node, place);
    return node;
  } catch (const YAML::ParserException& error) {
    throw UsageError(fmt::format("{}:{}:{}: not YAML: {}", place, error.mark.line + 1, error.mark.column + 1, error.msg));
  }
}

}  // namespace

Override Override::parse(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(fmt::format("--set {}: needs key=value, for example training.epochs=10", text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Document::Document(std::shared_ptr<YAML::Node> node, std::string place) : node_(std::move(node)), place_(std::move(place)) {}

Document Document::file(const std::string& path) {
  std::ifstream in(path);
  if (!in || std::filesystem::is_directory(path)) throw UsageError(fmt::format("{}: no such recipe; `ls recipes` shows those that come with distal", path));
  std::ostringstream content;
  content << in.rdbuf();
  return text(content.str(), path);
}

Document Document::text(const std::string& yaml, const std::string& place) {
  return Document(std::make_shared<YAML::Node>(parse(yaml, place)), place);
}

Document Document::with(const std::vector<Override>& overrides) const {
  YAML::Node copy = copy_of(*node_);
  for (const auto& [key, value] : overrides) {
    std::istringstream text(key);
    std::vector<std::string> words;
    for (std::string word; std::getline(text, word, '.');) words.push_back(word);
    YAML::Node node = parse(value, "--set " + key);
    node.SetTag(kOverrideTag);
    copy = with_value(copy, words, node);
  }
  return Document(std::make_shared<YAML::Node>(copy), place_);
}

Document Document::overlaid_by(const Document& difference) const {
  return Document(std::make_shared<YAML::Node>(lay_over(*node_, difference.node())), place_);
}

std::optional<Document> Document::section(const std::string& dotted_key) const {
  std::istringstream words(dotted_key);
  std::string word;
  YAML::Node at = *node_;
  while (std::getline(words, word, '.')) {
    if (!at.IsMap()) return std::nullopt;
    const YAML::Node next = std::as_const(at)[word];
    if (!next.IsDefined() || next.IsNull()) return std::nullopt;
    at.reset(next);
  }
  return Document(std::make_shared<YAML::Node>(at), place_);
}

Document Document::without(const std::string& key) const {
  YAML::Node copy = copy_of(*node_);
  if (copy.IsMap()) copy.remove(key);
  return Document(std::make_shared<YAML::Node>(copy), place_);
}

std::vector<std::pair<std::string, Document>> Document::entries(const std::string& key) const {
  std::vector<std::pair<std::string, Document>> found;
  const auto map = section(key);
  if (!map) return found;
  if (!map->node().IsMap()) throw UsageError(fmt::format("{}: {} must be a section: a name, then what differs", where(map->node(), place_, key), key));
  for (const auto& pair : map->node()) {
    YAML::Node body = pair.second.IsNull() ? YAML::Node(YAML::NodeType::Map) : pair.second;
    found.emplace_back(pair.first.as<std::string>(), Document(std::make_shared<YAML::Node>(body), place_));
  }
  return found;
}

std::string Document::dump() const {
  std::string yaml = YAML::Dump(*node_) + "\n";
  // A document remembers which values came from overrides; its text is the place of its own.
  constexpr std::string_view kMark = "!<!set> ", kMarkOfNothing = " !<!set>\n";
  for (size_t at = 0; (at = yaml.find(kMark, at)) != std::string::npos;) yaml.erase(at, kMark.size());
  for (size_t at = 0; (at = yaml.find(kMarkOfNothing, at)) != std::string::npos;) yaml.erase(at, kMarkOfNothing.size() - 1);
  return yaml;
}

void Document::read_with(const std::function<void(OptionVisitor&)>& visit) const {
  Reader reader(*node_, place_, "");
  visit(reader);
  reader.done();
}

std::string resolved_yaml(const std::function<void(OptionVisitor&)>& visit) {
  Writer writer;
  visit(writer);
  return YAML::Dump(writer.node) + "\n";
}

std::string help_text(const std::function<void(OptionVisitor&)>& visit) {
  std::string out;
  Help help(out);
  visit(help);
  return out;
}

std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& words) {
  const auto distance = [](const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= b.size(); ++j) {
        const size_t above = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
        diagonal = above;
      }
    }
    return row[b.size()];
  };
  std::optional<std::string> best;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : words) {
    const size_t d = distance(word, candidate);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace distal
