#include "distal/oracles/doubt.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr std::array<std::pair<const char*, Doubt::Measure>, 3> kMeasures = {
    {{"confidence", Doubt::Measure::confidence},
     {"margin", Doubt::Measure::margin},
     {"entropy", Doubt::Measure::entropy}}};

const char* word_of(Doubt::Measure measure) {
  return kMeasures.at(static_cast<size_t>(measure)).first;
}

std::optional<Doubt::Measure> measure_of(const std::string& name) {
  for (const auto& [known, measure] : kMeasures) {
    if (name == known) return measure;
  }
  return std::nullopt;
}

// Entropy grows where the others fall.
char direction_of(Doubt::Measure measure) { return measure == Doubt::Measure::entropy ? '>' : '<'; }

const char* example_of(Doubt::Measure measure) {
  return measure == Doubt::Measure::entropy  ? "entropy > 1"
         : measure == Doubt::Measure::margin ? "margin < 0.2"
                                             : "confidence < 0.6";
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

[[noreturn]] void refuse_when(const std::string& text, const std::string& why) {
  throw UsageError(fmt::format("oracle.when = '{}': {}", excerpt(text, 60), why));
}

struct Comparison {
  std::string left, sign, right;
};

Comparison comparison_of(const std::string& text) {
  const size_t at = text.find_first_of("<>=!");
  if (at == std::string::npos)
    refuse_when(text, "is no comparison; write confidence < 0.6, margin < 0.2 or entropy > 1");
  const size_t end = text.find_first_not_of("<>=!", at);
  if (end == std::string::npos) refuse_when(text, "the number after the comparison is missing");
  return {trimmed(text.substr(0, at)), text.substr(at, end - at), trimmed(text.substr(end))};
}

void require_reachable(const std::string& text, const Doubt& doubt) {
  const double threshold = *doubt.threshold;
  const bool share = doubt.measure != Doubt::Measure::entropy;
  if (threshold < 0 || (share && threshold > 1))
    refuse_when(text, fmt::format("{} lies {}; write {}", word_of(doubt.measure),
                                  share ? "in [0, 1]" : "above 0", example_of(doubt.measure)));
  if (share && threshold == 0 && !doubt.at_threshold)
    refuse_when(text, fmt::format("no answer has a {} below 0, so that oracle.then is never asked; "
                                  "raise it",
                                  word_of(doubt.measure)));
}

std::vector<size_t> rows_with_answer(const std::vector<std::vector<double>>& answers) {
  std::vector<size_t> rows;
  for (size_t row = 0; row < answers.size(); ++row) {
    if (!answers[row].empty()) rows.push_back(row);
  }
  return rows;
}

// float64 [rows][K].
torch::Tensor stacked(const std::vector<std::vector<double>>& answers,
                      const std::vector<size_t>& rows) {
  const int64_t outputs = std::ssize(answers[rows.front()]);
  torch::Tensor all = torch::empty({std::ssize(rows), outputs}, torch::kFloat64);
  double* to = all.data_ptr<double>();
  for (const size_t row : rows) to = std::copy(answers[row].begin(), answers[row].end(), to);
  return all;
}

// float64 [N], smaller where an answer is less sure.
torch::Tensor sureness_of(Doubt::Measure measure, const torch::Tensor& answers, const Task& task) {
  switch (measure) {
    case Doubt::Measure::confidence: return task.confidence(answers).contiguous();
    case Doubt::Measure::margin: return task.margin(answers).contiguous();
    case Doubt::Measure::entropy: return -task.entropy(answers);
  }
  return {};
}

}  // namespace

Doubt Doubt::parse(const std::string& text) {
  const Comparison found = comparison_of(text);
  const auto measure = measure_of(found.left);
  if (!measure) {
    refuse_when(text, fmt::format("'{}' is not one of confidence, margin and entropy",
                                  excerpt(found.left, 40)));
  }
  Doubt doubt{*measure};
  const std::string below(1, direction_of(*measure));
  doubt.at_threshold = found.sign == fmt::format("{}=", below);
  if (found.sign != below && !doubt.at_threshold) {
    refuse_when(text,
                fmt::format("oracle.then is asked where oracle.first is unsure, and that is "
                            "where {} is {}; write {}",
                            found.left, below == ">" ? "large" : "small", example_of(*measure)));
  }
  doubt.threshold = number_of(found.right);
  if (!doubt.threshold) {
    refuse_when(text, fmt::format("'{}' is not a number in decimal digits; write one comparison, "
                                  "such as {}",
                                  excerpt(found.right, 40), example_of(*measure)));
  }
  require_reachable(text, doubt);
  return doubt;
}

std::string Doubt::text() const {
  if (!threshold) return "";
  return fmt::format("{} {}{} {:g}", word_of(measure), direction_of(measure),
                     at_threshold ? "=" : "", *threshold);
}

std::vector<size_t> Doubt::rows(const std::vector<std::vector<double>>& answers, int64_t most,
                                const Task& task) const {
  const std::vector<size_t> said = rows_with_answer(answers);
  if (said.empty()) return {};
  const torch::Tensor sureness = sureness_of(measure, stacked(answers, said), task);
  std::vector<std::pair<double, size_t>> doubted;  // how sure, row
  for (size_t i = 0; i < said.size(); ++i) {
    const double sure = sureness.const_data_ptr<double>()[i];
    const double limit =
        measure == Measure::entropy ? -threshold.value_or(0) : threshold.value_or(0);
    if (!threshold || sure < limit || (at_threshold && sure == limit))
      doubted.emplace_back(sure, said[i]);
  }
  const auto kept = std::clamp<int64_t>(most, 0, std::ssize(doubted));
  std::sort(doubted.begin(), doubted.end());
  std::vector<size_t> rows;
  for (int64_t i = 0; i < kept; ++i) rows.push_back(doubted[i].second);
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace distal
