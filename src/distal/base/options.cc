#include "distal/base/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <span>

#include <fmt/ranges.h>

#include "distal/base/document.h"
#include "distal/base/error.h"
#include "distal/base/files.h"
#include "distal/base/text.h"
#include "distal/base/yaml.h"

namespace distal {
namespace {

constexpr int64_t kMostFileBytes = int64_t{16} << 20;  // of a recipe, its comments included

std::optional<bool> truth_of(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* yes : {"true", "yes", "on", "y"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "n"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

template <class T>
struct Kind;
template <>
struct Kind<bool> {
  static constexpr const char* name = "true or false";
};
template <>
struct Kind<int64_t> {
  static constexpr const char* name = "a whole number, in decimal digits and finite";
};
template <>
struct Kind<double> {
  static constexpr const char* name = "a number, in decimal digits and finite";
};
template <>
struct Kind<std::string> {
  static constexpr const char* name = "text";
};

template <class T>
std::optional<T> converted(const std::string& text) {
  if constexpr (std::is_same_v<T, std::string>) {
    return text;
  } else if constexpr (std::is_same_v<T, bool>) {
    return truth_of(text);
  } else {
    const auto number = number_of(text);
    if constexpr (std::is_same_v<T, double>)
      return number;
    else if (!number || std::abs(*number) > 9e15 || *number != std::floor(*number))
      return std::nullopt;  // 1e3 is a whole number too
    else
      return static_cast<int64_t>(*number);
  }
}

class Reader final : public OptionVisitor {
 public:
  Reader(const Yaml& node, std::string prefix) : node_(&node), prefix_(std::move(prefix)) {
    if (node.is_section()) return;
    made_ = Yaml::section(node.place);
    if (node.is_text() && !prefix_.empty())
      made_.set("name", node);  // `strategy: badge` is short for `strategy: {name: badge}`, and
                                // `oracle: people` for `oracle: {kind: people}`
    else if (!node.is_nothing())
      throw UsageError(
          fmt::format("{}: {} must be a section of key: value lines, not {}", node.place.text(),
                      prefix_.empty() ? "what stands here" : prefix_.substr(0, prefix_.size() - 1),
                      yaml_excerpt(node)));
    node_ = &made_;
  }
  Reader(const Reader&) = delete;

  void done() override {
    for (const YamlEntry& entry : node_->entries) {
      if (seen_.contains(entry.key)) continue;
      const std::vector<std::string> known(seen_.begin(), seen_.end());
      const auto near = nearest(entry.key, known);
      throw UsageError(fmt::format("{}: {}{} is no option here; {}", entry.place.text(), prefix_,
                                   excerpt(entry.key, 60),
                                   near ? fmt::format("did you mean {}?", *near)
                                        : fmt::format("known: {}", fmt::join(known, ", "))));
    }
  }

  std::string place() const override { return node_->place.text(); }

 protected:
  void value(const char* name, Field field, const char*, Range range, const OneOf& words) override {
    seen_.insert(name);
    const Yaml* at = node_->find(name);
    if (at == nullptr && std::string_view(name) == "kind") {
      seen_.insert("name");
      at = node_->find("name");
    }
    if (at == nullptr) return;
    const std::string key = prefix_ + name;
    const std::string spot = at->place.text();
    std::visit([&](auto* target) { read(*at, writable(*target), key, spot, range, words); }, field);
  }

  void section(const char* name, const char*, const Section& section) override {
    seen_.insert(name);
    const Yaml* at = node_->find(name);
    // A section that is not written is still visited when it has defaults: the method behind a
    // Choice must be made.
    if ((at == nullptr || at->is_nothing()) && !section.present()) return;
    const Yaml absent = Yaml::section(node_->place);
    Reader inner(at != nullptr ? *at : absent, prefix_ + name + ".");
    section.make();
    section.visit(inner);
    inner.done();
  }

 private:
  template <class T>
  static T scalar(const Yaml& at, const std::string& key, const std::string& spot) {
    const auto value = at.is_text() ? converted<T>(at.text) : std::nullopt;
    if (!value)
      throw UsageError(
          fmt::format("{}: {} = {} is not {}", spot, key, yaml_excerpt(at), Kind<T>::name));
    return *value;
  }
  template <class T>
  static void check(const T& value, const std::string& key, const std::string& spot, Range range,
                    const OneOf& words) {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      const auto number = static_cast<double>(value);
      if (!(number >= range.low && number <= range.high))
        throw UsageError(fmt::format("{}: {} = {} lies outside [{}, {}]", spot, key, value,
                                     range.low, range.high));
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (words.words.empty() ||
          std::find(words.words.begin(), words.words.end(), value) != words.words.end())
        return;
      const auto near = nearest(value, words.words);
      throw UsageError(fmt::format("{}: {} = '{}' is not one of: {}{}", spot, key,
                                   excerpt(value, 60), fmt::join(words.words, ", "),
                                   near ? fmt::format("; did you mean {}?", *near) : ""));
    }
  }
  template <class T>
  static void read(const Yaml& at, T& target, const std::string& key, const std::string& spot,
                   Range range, const OneOf& words) {
    target = scalar<T>(at, key, spot);
    check(target, key, spot, range, words);
  }
  template <class T>
  static void read(const Yaml& at, std::optional<T>& target, const std::string& key,
                   const std::string& spot, Range range, const OneOf& words) {
    if (at.is_nothing()) {
      target.reset();
      return;
    }
    target = scalar<T>(at, key, spot);
    check(*target, key, spot, range, words);
  }
  template <class T>
  static void read(const Yaml& at, std::vector<T>& target, const std::string& key,
                   const std::string& spot, Range range, const OneOf& words) {
    target.clear();
    if (at.is_text()) {
      target.push_back(scalar<T>(at, key, spot));
    } else if (at.is_list()) {
      for (const Yaml& item : at.items) target.push_back(scalar<T>(item, key, item.place.text()));
    } else {
      throw UsageError(fmt::format("{}: {} must be a list, such as [a, b]", spot, key));
    }
    for (const T& item : target) check(item, key, spot, range, words);
  }

  const Yaml* node_;
  Yaml made_;
  std::string prefix_;
  std::set<std::string> seen_;
};

class Writer final : public OptionVisitor {
 public:
  Yaml made = Yaml::section({});
  void done() override {}

 protected:
  void value(const char* name, Field field, const char*, Range, const OneOf&) override {
    std::visit([&](auto* source) { write(name, *source); }, field);
  }
  void section(const char* name, const char*, const Section& section) override {
    if (!section.present()) return;
    Writer inner;
    section.visit(inner);
    made.set(name, std::move(inner.made));
  }

 private:
  template <class T>
  static Yaml yaml(const T& value) {
    return Yaml::of_text(fmt::format("{}", value), {});
  }
  template <class T>
  void write(const char* name, const T& source) {
    made.set(name, yaml(source));
  }
  template <class T>
  void write(const char* name, const std::optional<T>& source) {
    if (source) write(name, *source);
  }
  template <class T>
  void write(const char* name, const std::vector<T>& source) {
    Yaml list;
    list.kind = Yaml::Kind::list;
    list.flow = true;
    for (const T& item : source) list.items.push_back(yaml(item));
    made.set(name, std::move(list));
  }
};

template <class T>
struct TypeWords;
template <>
struct TypeWords<bool> {
  static constexpr const char* one = "true or false";
};
template <>
struct TypeWords<int64_t> {
  static constexpr const char* one = "whole number";
  static constexpr const char* many = "whole numbers";
};
template <>
struct TypeWords<double> {
  static constexpr const char* one = "number";
  static constexpr const char* many = "numbers";
};
template <>
struct TypeWords<std::string> {
  static constexpr const char* one = "text";
  static constexpr const char* many = "texts";
};

class Describer final : public OptionVisitor {
 public:
  explicit Describer(std::vector<OptionRow>& rows, std::string prefix = "")
      : rows_(rows), prefix_(std::move(prefix)) {}
  void done() override {}

 protected:
  void value(const char* name, Field field, const char* help, Range range,
             const OneOf& words) override {
    OptionRow& row = rows_.emplace_back(OptionRow{.key = prefix_ + name, .help = help});
    row.range = range;
    row.words = words.words;
    std::visit(
        [&](auto* source) {
          row.type = type(*source);
          row.value = show(*source);
        },
        field);
  }
  void section(const char* name, const char* help, const Section& section) override {
    rows_.push_back(
        {.key = prefix_ + name, .help = help, .section = true, .present = section.present()});
    Describer inner(rows_, prefix_ + name + ".");
    section.visit(inner);
  }

 private:
  template <class T>
  static std::string type(const T&) {
    return TypeWords<T>::one;
  }
  template <class T>
  static std::string type(const std::optional<T>&) {
    return fmt::format("{} or none", TypeWords<T>::one);
  }
  template <class T>
  static std::string type(const std::vector<T>&) {
    return fmt::format("list of {}", TypeWords<T>::many);
  }
  template <class T>
  static std::string show(const T& source) {
    return fmt::format("{}", source);
  }
  template <class T>
  static std::string show(const std::optional<T>& source) {
    return source ? show(*source) : "none";
  }
  template <class T>
  static std::string show(const std::vector<T>& source) {
    return fmt::format("[{}]", fmt::join(source, ", "));
  }

  std::vector<OptionRow>& rows_;
  std::string prefix_;
};

// What an option may be, as help shows it; empty where anything fits its type.
std::string bracketed_limits(const OptionRow& row) {
  if (!row.words.empty()) return fmt::format(" [{}]", fmt::join(row.words, "|"));
  if (row.range.low <= -kMostNumber) return "";
  if (row.range.high == kMostNumber) return fmt::format(" [>= {}]", row.range.low);
  return fmt::format(" [{}..{}]", row.range.low, row.range.high);
}

// Maps merge, everything else is replaced.
Yaml laid_over(const Yaml& base, const Yaml& difference) {
  const Yaml* is = difference.find("name");
  if (base.is_text() && difference.is_section() &&
      is == nullptr) {  // `loss: kd` under `loss: {tau: 2}`
    Yaml named = difference;
    named.set("name", base);
    return named;
  }
  if (!base.is_section() || !difference.is_section()) return difference;
  // Another method: its predecessor's own options would not fit it.
  const Yaml* was = base.find("name");
  if (is != nullptr && was != nullptr && is->text != was->text) return difference;
  std::map<std::string_view, const YamlEntry*> above;
  for (const YamlEntry& entry : difference.entries) above.emplace(entry.key, &entry);
  Yaml merged = Yaml::section(base.place);
  merged.flow = base.flow;
  for (const YamlEntry& entry : base.entries) {
    const auto over = above.find(entry.key);
    merged.entries.push_back(over == above.end()
                                 ? entry
                                 : YamlEntry{entry.key, over->second->place,
                                             laid_over(entry.value, over->second->value)});
    if (over != above.end()) above.erase(over);
  }
  for (const YamlEntry& entry : difference.entries) {
    if (above.contains(entry.key)) merged.entries.push_back(entry);
  }
  return merged;
}

// Sets what lies under `words` (a path) to `value`; a scalar on the way becomes a section whose
// `name` it was.
void set_below(Yaml& node, std::span<const std::string> words, const Yaml& value) {
  if (words.empty()) {
    node = value;
    return;
  }
  if (node.is_list())
    throw UsageError(fmt::format(
        "{}: a list stands here, and {} sets an option of a section; write key: value lines",
        node.place.text(), value.place.text()));
  if (!node.is_section()) {
    Yaml made = Yaml::section(value.place);
    const bool renamed = words.size() == 1 && words.front() == "kind";
    if (node.is_text() && !renamed) made.set("name", node);
    node = std::move(made);
  }
  const Yaml* below = node.find(words.front());
  Yaml changed = below != nullptr ? *below : Yaml();
  set_below(changed, words.subspan(1), value);
  node.set(words.front(), std::move(changed));
}

std::vector<std::string> words_of(const std::string& key) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= key.size();) {
    const size_t dot = std::min(key.find('.', at), key.size());
    words.push_back(key.substr(at, dot - at));
    at = dot + 1;
  }
  const bool gap =
      std::any_of(words.begin(), words.end(), [](const std::string& word) { return word.empty(); });
  if (gap || words.size() > static_cast<size_t>(kMostYamlDepth))
    throw UsageError(fmt::format("--set {}: is no key; keys are words with a dot between them, "
                                 "such as student.training.steps",
                                 excerpt(key, 60)));
  return words;
}

}  // namespace

