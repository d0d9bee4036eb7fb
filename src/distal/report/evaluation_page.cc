#include "distal/report/evaluation_page.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include <fmt/ranges.h>

#include "distal/base/interrupted.h"
#include "distal/report/charts.h"
#include "distal/report/html.h"
#include "distal/report/page.h"
#include "distal/report/pictures_of.h"
#include "distal/report/sections.h"

namespace distal {
namespace {

constexpr size_t kWorstShown = 12;
constexpr size_t kMostDots = 40;  // groups in one chart
constexpr const char* kNone = "–";
constexpr SeriesStyle kFirst{0, false};
constexpr SeriesStyle kSecond{1, false};

std::string file_of(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// Two models of one name are told apart by their paths.
std::string name_of_model(const EvaluationReport& report, const Evaluation& model) {
  const bool alike = report.against &&
                     file_of(report.model.answers.model) == file_of(report.against->answers.model);
  return alike ? model.answers.model : file_of(model.answers.model);
}

// As many decimals in every row, so that a column reads well; a true minus sign.
std::string decimal(double value, int decimals) {
  if (!std::isfinite(value)) return kNone;
  return fmt::format("{}{:.{}f}", value < 0 ? "−" : "", std::abs(value), decimals);
}

std::string score_text(const ScoreField& field, double value) {
  return field.share ? percent(value) : decimal(value, 3);
}

std::string score_interval(const ScoreField& field, const Interval& of) {
  if (!std::isfinite(of.low) || !std::isfinite(of.high)) return kNone;
  const double unit = field.share ? 100 : 1;
  const int decimals = field.share ? 1 : 3;
  return fmt::format("{} to {}", decimal(unit * of.low, decimals),
                     decimal(unit * of.high, decimals));
}

std::string difference_text(const ScoreField& field, double value) {
  return field.share ? points(value) : (value > 0 ? "+" : "") + decimal(value, 3);
}

std::string counted(int64_t count, const std::string& one) {
  return fmt::format("{} {}{}", number(static_cast<double>(count), 0), one, count == 1 ? "" : "s");
}

std::string fact_of(const std::string& name, const std::string& value, const std::string& small) {
  return "<div><dt>" + escaped(name) + "</dt><dd>" + value +
         (small.empty() ? "" : "<small>" + escaped(small) + "</small>") + "</dd></div>";
}

// "12 clips of 3 labels that it does not know: a (7), b (5)"
std::string unknown_words(const Evaluation& model) {
  std::vector<std::string> names;
  for (const NamedClips& label : model.unknown)
    names.push_back(fmt::format("{} ({})", label.name, label.clips));
  return fmt::format("{} of {} that the model does not know: {}",
                     counted(model.unknown_clips(), "clip"),
                     counted(std::ssize(model.unknown), "label"), fmt::join(names, ", "));
}

void add_model_limits(const EvaluationReport& report, const Evaluation& model,
                      std::vector<std::string>& limits) {
  const std::string name = name_of_model(report, model);
  if (!model.unknown.empty())
    limits.push_back(
        fmt::format("{}: {}. They are in no score; where they count as wrong, its accuracy is {}.",
                    name, unknown_words(model), percent(model.accuracy_of_all())));
  if (!model.absent.empty())
    limits.push_back(fmt::format("{}: no clip shows {} of its {} classes: {}.", name,
                                 model.absent.size(), model.answers.classes.size(),
                                 fmt::join(model.absent, ", ")));
}

std::vector<std::string> limits_of(const EvaluationReport& report) {
  std::vector<std::string> limits;
  const int64_t groups = report.model.by_group.clusters;
  if (groups < kFewestGroups)
    limits.push_back(fmt::format("The clips are of {}. Of fewer than {} nothing can be claimed "
                                 "for other {}: list more of them.",
                                 counted(groups, "group"), kFewestGroups,
                                 report.list.grouped ? "groups" : "videos"));
  if (!report.list.grouped)
    limits.push_back("The list names no groups, so each video counts as one. A column group with "
                     "the patient or the source makes the intervals honest.");
  add_model_limits(report, report.model, limits);
  if (report.against) add_model_limits(report, *report.against, limits);
  if (report.against && !report.paired)
    limits.push_back("The two models have no clip in common, so they are not compared.");
  if (const size_t bad = report.list.unreadable.size(); bad > 0)
    limits.push_back(fmt::format("{} could not be used; the reasons are below.",
                                 counted(static_cast<int64_t>(bad), "row or video")));
  return limits;
}

std::string answer_of(const EvaluationReport& report) {
  const Evaluation& model = report.model;
  const Interval& groups = model.by_group.intervals.front();
  std::string text =
      fmt::format("{} is right about {} of {} ({})", name_of_model(report, model),
                  number(static_cast<double>(model.right), 0),
                  counted(model.judged.clips(), "clip"), percent(model.scores.accuracy));
  if (std::isfinite(groups.low))
    text +=
        fmt::format("; 95 % interval over {} {:.1f} to {:.1f} %",
                    counted(model.by_group.clusters, "group"), 100 * groups.low, 100 * groups.high);
  return text + ".";
}

std::string paired_sentence(const EvaluationReport& report) {
  return sentence_of(*report.paired, name_of_model(report, report.model),
                     name_of_model(report, *report.against)) +
         ".";
}

std::string heading_of(const EvaluationReport& report) {
  const Evaluation& model = report.model;
  std::string out = "<p class=\"over\">Evaluation · " + escaped(report.date) + "</p>\n<h1>" +
                    escaped(name_of_model(report, model) + " on " + file_of(report.list.list)) +
                    "</h1>\n<div class=\"answer\"><p>" + escaped(answer_of(report)) + "</p>";
  if (report.paired) out += "<p>" + escaped(paired_sentence(report)) + "</p>";
  const auto interval = [&](const Interval& of) {
    return fmt::format("95 % interval {:.1f} to {:.1f}", 100 * of.low, 100 * of.high);
  };
  out += "</div>\n<dl class=\"facts\">" +
         fact_of("Accuracy", percent(model.scores.accuracy),
                 interval(model.wilson) + " where clips are independent") +
         fact_of("F1, macro", percent(model.scores.f1), "") +
         fact_of("Calibration error", percent(model.scores.ece), "") +
         fact_of("Clips", number(static_cast<double>(model.judged.clips()), 0),
                 counted(model.by_video.clusters, "video") + ", " +
                     counted(model.by_group.clusters, "group")) +
         "</dl>\n";
  std::string items;
  for (const std::string& limit : limits_of(report)) items += "<li>" + escaped(limit) + "</li>";
  if (!items.empty())
    out += "<div class=\"notes\" role=\"note\" id=\"limits\"><strong>What limits these "
           "results</strong><ul>" +
           items + "</ul></div>\n";
  return out;
}

std::string score_table(const EvaluationReport& report, const Evaluation& model) {
  Table table(
      name_of_model(report, model),
      {"score", "value", fmt::format("95 % over {}", counted(model.by_video.clusters, "video")),
       fmt::format("95 % over {}", counted(model.by_group.clusters, "group"))});
  for (size_t f = 0; f < kScores; ++f) {
    const ScoreField& field = kScoreFields[f];
    table.row({field.heading, score_text(field, model.scores.*field.member),
               score_interval(field, model.by_video.intervals[f]),
               score_interval(field, model.by_group.intervals[f])});
  }
  return table.html() +
         fmt::format("<p class=\"note\">Where clips are independent, accuracy has the 95 % "
                     "intervals {:.1f} to {:.1f} (Wilson) and {:.1f} to {:.1f} "
                     "(Clopper-Pearson).</p>",
                     100 * model.wilson.low, 100 * model.wilson.high, 100 * model.exact.low,
                     100 * model.exact.high);
}

std::string meanings() {
  std::string terms;
  for (const ScoreField& field : kScoreFields)
    terms += "<dt>" + escaped(field.heading) + "</dt><dd>" + escaped(field.meaning) + "</dd>";
  return "<details><summary>What the scores mean</summary><dl class=\"data\">" + terms +
         "</dl></details>";
}

std::string scores_section(const EvaluationReport& report) {
  std::string body = score_table(report, report.model);
  if (report.against) body += score_table(report, *report.against);
  body += fmt::format("<p class=\"note\">The intervals of the tables draw whole videos, or whole "
                      "groups, again and again ({} times).</p>",
                      kScoreDraws);
  return sections::section("scores", "Scores", body + meanings());
}

std::string paired_section(const EvaluationReport& report) {
  if (!report.paired) return "";
  const PairedEvaluation& paired = *report.paired;
  const std::string a = name_of_model(report, report.model);
  const std::string b = name_of_model(report, *report.against);
  // Names of models are long: with them in the header the last column lay beyond the page.
  Table table(
      fmt::format("The first is {}, the second {}, on {} that both know; 95 % intervals of "
                  "the difference over {} and over {}",
                  a, b, counted(paired.clips, "clip"), counted(paired.by_video.clusters, "video"),
                  counted(paired.by_group.clusters, "group")),
      {"score", "first", "second", "difference", "over videos", "over groups"});
  for (size_t f = 0; f < kScores; ++f) {
    const ScoreField& field = kScoreFields[f];
    const double first = paired.a.*field.member;
    const double second = paired.b.*field.member;
    table.row({field.heading, score_text(field, first), score_text(field, second),
               difference_text(field, first - second),
               score_interval(field, paired.by_video.intervals[f]),
               score_interval(field, paired.by_group.intervals[f])});
  }
  return sections::section(
      "against", "Against " + b,
      "<p>" + escaped(paired_sentence(report)) + "</p>" + table.html() +
          fmt::format("<p class=\"note\">Both are right about {}, neither about {}, the first "
                      "alone about {}, the second alone about {}.</p>",
                      paired.both, paired.neither, paired.only_a, paired.only_b));
}

std::string shaded_share(double share, const SeriesStyle& style) {
  if (!std::isfinite(share)) return kNone;
  return fmt::format("<div class=\"shade {}\" style=\"--w:{:.0f}%\">{}</div>", style.name(),
                     100 * std::clamp(share, 0.0, 1.0), percent(share));
}

std::string classes_table(const EvaluationReport& report, const Evaluation& model,
                          const SeriesStyle& style) {
  Table table(name_of_model(report, model), {"class", "clips", "named", "recall", "precision", "F1",
                                             "Jaccard", "average precision", "ROC AUC"});
  for (size_t k = 0; k < model.classes.size(); ++k) {
    const ClassScores& of = model.classes[k];
    const bool seen = of.clips + of.named > 0;
    table.row({escaped(model.answers.classes[k]), number(static_cast<double>(of.clips), 0),
               number(static_cast<double>(of.named), 0), shaded_share(of.recall, style),
               shaded_share(of.precision, style), shaded_share(seen ? of.f1 : NAN, style),
               shaded_share(seen ? of.jaccard : NAN, style),
               shaded_share(of.average_precision, style), shaded_share(of.roc_auc, style)});
  }
  return table.sortable().html();
}

std::string confusion_map(const EvaluationReport& report, const Evaluation& model,
                          const SeriesStyle& style) {
  const bool many = model.answers.classes.size() > 12;
  const std::string name = name_of_model(report, model);
  const auto drawn = [&](double width) {
    return heat_map(model.confusion, model.answers.classes, style,
                    fmt::format("Confusion matrix of {}: rows truth, columns predicted", name),
                    width);
  };
  return "<div><h3>" + escaped(name) + "</h3><figure><div class=\"wide scroll\">" +
         drawn(many ? 940 : 440) + "</div><div class=\"narrow scroll\">" + drawn(many ? 620 : 350) +
         "</div></figure></div>";
}

std::string classes_section(const EvaluationReport& report) {
  std::string tables = classes_table(report, report.model, kFirst);
  std::string maps = confusion_map(report, report.model, kFirst);
  bool many = report.model.answers.classes.size() > 12;
  if (report.against) {
    tables += classes_table(report, *report.against, kSecond);
    maps += confusion_map(report, *report.against, kSecond);
    many = many || report.against->answers.classes.size() > 12;
  }
  return sections::section(
      "classes", "Class by class",
      tables +
          "<h3>Confusion</h3><p class=\"note\">Shade: share of the row, so the diagonal is "
          "recall.</p><div class=\"" +
          std::string(many ? "" : "pair") + "\">" + maps + "</div>");
}

DotChart group_chart(const Evaluation& model) {
  DotChart chart{"Accuracy of each group", "accuracy, %", {}, false};
  for (const GroupScores& of : model.groups)
    chart.rows.push_back({of.group,
                          kFirst,
                          of.accuracy(),
                          of.interval.low,
                          of.interval.high,
                          {},
                          percent(of.accuracy()),
                          fmt::format("{}: {} of {} clips", of.group, of.right, of.clips)});
  return chart;
}

std::string groups_section(const EvaluationReport& report) {
  const Evaluation& model = report.model;
  if (model.groups.size() < 2) return "";
  std::string body;
  if (model.groups.size() <= kMostDots) {
    const DotChart chart = group_chart(model);
    body = "<figure><div class=\"wide\">" + dot_chart(chart, 940) + "</div><div class=\"narrow\">" +
           dot_chart(chart, 350) +
           "</div><figcaption>Share of right clips with Wilson's 95 % interval, as if the clips of "
           "a group were independent.</figcaption></figure>";
  }
  Table table("Groups of " + name_of_model(report, model), {"group", "clips", "right", "accuracy"});
  for (const GroupScores& of : model.groups)
    table.row({escaped(of.group), number(static_cast<double>(of.clips), 0),
               number(static_cast<double>(of.right), 0), shaded_share(of.accuracy(), kFirst)});
  return sections::section("groups", "Group by group", body + table.sortable().html());
}

std::string reliability_of(const EvaluationReport& report, const Evaluation& model,
                           const SeriesStyle& style) {
  std::vector<ReliabilityBin> bins;
  for (const ConfidenceBin& bin : model.bins)
    bins.push_back({static_cast<double>(bin.clips), bin.confidence, bin.accuracy});
  const std::string name = name_of_model(report, model);
  const std::string words = fmt::format(
      "expected calibration error {}, Brier score {}, log loss {}", percent(model.scores.ece),
      number(model.scores.brier, 3), number(model.scores.log_loss, 3));
  return "<div><h3>" + escaped(name) + "</h3><figure>" +
         reliability_chart(bins, style, fmt::format("Reliability of {}: {}", name, words), 350) +
         "<figcaption>" + escaped(words) + "</figcaption></figure></div>";
}

std::string calibration_section(const EvaluationReport& report) {
  std::string charts = reliability_of(report, report.model, kFirst);
  if (report.against) charts += reliability_of(report, *report.against, kSecond);
  return sections::section("calibration", "Can its confidence be trusted?",
                           "<p class=\"note\">Clips in 15 bins of confidence. Below the diagonal "
                           "the model is surer than it is right.</p><div class=\"pair\">" +
                               charts + "</div>");
}

std::vector<int64_t> worst_of(const JudgedClips& judged) {
  std::vector<int64_t> rows(judged.clips());
  std::iota(rows.begin(), rows.end(), 0);
  std::erase_if(rows, [&](int64_t i) { return judged.right(i); });
  const auto of_truth = [&](int64_t i) { return judged.probability(i, judged.truth[i]); };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](int64_t a, int64_t b) { return of_truth(a) < of_truth(b); });
  rows.resize(std::min(rows.size(), kWorstShown));
  return rows;
}

std::string worst_section(const EvaluationReport& report, const ThumbnailFunction& thumbnail) {
  const Evaluation& model = report.model;
  sections::PicturesOf pictures(thumbnail);
  std::string items;
  for (const int64_t row : worst_of(model.judged)) {
    const Clip& clip = model.answers.clips[model.judged_clip[row]].clip;
    const std::string& truth = model.answers.classes[model.judged.truth[row]];
    const std::string& predicted = model.answers.classes[model.judged.predicted[row]];
    items +=
        "<li>" + pictures.html(clip, truth + ", taken for " + predicted) +
        "<p><span>label <strong>" + escaped(truth) + "</strong></span><span>predicted <strong>" +
        escaped(predicted) + "</strong></span><span>probability of the label " +
        percent(model.judged.probability(row, model.judged.truth[row])) +
        "</span><span class=\"file\">" + escaped(sections::clip_words(clip)) + "</span></p></li>\n";
  }
  if (items.empty()) return "";
  return sections::section("worst", "Where it goes most wrong",
                           "<p class=\"note\">Clips to whose label the model gave the least "
                           "probability. Look here first for wrong labels.</p><ul "
                           "class=\"worst\">" +
                               items + "</ul>");
}

std::string refused_table(const std::string& caption, const std::vector<Quarantined>& refused) {
  Table table(caption, {"file", "reason"});
  for (const Quarantined& video : refused)
    table.row({escaped(video.path), "<div class=\"words\">" + escaped(video.reason) + "</div>"});
  return table.empty() ? "" : "<div class=\"reasons\">" + table.html() + "</div>";
}

std::string list_section(const EvaluationReport& report) {
  const EvaluatedList& list = report.list;
  const auto term = [](const std::string& name, const std::string& text) {
    return "<dt>" + escaped(name) + "</dt><dd>" + escaped(text) + "</dd>";
  };
  std::string body =
      "<dl class=\"data\">" + term("List", list.list) + term("Rows", counted(list.rows, "row")) +
      term("Clips read", counted(std::ssize(report.model.answers.clips), "clip")) +
      term("Left out", fmt::format("{} without a label, {} that repeat another",
                                   counted(list.unlabelled, "row or segment"),
                                   counted(list.duplicates, "clip"))) +
      term("Model", fmt::format("{}, {}", report.model.answers.model,
                                counted(std::ssize(report.model.answers.classes), "class"))) +
      "</dl>";
  body += refused_table("Not usable", list.unreadable) +
          refused_table("Damaged, used as far as they go", list.damaged);
  if (list.unreadable.empty()) body += "<p class=\"note\">Every video could be read.</p>";
  return sections::section("data", "The data", body);
}

std::string footer_of(const EvaluationReport& report) {
  return "<footer>Written by distal with <code>" + escaped(report.command) + "</code> · revision " +
         escaped(report.revision) + " · machine " + escaped(report.machine) + " · date " +
         escaped(report.date) +
         ". The same numbers are in evaluation.json, and what was said of each clip in "
         "predictions.csv, beside this page.</footer>\n";
}

}  // namespace

