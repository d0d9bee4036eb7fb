#pragma once
// What `distal evaluate` writes: a page like the report, and the same numbers as JSON and CSV.

#include <optional>
#include <string>

#include "distal/evaluation/evaluation.h"
#include "distal/report/report.h"

namespace distal {

struct EvaluationReport {
  EvaluatedList list;
  Evaluation model;
  std::optional<Evaluation> against;
  std::optional<PairedEvaluation> paired;  // absent: the two have no clip in common
  std::string revision, machine, command, date;
};

/// The whole page. Throws Interrupted after a signal.
std::string evaluation_html(const EvaluationReport& report, const ThumbnailFunction& thumbnail);

/// Every number of the page. NaN and infinite numbers are null.
std::string evaluation_json(const EvaluationReport& report);

/// A row a clip that could be read: path,start_s,end_s,group,label,class,probability,correct and
/// the probability of each class, to the last digit. `correct` is 0 or 1, and empty where the label
/// is no class of the model. The names of the classes follow `p:`.
std::string predictions_csv(const Evaluation& evaluation);

/// The result on a terminal: a few lines.
std::string evaluation_text(const EvaluationReport& report);

/// Writes evaluation.html, evaluation.json, predictions.csv and, with a second model,
/// predictions-against.csv into `folder` (made when absent). Throws as write_report does.
void write_evaluation(const std::string& folder, const EvaluationReport& report,
                      const ThumbnailFunction& thumbnail);

}  // namespace distal
