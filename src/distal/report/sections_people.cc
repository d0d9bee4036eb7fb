// Who answered, how long it took, and whether they say the same twice.

#include <limits>

#include "distal/report/html.h"
#include "distal/report/sections.h"

namespace distal::sections {
namespace {

// Minutes of each round of a trial; NaN where unknown.
double minutes_in(const Trial& trial, size_t round) {
  const double so_far = people_minutes(trial.rounds[round]);
  return round == 0 ? so_far : so_far - people_minutes(trial.rounds[round - 1]);
}

std::string minutes_by_round(const Summary& summary) {
  std::vector<std::string> headings{"arm"};
  for (int64_t round = 0; round < summary.rounds; ++round)
    headings.push_back(round == 0 ? "start" : fmt::format("round {}", round));
  headings.push_back("in all");
  Table table("Minutes of people's time, mean over seeds", headings);
  for (const ArmView& arm : summary.arms) {
    if (!arm.ran()) continue;
    std::vector<std::string> cells{key(arm)};
    for (int64_t round = 0; round < summary.rounds; ++round) {
      std::vector<double> minutes;
      for (const Trial* trial : arm.trials) {
        if (round < std::ssize(trial->rounds))
          minutes.push_back(minutes_in(*trial, static_cast<size_t>(round)));
      }
      cells.push_back(number(estimate(minutes).mean, 1));
    }
    cells.push_back(number(estimate(final_values(arm, people_minutes)).mean, 1));
    table.row(cells);
  }
  return table.empty() ? "" : table.html();
}

std::string same_again(const PersonResult& person) {
  return person.repeats == 0 ? "" : fmt::format("{} of {}", person.same, person.repeats);
}

std::string who_answered(const Summary& summary) {
  Table table("Who answered in the study, test clips and repeats among it",
              {"person", "answers", "minutes", "the same again", "Cohen's kappa with oneself"});
  for (const PersonResult& person : summary.results->people) {
    table.row({escaped(person.name), number(static_cast<double>(person.answers), 0),
               number(person.minutes, 1), same_again(person),
               person.repeats == 0 ? "" : number(person.kappa, 2)});
  }
  return table.empty() ? "" : table.html();
}

}  // namespace

double people_minutes(const RoundResult& round) {
  return round.people_minutes < 0 ? std::numeric_limits<double>::quiet_NaN() : round.people_minutes;
}

bool asks_people(const Summary& summary) {
  for (const Trial& trial : summary.results->trials) {
    for (const RoundResult& round : trial.rounds) {
      if (round.people_minutes >= 0) return true;
    }
  }
  return false;
}

std::string people_time(const Summary& summary) {
  if (!asks_people(summary)) return "";
  return "<h3>People's time</h3>" + minutes_by_round(summary) + who_answered(summary) +
         "<p class=\"note\">An answer counts its seconds, but at most four times what was expected "
         "of its clip: longer was a break. The decisions of adjudicators are not counted. Repeats "
         "show whether a person says the same again; no student learns from them.</p>";
}

}  // namespace distal::sections
