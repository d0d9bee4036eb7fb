#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "distal/base/files.h"
#include "distal/base/interrupted.h"
#include "distal/base/json.h"
#include "distal/lists/csv.h"
#include "distal/report/evaluation_page.h"

namespace distal {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson number_or_null(double value) {
  return std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr);
}

OrderedJson ends_of(const Interval& interval) {
  return {{"low", number_or_null(interval.low)}, {"high", number_or_null(interval.high)}};
}

OrderedJson numbers_of(const Scores& scores) {
  OrderedJson json = OrderedJson::object();
  for (const ScoreField& field : kScoreFields)
    json[field.name] = number_or_null(scores.*field.member);
  return json;
}

OrderedJson intervals_of(const Resampled& of) {
  OrderedJson json = {{"clusters", of.clusters}};
  for (size_t f = 0; f < kScores; ++f) json[kScoreFields[f].name] = ends_of(of.intervals[f]);
  return json;
}

OrderedJson classes_of(const Evaluation& model) {
  OrderedJson json = OrderedJson::array();
  for (size_t k = 0; k < model.classes.size(); ++k) {
    const ClassScores& of = model.classes[k];
    json.push_back({{"class", model.answers.classes[k]},
                    {"clips", of.clips},
                    {"named", of.named},
                    {"hits", of.hits},
                    {"precision", number_or_null(of.precision)},
                    {"recall", number_or_null(of.recall)},
                    {"f1", number_or_null(of.f1)},
                    {"jaccard", number_or_null(of.jaccard)},
                    {"average_precision", number_or_null(of.average_precision)},
                    {"roc_auc", number_or_null(of.roc_auc)}});
  }
  return json;
}

OrderedJson groups_of_json(const Evaluation& model) {
  OrderedJson json = OrderedJson::array();
  for (const GroupScores& of : model.groups)
    json.push_back({{"group", of.group},
                    {"clips", of.clips},
                    {"right", of.right},
                    {"accuracy", of.accuracy()},
                    {"wilson", ends_of(of.interval)}});
  return json;
}

OrderedJson bins_of(const Evaluation& model) {
  OrderedJson json = OrderedJson::array();
  for (const ConfidenceBin& bin : model.bins)
    json.push_back(
        {{"clips", bin.clips}, {"confidence", bin.confidence}, {"accuracy", bin.accuracy}});
  return json;
}

OrderedJson refused_of(const std::vector<Quarantined>& refused) {
  OrderedJson json = OrderedJson::array();
  for (const Quarantined& video : refused)
    json.push_back({{"path", video.path}, {"reason", video.reason}});
  return json;
}

OrderedJson unknown_of(const Evaluation& model) {
  OrderedJson json = OrderedJson::array();
  for (const NamedClips& label : model.unknown)
    json.push_back({{"label", label.name}, {"clips", label.clips}});
  return json;
}

OrderedJson model_json(const Evaluation& model) {
  return {{"model", model.answers.model},
          {"clips", model.judged.clips()},
          {"right", model.right},
          {"scores", numbers_of(model.scores)},
          {"accuracy_independent_clips",
           {{"wilson", ends_of(model.wilson)}, {"clopper_pearson", ends_of(model.exact)}}},
          {"over_videos", intervals_of(model.by_video)},
          {"over_groups", intervals_of(model.by_group)},
          {"classes", classes_of(model)},
          {"confusion", model.confusion},
          {"groups", groups_of_json(model)},
          {"calibration", bins_of(model)},
          {"unknown_labels", unknown_of(model)},
          {"accuracy_unknown_labels_wrong", model.accuracy_of_all()},
          {"classes_without_clips", model.absent}};
}

OrderedJson paired_json(const EvaluationReport& report) {
  const PairedEvaluation& paired = *report.paired;
  Scores difference = paired.a;
  for (const ScoreField& field : kScoreFields) difference.*field.member -= paired.b.*field.member;
  return {{"clips", paired.clips},
          {"both_right", paired.both},
          {"only_model_right", paired.only_a},
          {"only_against_right", paired.only_b},
          {"neither_right", paired.neither},
          {"mcnemar_exact_p", paired.p},
          {"model", numbers_of(paired.a)},
          {"against", numbers_of(paired.b)},
          {"difference", numbers_of(difference)},
          {"difference_over_videos", intervals_of(paired.by_video)},
          {"difference_over_groups", intervals_of(paired.by_group)}};
}

}  // namespace

std::string evaluation_json(const EvaluationReport& report) {
  OrderedJson json = {{"list", report.list.list},
                      {"rows", report.list.rows},
                      {"unlabelled", report.list.unlabelled},
                      {"duplicates", report.list.duplicates},
                      {"groups_named", report.list.grouped},
                      {"unreadable", refused_of(report.list.unreadable)},
                      {"damaged", refused_of(report.list.damaged)},
                      {"model", model_json(report.model)}};
  if (report.against) json["against"] = model_json(*report.against);
  if (report.paired) json["paired"] = paired_json(report);
  json["draws"] = kScoreDraws;
  json["command"] = report.command;
  json["revision"] = report.revision;
  json["machine"] = report.machine;
  json["date"] = report.date;
  return json_text(json, 1) + "\n";
}

std::string predictions_csv(const Evaluation& evaluation) {
  const ModelAnswers& answers = evaluation.answers;
  std::string out = "path,start_s,end_s,group,label,class,probability,correct";
  for (const std::string& name : answers.classes) out += "," + csv_field("p:" + name);
  out += "\n";
  const auto width = static_cast<int64_t>(answers.classes.size());
  size_t next = 0;  // of the judged ones
  for (int64_t i = 0; i < std::ssize(answers.clips); ++i) {
    const EvaluatedClip& of = answers.clips[i];
    const double* p = answers.probabilities.data() + i * width;
    const bool known = next < evaluation.judged_clip.size() && evaluation.judged_clip[next] == i;
    out +=
        fmt::format("{},{:.3f},{:.3f},{},{},{},{},{}", csv_field(of.path), of.clip.start_s,
                    of.clip.end_s, csv_field(of.clip.group.str()), csv_field(of.label),
                    csv_field(answers.classes[answers.predicted[i]]), p[answers.predicted[i]],
                    known ? (evaluation.judged.right(static_cast<int64_t>(next)) ? "1" : "0") : "");
    next += known ? 1 : 0;
    for (int64_t k = 0; k < width; ++k) out += fmt::format(",{}", p[k]);
    out += "\n";
  }
  return out;
}

void write_evaluation(const std::string& folder, const EvaluationReport& report,
                      const ThumbnailFunction& thumbnail) {
  make_folder(folder);
  if (!report.against) {
    std::error_code absent;
    std::filesystem::remove(folder + "/predictions-against.csv", absent);
  }
  const auto write = [&](const std::string& name, const std::string& bytes) {
    check_interrupted();
    write_atomically(folder + "/" + name, bytes);
  };
  write("predictions.csv", predictions_csv(report.model));
  if (report.against) write("predictions-against.csv", predictions_csv(*report.against));
  write("evaluation.json", evaluation_json(report));
  write("evaluation.html", evaluation_html(report, thumbnail));
}

}  // namespace distal
