// evaluation/results.h: what the store and a report's folder hold as JSON, and the report that is
// made of it.
#include "distal/evaluation/results.h"

#include "distal/report/report.h"
#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  const std::string text(input);
  fuzz::attempt(input, [&] {
    fuzz::require(!to_json(metrics_from_json(text), {"a", "b"}).empty(), "metrics are written");
  });
  fuzz::attempt(input, [&] { round_from_json(to_json(round_from_json(text))); });
  fuzz::attempt(input, [&] {
    const Results results = results_from_json(text);
    results_from_json(to_json(results));
    curve_csv(results);
    metrics_jsonl(results);
    report_html(results, nullptr);
  });
}
