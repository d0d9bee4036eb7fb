#pragma once
// YAML documents that hold options (base/options.h).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace distal {

class OptionVisitor;
struct Yaml;

/// An override `key.sub.key=value` of the command line.
struct Override {
  std::string key, value;
  bool literal = false;  // the value is text as it stands, such as a path, and no YAML
  static Override parse(const std::string& text);  // throws UsageError without an '='
};

/// A YAML document, merged with overrides. Each value keeps its place: a line of the file, or
/// `--set key`. base/yaml.h has the limits of size.
class Document {
 public:
  /// Throws UsageError: missing, not a regular file, not YAML (with line and column).
  static Document file(const std::string& path);
  /// Throws UsageError: not a YAML map.
  static Document text(const std::string& yaml, const std::string& place);
  /// This document with its values replaced by the overrides.
  Document with(const std::vector<Override>& overrides) const;
  /// This document overlaid by `difference`: maps merge, other values are replaced.
  Document overlaid_by(const Document& difference) const;
  std::optional<Document> section(const std::string& dotted_key) const;
  Document without(const std::string& key) const;
  /// The entries of the map of sections under `key`, in order.
  std::vector<std::pair<std::string, Document>> entries(const std::string& key) const;
  Document with_entries(const std::string& key,
                        const std::vector<std::pair<std::string, Document>>& entries) const;
  std::string dump() const;

  /// Reads every field of `options`; throws UsageError.
  template <class T>
  void read(T& options) const {
    read_with([&](OptionVisitor& v) { options.visit(v); });
  }
  void read_with(const std::function<void(OptionVisitor&)>& visit) const;
  const std::string& place() const { return place_; }  // the file
  std::string at() const;                              // `file:line:column` of its first line

 private:
  Document(Yaml node, std::string place);
  std::shared_ptr<const Yaml> node_;
  std::string place_;
};

template <class T>
void read_options(T& options, const std::string& yaml, const std::string& place) {
  Document::text(yaml, place).read(options);
}

}  // namespace distal