std::optional<double> number_of(std::string_view text) {
  const std::string_view digits =
      text.substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
  if (text.starts_with('+')) text = digits;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.empty() || !(digit(digits[0]) || digits[0] == '.'))
    return std::nullopt;  // no "inf", "nan" or second sign
  if (digits.size() > 1 && digits[0] == '0' && digit(digits[1]))
    return std::nullopt;  // 010 is 8 to YAML 1.1 and 10 to others
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    number = std::strtod(std::string(text).c_str(), nullptr);  // infinite, or about 0
  if (!std::isfinite(number)) return std::nullopt;
  return number + 0.0;  // -0 is 0
}

Override Override::parse(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(fmt::format(
        "--set {}: needs key=value; {}", excerpt(text),
        equals == 0 ? "name the option before the =" : "give --set '" + excerpt(text) + "=VALUE'"));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Document::Document(Yaml node, std::string place)
    : node_(std::make_shared<const Yaml>(std::move(node))), place_(std::move(place)) {}

namespace {

/// The cure where no recipe lies at `path`: one of the folder with nearly that name.
std::string recipe_meant(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(path).parent_path();
  std::error_code unknown;
  std::vector<std::string> names;
  for (fs::directory_iterator file(folder.empty() ? "." : folder, unknown), end;
       !unknown && file != end; file.increment(unknown)) {
    const std::string ending = file->path().extension().string();
    if (ending == ".yaml" || ending == ".yml") names.push_back(file->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  if (const auto near = nearest(fs::path(path).filename().string(), names))
    return fmt::format("did you mean {}?", excerpt((folder / *near).string()));
  return "check its path; distal new writes one";
}

}  // namespace

Document Document::file(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::exists(path, unknown) && !unknown)
    throw UsageError(fmt::format("{}: no such recipe; {}", excerpt(path), recipe_meant(path)));
  std::string content;
  try {
    content = read_file(path, kMostFileBytes);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  return text(content, path);
}

Document Document::text(const std::string& yaml, const std::string& place) {
  Yaml node = parse_yaml(yaml, place);
  if (!node.is_section() && !node.is_nothing())
    throw UsageError(fmt::format("{}: must be a section of key: value lines, not {}",
                                 node.place.text(), yaml_excerpt(node)));
  return {std::move(node), place};
}

Document Document::with(const std::vector<Override>& overrides) const {
  Yaml changed = *node_;
  for (const auto& [key, value, literal] : overrides) {
    const auto words = words_of(key);
    const std::string source = "--set " + key;
    if (const std::string unfit = literal ? no_yaml_text(value) : ""; !unfit.empty())
      throw UsageError(fmt::format("{} = {}: has {}, and a recipe is written in UTF-8; rename it, "
                                   "or give a link to it that has a plain name",
                                   key, excerpt(value, 60), unfit));
    set_below(changed, words,
              literal ? Yaml::of_text(value, {std::make_shared<const std::string>(source)})
                      : parse_yaml(value, source, /*lines=*/false));
  }
  return {std::move(changed), place_};
}

Document Document::overlaid_by(const Document& difference) const {
  return {laid_over(*node_, *difference.node_), place_};
}

std::optional<Document> Document::section(const std::string& dotted_key) const {
  const Yaml* at = node_.get();
  for (const std::string& word : words_of(dotted_key)) {
    at = at->find(word);
    if (at == nullptr || at->is_nothing()) return std::nullopt;
  }
  return Document(*at, place_);
}

Document Document::without(const std::string& key) const {
  Yaml less = *node_;
  less.remove(key);
  return {std::move(less), place_};
}

std::vector<std::pair<std::string, Document>> Document::entries(const std::string& key) const {
  std::vector<std::pair<std::string, Document>> found;
  const auto all = section(key);
  if (!all) return found;
  if (!all->node_->is_section())
    throw UsageError(fmt::format("{}: {} must be a section: a name, then what differs; not {}",
                                 all->at(), key, yaml_excerpt(*all->node_)));
  for (const YamlEntry& entry : all->node_->entries) {
    const Yaml& body = entry.value;
    if (!body.is_section() && !body.is_nothing())
      throw UsageError(fmt::format(
          "{}: {}.{} must be a section of what differs, such as {{strategy: margin}}, not {}",
          body.place.text(), key, excerpt(entry.key, 60), yaml_excerpt(body)));
    found.emplace_back(entry.key,
                       Document(body.is_nothing() ? Yaml::section(body.place) : body, place_));
  }
  return found;
}

Document Document::with_entries(
    const std::string& key, const std::vector<std::pair<std::string, Document>>& entries) const {
  Yaml all = Yaml::section(node_->place);
  for (const auto& [name, body] : entries)
    all.entries.push_back({name, body.node_->place, *body.node_});
  Yaml more = node_->is_nothing() ? Yaml::section(node_->place) : *node_;
  more.set(key, std::move(all));
  return {std::move(more), place_};
}

std::string Document::dump() const { return yaml_text(*node_); }

std::string Document::at() const { return node_->place.text(); }

void Document::read_with(const std::function<void(OptionVisitor&)>& visit) const {
  Reader reader(*node_, "");
  visit(reader);
  reader.done();
}

std::string resolved_yaml(const std::function<void(OptionVisitor&)>& visit) {
  Writer writer;
  visit(writer);
  return yaml_text(writer.made);
}

std::vector<OptionRow> option_rows(const std::function<void(OptionVisitor&)>& visit) {
  std::vector<OptionRow> rows;
  Describer describer(rows);
  visit(describer);
  return rows;
}

std::string help_text(const std::vector<OptionRow>& rows) {
  std::string out;
  for (const OptionRow& row : rows)
    out +=
        fmt::format("  {:<34} {:<14} {}{}\n", row.key, row.value, row.help, bracketed_limits(row));
  return out;
}

std::string help_text(const std::function<void(OptionVisitor&)>& visit) {
  return help_text(option_rows(visit));
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
