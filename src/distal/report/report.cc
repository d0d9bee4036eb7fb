#include "distal/report/report.h"

#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/lists/csv.h"
#include "distal/report/html.h"
#include "distal/report/limits.h"
#include "distal/report/page.h"
#include "distal/report/sections.h"
#include "distal/report/sections_sweep.h"
#include "distal/report/tensorboard.h"

namespace distal {
namespace {

using Kind = RoundField::Kind;

constexpr const char* kCurve = "curve.csv";
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kEvents = "events.out.tfevents.distal";

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool in_curve(const RoundField& row) {
  return row.kind == Kind::position || row.kind == Kind::measure;
}

std::vector<Scalar> scalars(const Results& results) {
  std::vector<Scalar> out;
  for (const auto& trial : results.trials) {
    for (const auto& round : trial.rounds) {
      const double spent = spent_of(round, results.budget_unit);
      if (!std::isfinite(spent)) continue;
      // Rounds of less than a minute have steps of their own.
      const int64_t step = std::llround(results.budget_unit == "minutes" ? 60 * spent : spent);
      const std::string run = fmt::format("/{}/seed {}", trial.arm, trial.seed);
      for (const RoundField& row : kRoundFields) {
        const double value = row.value(round);
        if ((row.kind == Kind::measure || row.kind == Kind::two) && std::isfinite(value))
          out.push_back({row.name + run, step, value});
      }
    }
  }
  return out;
}

struct Part {
  const char* id;
  const char* name;
  std::string html;
};

/// What compares the arms: with a place for each of them, or made for many.
std::vector<Part> compared_parts(const Summary& summary) {
  const auto grid = sections::many_arms(summary);
  if (!grid)
    return {{"curves", "Curves", sections::curves(summary)},
            {"final", "Final round", sections::finals(summary)},
            {"budget", "Budget", sections::budget(summary)}};
  return {{"front", "Front", sections::front(summary, *grid)},
          {"maps", "Grid", sections::maps(summary, *grid)},
          {"curves", "Curves", sections::families(summary, *grid)},
          {"arms", "All arms", sections::all_arms(summary, *grid)}};
}

}  // namespace

std::string report_html(const Results& results, const ThumbnailFunction& thumbnail) {
  const Summary summary(results);
  std::vector<Part> parts = compared_parts(summary);
  const std::vector<Part> rest = {
      {"classes", "Classes", sections::classes(summary)},
      {"calibration", "Calibration", sections::calibration(summary)},
      {"cost", "Cost", sections::cost(summary)},
      {"oracles", "Oracles", sections::oracles(summary)},
      {"asked", "What was asked", sections::asked(summary, thumbnail)},
      {"worst", "Worst clips", sections::worst(summary, thumbnail)},
      {"data", "Data", sections::data(summary)},
      {"recipe", "Recipe", sections::recipe(summary)},
  };
  parts.insert(parts.end(), rest.begin(), rest.end());
  std::string body =
      "<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<div class=\"wrap\">\n<header>" +
      sections::heading(summary) + "<nav aria-label=\"Sections\">";
  for (const auto& part : parts) {
    if (!part.html.empty()) body += fmt::format("<a href=\"#{}\">{}</a> ", part.id, part.name);
  }
  body += "</nav></header>\n<main id=\"main\">\n";
  for (const auto& part : parts) body += part.html;
  check_interrupted();  // pictures that a signal cut short are no page
  const std::string title = !results.question.empty() ? results.question
                            : !results.name.empty()   ? results.name
                                                      : "Experiment";
  return page(title, body + "</main>\n" + sections::provenance(summary) + "</div>\n");
}

std::string report_json(const Results& results) {
  const Summary summary(results);
  nlohmann::json comparisons = nlohmann::json::array();
  for (const auto& c : summary.comparisons) {
    const Estimate both = sections::over_groups(c);
    comparisons.push_back(
        {{"arm", c.arm->name},
         {"against", c.against->name},
         {"pairs", c.differences.size()},
         {"difference", c.difference.mean},
         {"over_seeds",
          {{"low", c.difference.low},
           {"high", c.difference.high},
           {"p", c.p},
           {"p_holm", c.p_holm}}},
         {"over_seeds_and_groups",
          {{"low", both.low}, {"high", both.high}, {"groups", c.crossed ? c.crossed->groups : 0}}},
         {"one_teacher", c.one_teacher},
         {"finding", c.finding()},
         {"sentence", c.sentence()}});
  }
  nlohmann::json limiting = nlohmann::json::array();
  for (const Limit& limit : limits(summary))
    limiting.push_back({{"name", limit.name},
                        {"number", limit.number},
                        {"says", limit.says},
                        {"cure", limit.cure}});
  nlohmann::json value = nlohmann::json::parse(to_json(results));
  value["limits"] = limiting;
  value["answer"] = answer(summary);
  value["comparisons"] = comparisons;
  return value.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string curve_csv(const Results& results) {
  std::string out = "arm,seed,control";
  for (const RoundField& row : kRoundFields) {
    if (in_curve(row)) out += std::string(",") + row.name;
  }
  out += '\n';
  for (const auto& trial : results.trials) {
    for (const auto& round : trial.rounds) {
      out += fmt::format("{},{},{}", csv_field(trial.arm), trial.seed, trial.control ? 1 : 0);
      for (const RoundField& row : kRoundFields) {
        if (!in_curve(row)) continue;
        const double value = row.value(round);
        out += std::isfinite(value) ? fmt::format(",{}", value) : ",";
      }
      out += '\n';
    }
  }
  return out;
}

std::string metrics_jsonl(const Results& results) {
  std::string out;
  for (const auto& trial : results.trials) {
    for (const auto& round : trial.rounds) {
      nlohmann::ordered_json line{
          {"arm", trial.arm}, {"seed", trial.seed}, {"control", trial.control}};
      for (const RoundField& row : kRoundFields) {
        const double value = row.value(round);
        if (row.kind == Kind::position) {
          line[row.name] = std::llround(value);
        } else if (row.kind == Kind::two ? std::isfinite(value) : row.kind != Kind::detail) {
          line[row.name] = value;
        }
      }
      out += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
  }
  return out;
}

CurveFiles::CurveFiles(const std::string& folder)
    : folder_(folder), events_(folder + "/" + kEvents) {}

void CurveFiles::update(const Results& results) {
  write_atomically(folder_ + "/" + kCurve, curve_csv(results));
  write_atomically(folder_ + "/" + kMetrics, metrics_jsonl(results));
  events_.add(scalars(results), seconds_since_1970());
}

void write_report(const std::string& folder, const Results& results,
                  const ThumbnailFunction& thumbnail) {
  make_folder(folder);
  const auto write = [&](const std::string& name, const std::string& bytes) {
    check_interrupted();
    write_atomically(folder + "/" + name, bytes);
  };
  write("report.json", report_json(results));
  write(kCurve, curve_csv(results));
  write(kMetrics, metrics_jsonl(results));
  write(kEvents, event_file(scalars(results), seconds_since_1970()));
  write("report.html", report_html(results, thumbnail));
}

}  // namespace distal
