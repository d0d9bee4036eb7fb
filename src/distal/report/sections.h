#pragma once
// The sections of the report, each as HTML, or empty where the results have nothing to say. Charts
// that carry text come twice, drawn for a wide and for a narrow page; the style shows one.

#include <functional>
#include <optional>
#include <string>

#include "distal/report/charts.h"
#include "distal/report/report.h"
#include "distal/report/summary.h"

namespace distal::sections {

std::string heading(const Summary& summary);  // question, answer, key figures, limits
std::string curves(const Summary& summary);   // accuracy over the budget
std::string finals(const Summary& summary);   // the last round: dots, differences, tests
std::string budget(const Summary& summary);   // areas, budget to a target, who beats whom, what is
                                              // worth its cost; several rounds
std::string classes(const Summary& summary);  // rates per class, confusion
std::string calibration(const Summary& summary);
std::string cost(const Summary& summary);
std::string oracles(const Summary& summary);      // what each of two oracles cost and brought
bool asks_people(const Summary& summary);         // somebody's time was taken
double people_minutes(const RoundResult& round);  // NaN where nobody's was
/// Of `cost`: minutes of people a round, and who answered; empty where nobody did.
std::string people_time(const Summary& summary);
std::string worst(const Summary& summary, const ThumbnailFunction& thumbnail);
/// What was asked, round by round, as pictures.
std::string asked(const Summary& summary, const ThumbnailFunction& thumbnail);
std::string data(const Summary& summary);  // counts, teacher, quarantined videos
std::string recipe(const Summary& summary);
std::string provenance(const Summary& summary);  // the last line of the page

/// <section> with a heading; empty when `body` is.
std::string section(const std::string& id, const std::string& title, const std::string& body);
/// The arm's marker and name, for tables.
std::string key(const ArmView& arm);
/// "61.2 %" with its interval in small letters.
std::string with_interval(const Estimate& value);
/// "[+0.5, +2.1]" in small letters, in percentage points; empty where there is no interval.
std::string interval_of_points(const Estimate& value);
/// Comparison::finding, for tables; coloured where it is better or worse.
std::string finding(const Comparison& comparison);
/// The interval of seeds and test groups resampled together, in percentage points; infinite where
/// there is none.
Estimate over_groups(const Comparison& comparison);
/// Mean, interval and each seed's value as a row of a chart; `what` names them, `difference` gives
/// them signs.
DotRow dot_row(const ArmView& arm, const std::vector<double>& values, const std::string& what,
               bool difference);
/// The chart, greatest value first; empty where it would be a single dot.
std::string dots(DotChart chart, const std::string& caption);

}  // namespace distal::sections
