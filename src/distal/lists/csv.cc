#include "distal/lists/csv.h"

#include "distal/base/error.h"
#include "distal/base/text.h"

namespace distal {
namespace {

class Parser {
 public:
  Parser(const std::string& text, const std::string& place) : text_(text), place_(place) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    separator_ = separator_of_first_line();
  }

  template <class Visit>
  void each(const Visit& visit) {
    while (at_ < text_.size()) {
      CsvRecord record = next();
      if (record.fields.size() > 1 || !record.fields[0].empty()) visit(std::move(record));
    }
  }

 private:
  char separator_of_first_line() const {
    std::string found;
    bool quoted = false;
    for (size_t i = text_.find_first_not_of("\r\n", at_); i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '"') quoted = !quoted;
      if (quoted) continue;
      if (c == '\n' || c == '\r') break;
      if (c == ',') return c;
      if (c == ';' || c == '\t') found += c;
    }
    if (found.empty()) return ',';
    return found.find(';') != std::string::npos ? ';' : '\t';
  }

  CsvRecord next() {
    CsvRecord record{{}, line_};
    for (;;) {
      record.fields.push_back(field());
      if (at_ >= text_.size() || text_[at_] != separator_) break;
      ++at_;
    }
    if (at_ < text_.size() && text_[at_] == '\r')
      ++at_;  // alone, as old Macintoshes wrote, it ends a line too
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    ++line_;
    return record;
  }

  // In quotes or not. Behind a blank a quote that text follows is text too: `x.mp4, "Fast"
  // running`.
  std::string field() {
    const size_t begin = at_;
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != '"') return plain();
    const bool blank = at_ > begin;
    const int64_t opened = line_;
    std::string inside = quoted();
    const std::string behind = plain();
    if (behind.empty()) return inside;
    if (!blank)
      fail("{}:{}: '{}' stands behind a closing quote; put the whole field in quotes, and double "
           "those that belong to it",
           place_, line_, excerpt(behind, 60));
    at_ = begin;
    line_ = opened;
    return plain();
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t') &&
           text_[at_] != separator_)
      ++at_;
  }

  std::string plain() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n' &&
           text_[at_] != '\r')
      ++at_;
    const std::string_view field = std::string_view(text_).substr(begin, at_ - begin);
    const size_t first = field.find_first_not_of(" \t");
    return first == std::string_view::npos
               ? ""
               : std::string(field.substr(first, field.find_last_not_of(" \t") - first + 1));
  }

  std::string quoted() {
    const int64_t opened = line_;
    std::string field;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) {
        fail("{}:{}: a quote opens here and never closes, close it or double a quote that belongs "
             "to the text",
             place_, opened);
      }
      if (text_[at_] == '"') {
        if (++at_ >= text_.size() || text_[at_] != '"') break;
      }
      line_ += text_[at_] == '\n';
      field += text_[at_];
    }
    return field;
  }

  const std::string& text_;
  const std::string& place_;
  size_t at_ = 0;
  char separator_ = ',';
  int64_t line_ = 1;
};

}  // namespace

void each_csv(const std::string& text, const std::string& place,
              const std::function<void(const CsvRecord&)>& visit) {
  Parser(text, place).each(visit);
}

std::vector<CsvRecord> parse_csv(const std::string& text, const std::string& place) {
  std::vector<CsvRecord> all;
  Parser(text, place).each([&](CsvRecord&& record) { all.push_back(std::move(record)); });
  return all;
}

std::string csv_field(const std::string& text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const bool blank_end = !text.empty() && (blank(text.front()) || blank(text.back()));
  if (text.find_first_of(",\"\r\n") == std::string::npos && !blank_end) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace distal
