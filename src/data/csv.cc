#include "data/csv.h"

#include "base/error.h"

namespace distal {
namespace {

class Parser {
 public:
  Parser(const std::string& text, const std::string& place) : text_(text), place_(place) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  template <class Visit>
  void each(const Visit& visit) {
    while (at_ < text_.size()) {
      CsvRecord record = next();
      if (record.fields.size() > 1 || !record.fields[0].empty()) visit(std::move(record));
    }
  }

 private:
  CsvRecord next() {
    CsvRecord record{{}, line_};
    for (;;) {
      record.fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted() : plain());
      if (at_ >= text_.size() || text_[at_] != ',') break;
      ++at_;
    }
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    ++line_;
    return record;
  }

  std::string plain() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::string quoted() {
    const int64_t opened = line_;
    std::string field;
    for (++at_;; ++at_) {
      if (at_ >= text_.size()) {
        fail("{}:{}: a quote opens here and never closes, close it or double a quote that belongs to the text", place_, opened);
      }
      if (text_[at_] == '"') {
        if (++at_ >= text_.size() || text_[at_] != '"') break;
      }
      line_ += text_[at_] == '\n';
      field += text_[at_];
    }
    return field + plain();
  }

  const std::string& text_;
  const std::string& place_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

void each_csv(const std::string& text, const std::string& place, const std::function<void(const CsvRecord&)>& visit) { Parser(text, place).each(visit); }

std::vector<CsvRecord> parse_csv(const std::string& text, const std::string& place) {
  std::vector<CsvRecord> all;
  Parser(text, place).each([&](CsvRecord&& record) { all.push_back(std::move(record)); });
  return all;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace distal
