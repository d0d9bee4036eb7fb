#include <cmath>

#include <fmt/format.h>

#include "distal/report/html.h"
#include "distal/report/sections.h"

namespace distal::sections {
namespace {

double mean_of(const ArmView& arm, double RoundResult::*number) {
  return estimate(final_values(arm, [&](const RoundResult& round) { return round.*number; })).mean;
}

// The numbers of one of the two.
struct OracleNumbers {
  const char* role;
  double RoundResult::*answers;
  double RoundResult::*price;
  double RoundResult::*share;
  double RoundResult::*accuracy;
};

constexpr OracleNumbers kOracles[] = {
    {"first", &RoundResult::first_answers, &RoundResult::first_price, &RoundResult::first_share,
     &RoundResult::first_accuracy},
    {"then", &RoundResult::then_answers, &RoundResult::then_price, &RoundResult::then_share,
     &RoundResult::then_accuracy}};

std::string asked_words(const AskedOracle& oracle) {
  return "<dt>" + escaped(oracle.role) + "</dt><dd>" + escaped(oracle.line) +
         (oracle.when.empty() ? "" : ", asked " + escaped(oracle.when)) +
         (oracle.price > 0 ? "; an answer costs " + number(oracle.price) : "") + "</dd>";
}

}  // namespace

std::string oracles(const Summary& summary) {
  const Results& results = *summary.results;
  if (results.oracles.empty()) return "";
  Table table("What each oracle was asked and what it brought, after the final round, mean over "
              "seeds",
              {"arm", "oracle", "answers", "money", "of the training set", "right",
               "agreement<span class=\"unit\">where both answered</span>"});
  for (const auto& arm : summary.arms) {
    if (!arm.ran() || !std::isfinite(mean_of(arm, &RoundResult::first_answers))) continue;
    for (const OracleNumbers& one : kOracles) {
      const bool second = &one == &kOracles[1];
      table.row({key(arm), one.role, number(mean_of(arm, one.answers), 1),
                 number(mean_of(arm, one.price)), percent(mean_of(arm, one.share)),
                 percent(mean_of(arm, one.accuracy)),
                 second ? percent(mean_of(arm, &RoundResult::agreement)) : ""});
    }
  }
  if (table.empty()) return "";
  std::string list = "<dl class=\"data\">";
  for (const AskedOracle& oracle : results.oracles) list += asked_words(oracle);
  return section(
      "oracles", "Who answered",
      list + "</dl>" + table.html() +
          "<p class=\"note\">The answer of the second replaces that of the first. Right: answers "
          "that agree with the hidden label, where it is known. The rest of the training set are "
          "labels of the lists.</p>");
}

}  // namespace distal::sections