std::string evaluation_html(const EvaluationReport& report, const ThumbnailFunction& thumbnail) {
  const std::string title =
      name_of_model(report, report.model) + " on " + file_of(report.list.list);
  std::string body =
      "<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<div class=\"wrap\">\n<header>" +
      heading_of(report) + "</header>\n<main id=\"main\">\n" + scores_section(report) +
      paired_section(report) + classes_section(report) + groups_section(report) +
      calibration_section(report) + worst_section(report, thumbnail) + list_section(report);
  check_interrupted();
  return page(title, body + "</main>\n" + footer_of(report) + "</div>\n");
}

std::string evaluation_text(const EvaluationReport& report) {
  const auto lines_of_model = [&](const Evaluation& model) {
    std::string text = fmt::format("{}: accuracy {:.4f} of {} clips", name_of_model(report, model),
                                   model.scores.accuracy, model.judged.clips());
    text += fmt::format(", 95 % {:.4f} to {:.4f} (Wilson, independent clips)", model.wilson.low,
                        model.wilson.high);
    for (const auto& [of, what] :
         {std::pair{&model.by_video, "video"}, {&model.by_group, "group"}}) {
      const Interval& interval = of->intervals.front();
      if (std::isfinite(interval.low))
        text += fmt::format(", {:.4f} to {:.4f} (over {})", interval.low, interval.high,
                            counted(of->clusters, what));
    }
    text += "\n";
    for (const ScoreField& field : kScoreFields) {
      if (field.member != &Scores::accuracy)
        text += fmt::format("  {} {:.4f}\n", field.heading, model.scores.*field.member);
    }
    return text;
  };
  std::string text = lines_of_model(report.model);
  if (report.against) text += lines_of_model(*report.against);
  if (report.paired) text += paired_sentence(report) + "\n";
  for (const std::string& limit : limits_of(report)) text += limit + "\n";
  return text;
}

}  // namespace distal
