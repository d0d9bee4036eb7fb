// Our CSV: columns in answer_files.h. Other columns are passed over, so that people may add some.
#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/text.h"
#include "distal/base/utc.h"
#include "distal/lists/csv.h"
#include "distal/lists/list_text.h"
#include "distal/people/formats/formats.h"

namespace distal {
namespace {

std::string seconds_field(double seconds) {
  return std::isfinite(seconds) ? fmt::format("{}", seconds) : "";
}

class CsvWriter {
 public:
  CsvWriter(const Questions& questions, const AskFileOptions& options)
      : questions_(questions),
        guesses_(options.guesses),
        ranges_(std::any_of(questions.items.begin(), questions.items.end(),
                            [](const auto& item) { return item.kind == AskedKind::ranges; })),
        classes_(csv_field(fmt::format("{}", fmt::join(questions.classes, " | ")))) {}

  std::string text(const AnswersOf& answers) {
    text_ = fmt::format(
        "clip,video,start_s,end_s,classes{},class,skipped,unsure,note,person,answered,seconds{}\n",
        guesses_ ? ",guess" : "", ranges_ ? ",range_start_s,range_end_s" : "");
    for (const AskedItem& item : questions_.items) {
      const auto of = answers.find(item.clip);
      if (of == answers.end() || of->second.empty())
        row(item, {}, nullptr);
      else
        each_answer(item, of->second);
    }
    return text_;
  }

 private:
  void each_answer(const AskedItem& item, const std::vector<const GivenAnswer*>& answers) {
    for (const GivenAnswer* answer : answers) {
      if (answer->ranges.empty()) row(item, *answer, nullptr);
      for (const AnsweredRange& range : answer->ranges) row(item, *answer, &range);
    }
  }

  void row(const AskedItem& item, const GivenAnswer& answer, const AnsweredRange* range) {
    text_ += fmt::format("{},{},{},{},{}", csv_field(item.clip), csv_field(item.video),
                         seconds_field(item.start_s), seconds_field(item.end_s), classes_);
    if (guesses_) {
      const int64_t guess = guessed_class(item);
      text_ += ',';
      if (guess >= 0) text_ += csv_field(questions_.classes[static_cast<size_t>(guess)]);
    }
    text_ += fmt::format(",{},{},{},{},{},{},{}",
                         csv_field(range == nullptr ? answer.class_name : range->class_name),
                         answer.skipped ? "1" : "", answer.unsure ? "1" : "",
                         csv_field(answer.note), csv_field(answer.person),
                         answer.answered_ms > 0 ? utc_text(answer.answered_ms) : "",
                         answer.seconds ? fmt::format("{}", *answer.seconds) : "");
    if (ranges_ && range != nullptr)
      text_ += fmt::format(",{},{}", range->start_s, range->end_s);
    else if (ranges_)
      text_ += ",,";
    text_ += '\n';
  }

  const Questions& questions_;
  bool guesses_;
  bool ranges_;
  std::string classes_;
  std::string text_;
};

class CsvAnswerReader {
 public:
  CsvAnswerReader(std::string place, AnswerCheck& check)
      : place_(std::move(place)), check_(check) {}

  void read(const CsvRecord& record) {
    if (header_.empty()) {
      set_header(record);
      return;
    }
    here_ = fmt::format("{}:{}", place_, record.line);
    if (record.fields.size() != header_.size()) {
      check_.refuse(
          here_,
          fmt::format("{} fields where the header has {}", record.fields.size(), header_.size()),
          "quote a field that contains a comma");
      return;
    }
    fields_ = &record.fields;
    row();
  }

  void end() {
    if (header_.empty())
      fail("{}:1: empty; the first line of answers has the columns clip and class", place_);
    for (GivenAnswer& answer : ranged_) add_ranged(std::move(answer));
  }

 private:
  void set_header(const CsvRecord& record) {
    header_ = record.fields;
    for (const char* name : {"clip", "class"}) {
      if (column(name) == header_.size())
        fail("{}:{}: answers need a column {}, there are {}; keep the columns of the file that "
             "asked",
             place_, record.line, name, excerpt(fmt::format("{}", fmt::join(header_, ", ")), 200));
    }
  }

  size_t column(const char* name) const {
    return static_cast<size_t>(std::find(header_.begin(), header_.end(), name) - header_.begin());
  }

  std::string field(const char* name) const {
    const size_t at = column(name);
    return at < header_.size() ? utf8_name((*fields_)[at]) : "";
  }

