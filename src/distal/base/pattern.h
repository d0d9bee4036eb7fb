#pragma once
// Regular expressions from users and for text from outside. RE2 matches them in time linear in the
// text, so that none can hang a command.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace distal {

/// An expression in RE2's syntax (https://github.com/google/re2/wiki/Syntax): Perl's, without
/// look-around and back-references. It works on bytes, as names of files are. Thread-safe; a copy
/// shares the compiled form.
class Pattern {
 public:
  /// Throws UsageError `what: 'expression' is not a regular expression: why, cure`.
  Pattern(const std::string& expression, const std::string& what);

  bool found_in(std::string_view text) const;     // anywhere
  bool matches_all(std::string_view text) const;  // from the first byte to the last
  /// The whole match, then its captures ("" where one took no part); nothing where the expression
  /// is not found (find) or does not match from the first byte to the last (match).
  std::optional<std::vector<std::string>> find(std::string_view text) const;
  std::optional<std::vector<std::string>> match(std::string_view text) const;
  /// Every match replaced; $1 to $9 in `replacement` stand for captures, $& for the match, $$ for a
  /// dollar sign.
  std::string replaced(std::string text, const std::string& replacement) const;

 private:
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace distal
