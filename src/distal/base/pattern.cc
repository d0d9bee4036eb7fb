#include "distal/base/pattern.h"

#include <cctype>

#include <re2/re2.h>

#include "distal/base/error.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr size_t kLongestExpression = 10'000;

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

const char* reason_of(const re2::RE2& pattern) {
  switch (pattern.error_code()) {
    case re2::RE2::ErrorMissingParen:
    case re2::RE2::ErrorUnexpectedParen: return "a bracket ( or ) has no partner";
    case re2::RE2::ErrorMissingBracket: return "a bracket [ is not closed";
    case re2::RE2::ErrorBadCharClass:
    case re2::RE2::ErrorBadCharRange: return "what stands between [ and ] is no set of characters";
    case re2::RE2::ErrorRepeatArgument: return "a * + ? or {} has nothing before it to repeat";
    case re2::RE2::ErrorRepeatOp: return "two of * + ? {} follow each other";
    case re2::RE2::ErrorRepeatSize: return "a {} repeats too often, 1000 times at most";
    case re2::RE2::ErrorTrailingBackslash: return "it ends in a backslash";
    case re2::RE2::ErrorBadEscape:
      return "a \\ stands before a sign that has no meaning then (\\1 and other back-references do "
             "not exist here)";
    case re2::RE2::ErrorBadNamedCapture: return "a name of a group is wrong";
    case re2::RE2::ErrorPatternTooLarge: return "it is too large";
    default: return "it is not understood";
  }
}

// Perl's look-around is known, but cannot be matched in linear time.
bool looks_around(const std::string& expression) {
  for (const char* sign : {"(?=", "(?!", "(?<=", "(?<!"}) {
    if (expression.find(sign) != std::string::npos) return true;
  }
  return false;
}

std::optional<std::vector<std::string>> captures(const re2::RE2& pattern, std::string_view text,
                                                 re2::RE2::Anchor anchor) {
  std::vector<re2::StringPiece> found(static_cast<size_t>(pattern.NumberOfCapturingGroups()) + 1);
  if (!pattern.Match(piece(text), 0, text.size(), anchor, found.data(),
                     static_cast<int>(found.size())))
    return std::nullopt;
  std::vector<std::string> all;
  for (const auto& part : found) all.emplace_back(part.data() != nullptr ? part.as_string() : "");
  return all;
}

// $1 as \1, which RE2 wants.
std::string rewrite_of(const std::string& replacement, int captures) {
  std::string out;
  for (size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    const char next = i + 1 < replacement.size() ? replacement[i + 1] : '\0';
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '$' &&
               (next == '$' || next == '&' || std::isdigit(static_cast<unsigned char>(next)))) {
      ++i;
      if (next == '$')
        out += '$';
      else if (next == '&')
        out += "\\0";
      else if (next - '0' <= captures)
        out += {'\\', next};
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Pattern::Pattern(const std::string& expression, const std::string& what) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  if (expression.size() > kLongestExpression)
    throw UsageError(fmt::format(
        "{}: a regular expression of {} characters, at most {} are read; write a shorter one", what,
        expression.size(), kLongestExpression));
  compiled_ = std::make_shared<const re2::RE2>(piece(expression), options);
  if (compiled_->ok()) return;
  const char* why = looks_around(expression) ? "(?= (?! (?<= (?<! look ahead or back, which could "
                                               "take for ever; say what is wanted without them"
                                             : reason_of(*compiled_);
  throw UsageError(fmt::format("{}: '{}' is not a regular expression: {}; write one such as "
                               "'g0[1-7]', with a \\ before a sign meant as itself",
                               what, excerpt(expression), why));
}

bool Pattern::found_in(std::string_view text) const {
  return re2::RE2::PartialMatch(piece(text), *compiled_);
}

bool Pattern::matches_all(std::string_view text) const {
  return re2::RE2::FullMatch(piece(text), *compiled_);
}

std::optional<std::vector<std::string>> Pattern::find(std::string_view text) const {
  return captures(*compiled_, text, re2::RE2::UNANCHORED);
}

std::optional<std::vector<std::string>> Pattern::match(std::string_view text) const {
  return captures(*compiled_, text, re2::RE2::ANCHOR_BOTH);
}

std::string Pattern::replaced(std::string text, const std::string& replacement) const {
  re2::RE2::GlobalReplace(&text, *compiled_,
                          piece(rewrite_of(replacement, compiled_->NumberOfCapturingGroups())));
  return text;
}

}  // namespace distal