  // Nothing, and the row is refused, where it is neither yes nor no.
  std::optional<bool> flag(const char* name) {
    std::string text = field(name);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* yes : {"1", "yes", "true", "x", "y"}) {
      if (text == yes) return true;
    }
    for (const char* no : {"", "0", "no", "false", "n"}) {
      if (text == no) return false;
    }
    check_.refuse(here_, fmt::format("{} is '{}'", name, excerpt(field(name), 40)),
                  "write 1 or leave it empty");
    return std::nullopt;
  }

  // NaN where the field is no number.
  double number(const char* name) const {
    const std::string text = field(name);
    double value = NAN;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : NAN;
  }

  bool empty(std::initializer_list<const char*> names) const {
    return std::all_of(names.begin(), names.end(),
                       [&](const char* name) { return field(name).empty(); });
  }

  void row() {
    const AskedItem* item = check_.item(field("clip"), here_);
    if (item == nullptr) return;
    const bool ranges = item->kind == AskedKind::ranges;
    const bool nothing = empty({"class", "skipped", "range_start_s", "range_end_s"});
    if (nothing && (!ranges || empty({"answered", "seconds"}))) {
      check_.unanswered();
      return;
    }
    GivenAnswer answer;
    answer.clip = item->clip;
    answer.place = here_;
    const bool holds = common(answer);
    if (ranges) {
      const bool taken = holds && add_range(std::move(answer), *item, nothing);
      if (!taken) broken_.try_emplace({item->clip, field("person")}, here_);
    } else if (holds) {
      answer.class_name = field("class");
      check_.add(std::move(answer));
    }
  }

  // What every row says; false: it is refused.
  bool common(GivenAnswer& answer) {
    const auto skipped = flag("skipped");
    const auto unsure = skipped ? flag("unsure") : std::nullopt;
    if (!unsure) return false;
    answer.skipped = *skipped;
    answer.unsure = *unsure;
    answer.note = field("note");
    answer.person = field("person");
    if (!check_.read_time(field("answered"), answer)) return false;
    const std::string seconds = field("seconds");
    return seconds.empty() || check_.read_seconds(number("seconds"), seconds, answer);
  }

  // Rows of one person about one item are the ranges of one answer. False: the row is refused.
  bool add_range(GivenAnswer answer, const AskedItem& item, bool nothing) {
    if (answer.skipped || nothing) {
      ranged_.push_back(std::move(answer));
      return true;
    }
    const AnsweredRange range{number("range_start_s"), number("range_end_s"), field("class")};
    answer.ranges = {range};
    if (!check_.ranges_hold(answer, item)) return false;
    const auto [first, fresh] =
        ranged_at_.try_emplace({answer.clip, answer.person}, ranged_.size());
    if (fresh)
      ranged_.push_back(std::move(answer));
    else
      ranged_[first->second].ranges.push_back(range);
    return true;
  }

  // An answer without one of its ranges would say that nothing is there.
  void add_ranged(GivenAnswer answer) {
    const auto broken = broken_.find({answer.clip, answer.person});
    if (broken == broken_.end()) {
      check_.add(std::move(answer));
      return;
    }
    check_.refuse(
        answer.place,
        fmt::format("the other ranges of an answer whose row {} is refused", broken->second),
        "mend that row and give all rows of the video again");
  }

  std::string place_;
  AnswerCheck& check_;
  std::vector<std::string> header_;
  const std::vector<std::string>* fields_ = nullptr;
  std::string here_;
  std::vector<GivenAnswer> ranged_;
  using ClipAndPerson = std::pair<std::string, std::string>;
  std::map<ClipAndPerson, size_t> ranged_at_;
  std::map<ClipAndPerson, std::string> broken_;  // the place of a row that was refused
};

std::vector<AskFile> write_csv_answers(const Questions& questions, const AnswersOf& answers,
                                       const AskFileOptions& options) {
  return {{".csv", CsvWriter(questions, options).text(answers)}};
}

void read_csv_answers(const std::string& text, const std::string& place, AnswerCheck& check) {
  CsvAnswerReader reader(place, check);
  each_csv(text, place, [&](const CsvRecord& record) { reader.read(record); });
  reader.end();
}

}  // namespace

const AnswerFormat kCsvAnswers = {"csv", write_csv_answers, write_csv_answers, read_csv_answers};

}  // namespace distal
