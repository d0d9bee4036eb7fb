#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "distal/report/charts.h"
#include "distal/report/html.h"
#include "distal/report/pictures_of.h"
#include "distal/report/sections.h"
#include "distal/report/sections_sweep.h"

namespace distal::sections {
namespace {

using Counts = std::vector<std::vector<int64_t>>;

std::string class_name(const Results& results, int64_t k) {
  if (k < 0) return "unknown";
  return k < static_cast<int64_t>(results.classes.size()) ? results.classes[static_cast<size_t>(k)]
                                                          : fmt::format("class {}", k);
}

/// The arms a reader compares first: the best, and the control it is tested against.
std::vector<const ArmView*> shown(const Summary& summary) {
  std::vector<const ArmView*> arms;
  if (!summary.best) return arms;
  arms.push_back(summary.best);
  const ArmView* twin = twin_of(summary, *summary.best);
  if (twin && twin->ran()) arms.push_back(twin);
  return arms;
}

/// The arms that get a column each: all of them, where they are few.
std::vector<const ArmView*> columns_of(const Summary& summary) {
  if (many_arms(summary)) return shown(summary);
  std::vector<const ArmView*> arms;
  for (const ArmView& arm : summary.arms) {
    if (arm.ran()) arms.push_back(&arm);
  }
  return arms;
}

struct Rates {
  double recall, precision, f1, clips;
};

/// Rates of class k of one confusion matrix; not finite where nothing of the class was seen or
/// said.
Rates rates(const Counts& counts, size_t k) {
  double clips = 0;
  double said = 0;
  for (const auto count : counts[k]) clips += static_cast<double>(count);
  for (const auto& row : counts) said += k < row.size() ? static_cast<double>(row[k]) : 0;
  const double hits = k < counts[k].size() ? static_cast<double>(counts[k][k]) : 0;
  return {clips > 0 ? hits / clips : NAN, said > 0 ? hits / said : NAN,
          clips + said > 0 ? 2 * hits / (clips + said) : NAN, clips};
}

/// Mean over seeds of the rates of class k in the final round.
Rates mean_rates(const ArmView& arm, size_t k) {
  std::vector<double> recall, precision, f1, clips;
  for (const auto* trial : arm.trials) {
    const Counts& counts = trial->rounds.back().metrics.confusion;
    if (k >= counts.size()) continue;
    const Rates r = rates(counts, k);
    recall.push_back(r.recall);
    precision.push_back(r.precision);
    f1.push_back(r.f1);
    clips.push_back(r.clips);
  }
  return {estimate(recall).mean, estimate(precision).mean, estimate(f1).mean, estimate(clips).mean};
}

size_t class_count(const Summary& summary) {
  size_t count = 0;
  for (const auto& arm : summary.arms) {
    for (const auto* trial : arm.trials)
      count = std::max(count, trial->rounds.back().metrics.confusion.size());
  }
  return count;
}

std::string shaded(const std::string& text, double share, const ArmView& arm) {
  if (!std::isfinite(share)) return text;
  return fmt::format("<div class=\"shade {}\" style=\"--w:{:.0f}%\">{}</div>", arm.style.name(),
                     100 * std::clamp(share, 0.0, 1.0), text);
}

std::string class_table(const Summary& summary, const ArmView& arm, size_t count) {
  Table table(fmt::format("{}: final round, mean of {} seed{}", arm.name, arm.trials.size(),
                          arm.trials.size() == 1 ? "" : "s"),
              {"class", "clips", "recall", "precision", "F1"});
  for (size_t k = 0; k < count; ++k) {
    const Rates r = mean_rates(arm, k);
    table.row({escaped(class_name(*summary.results, static_cast<int64_t>(k))), number(r.clips, 0),
               shaded(percent(r.recall), r.recall, arm),
               shaded(percent(r.precision), r.precision, arm), shaded(percent(r.f1), r.f1, arm)});
  }
  return table.html();
}

std::string f1_of_all(const Summary& summary, size_t count) {
  const std::vector<const ArmView*> arms = columns_of(summary);
  std::vector<std::string> headings{"class", "clips"};
  for (const ArmView* arm : arms) headings.push_back(key(*arm));
  Table table("F1 of each class by arm, final round, mean over seeds", headings);
  for (size_t k = 0; k < count; ++k) {
    std::vector<std::string> cells{escaped(class_name(*summary.results, static_cast<int64_t>(k))),
                                   ""};
    for (const ArmView* arm : arms) {
      const Rates r = mean_rates(*arm, k);
      if (cells[1].empty()) cells[1] = number(r.clips, 0);
      cells.push_back(shaded(percent(r.f1, 0), r.f1, *arm));
    }
    table.row(cells);
  }
  return table.html();
}

std::vector<ReliabilityBin> pooled_bins(const ArmView& arm) {
  std::vector<ReliabilityBin> bins;
  for (const auto* trial : arm.trials) {
    const auto& calibration = trial->rounds.back().metrics.calibration;
    if (bins.size() < calibration.size()) bins.resize(calibration.size());
    for (size_t b = 0; b < calibration.size(); ++b) {
      const auto clips = static_cast<double>(calibration[b].clips);
      if (!(clips > 0)) continue;
      bins[b].clips += clips;
      bins[b].confidence += clips * calibration[b].confidence;
      bins[b].accuracy += clips * calibration[b].accuracy;
    }
  }
  for (auto& bin : bins) {
    bin.confidence /= std::max(1.0, bin.clips);
    bin.accuracy /= std::max(1.0, bin.clips);
  }
  return bins;
}

/// Over the rounds of a run, then the mean over seeds.
double mean_sum(const ArmView& arm, const RoundField& row) {
  std::vector<double> sums;
  for (const auto* trial : arm.trials) {
    double sum = 0;
    for (const auto& round : trial->rounds) sum += row.value(round);
    sums.push_back(sum);
  }
  return estimate(sums).mean;
}

struct Hard {
  Clip clip;
  int64_t predicted, seeds;
  double probability;
};

/// Clips in the worst lists of an arm's final rounds: those most seeds agree on first, then the
/// least probable.
std::vector<Hard> hardest(const ArmView& arm) {
  std::map<std::string, Hard> by_key;
  for (const auto* trial : arm.trials) {
    for (const auto& row : trial->rounds.back().metrics.worst) {
      auto [at, added] = by_key.try_emplace(row.clip.key(), Hard{row.clip, row.predicted, 0, 0});
      ++at->second.seeds;
      at->second.probability += row.probability_of_truth;
    }
  }
  std::vector<Hard> out;
  for (auto& [name, hard] : by_key) {
    hard.probability /= static_cast<double>(hard.seeds);
    out.push_back(hard);
  }
  std::stable_sort(out.begin(), out.end(), [](const Hard& a, const Hard& b) {
    const auto rank = [](double p) { return std::isfinite(p) ? p : 2.0; };
    return a.seeds != b.seeds ? a.seeds > b.seeds : rank(a.probability) < rank(b.probability);
  });
  out.resize(std::min<size_t>(out.size(), 12));
  return out;
}

std::string of_groups(const std::vector<std::string>& groups) {
  const auto different = std::set(groups.begin(), groups.end()).size();
  return different == 0 ? ""
                        : fmt::format(" of {} group{} (source videos or patients)", different,
                                      different == 1 ? "" : "s");
}

std::string term(const std::string& name, const std::string& html) {
  return "<dt>" + escaped(name) + "</dt><dd>" + html + "</dd>";
}

}  // namespace

std::string classes(const Summary& summary) {
  const size_t count = class_count(summary);
  if (count == 0) return "";
  std::string body = f1_of_all(summary, count);
  for (const ArmView* arm : columns_of(summary)) {
    body += "<details><summary>Recall, precision and F1 of " + escaped(arm->name) + "</summary>" +
            class_table(summary, *arm, count) + "</details>";
  }
  std::string maps;
  for (const auto* arm : shown(summary)) {
    const Counts counts = confusion(*arm);
    const double wide = count > 12 ? 940 : 440;
    const std::string label =
        fmt::format("Confusion matrix of {}: rows truth, columns predicted", arm->name);
    const auto drawn = [&](double width) {
      return heat_map(counts, summary.results->classes, arm->style, label, width);
    };
    if (counts.empty()) continue;
    maps += "<div><h3>" + key(*arm) + (arm == summary.best ? " (best)" : " (control)") +
            "</h3><figure><div class=\"wide scroll\">" + drawn(wide) +
            "</div><div class=\"narrow scroll\">" + drawn(count > 12 ? 620 : 350) +
            "</div></figure></div>";
  }
  if (!maps.empty())
    body += "<h3>Confusion</h3><p class=\"note\">Test clips of the final round, summed over seeds. "
            "Shade: share of the row, so the diagonal is recall.</p><div class=\"" +
            std::string(count > 12 ? "" : "pair") + "\">" + maps + "</div>";
  return section("classes", "Class by class", body);
}

std::string calibration(const Summary& summary) {
  std::string charts;
  for (const auto* arm : shown(summary)) {
    const Estimate ece =
        estimate(final_values(*arm, [](const RoundResult& r) { return r.metrics.ece; }));
    const std::string words = fmt::format("expected calibration error {}", percent(ece.mean));
    const std::string drawn = reliability_chart(
        pooled_bins(*arm), arm->style, fmt::format("Reliability of {}: {}", arm->name, words), 350);
    if (!drawn.empty())
      charts += "<div><h3>" + key(*arm) + "</h3><figure>" + drawn + "<figcaption>" + words +
                "</figcaption></figure></div>";
  }
  if (charts.empty()) return "";
  return section("calibration", "Can its confidence be trusted?",
                 "<p class=\"note\">Final round, clips of all seeds in 15 bins of confidence. "
                 "Below the diagonal the student is surer than it is "
                 "right.</p><div class=\"pair\">" +
                     charts + "</div>");
}

std::string cost(const Summary& summary) {
  if (many_arms(summary)) {  // the table of all arms has the rest
    const std::string people = people_time(summary);
    return people.empty() ? "" : section("cost", "What it cost", people);
  }
  const bool people = asks_people(summary);
  std::vector<std::string> headings{"arm", "answers", "video watched", "money"};
  if (people) headings.push_back("people's time");
  for (const RoundField& row : kRoundFields) {
    if (row.kind == RoundField::Kind::stage) headings.push_back(row.heading);
  }
  headings.push_back("total");
  Table table("Cost of one run of all its rounds, mean over seeds", headings);
  for (const auto& arm : summary.arms) {
    if (!arm.ran()) continue;
    const auto last = [&](const Measure& measure) {
      return estimate(final_values(arm, measure)).mean;
    };
    std::vector<std::string> cells{
        key(arm),
        number(last([](const RoundResult& r) { return static_cast<double>(r.answers); }), 0),
        wall_time(last([](const RoundResult& r) { return r.watched_s; })),
        number(last([](const RoundResult& r) { return r.price; }))};
    if (people) cells.push_back(wall_time(60 * last(people_minutes)));
    double total = 0;
    for (const RoundField& row : kRoundFields) {
      if (row.kind != RoundField::Kind::stage) continue;
      const double stage_s = mean_sum(arm, row);
      total += stage_s;
      cells.push_back(wall_time(stage_s));
    }
    cells.push_back(wall_time(total));
    table.row(cells);
  }
  std::string note = "<p class=\"note\">Arms that begin alike share their first student, whose "
                     "training counts for the first of them.";
  if (summary.results->read_s > 0)
    note +=
        " Decoding every clip once, for all arms, took " + wall_time(summary.results->read_s) + ".";
  return section("cost", "What it cost",
                 table.empty() ? "" : table.html() + note + "</p>" + people_time(summary));
}

std::string worst(const Summary& summary, const ThumbnailFunction& thumbnail) {
  if (!summary.best) return "";
  const auto clips = hardest(*summary.best);
  const Results& results = *summary.results;
  const size_t seeds = summary.best->trials.size();
  std::string items;
  PicturesOf pictures(thumbnail);
  for (const auto& hard : clips) {
    const std::string truth = class_name(results, hard.clip.label);
    const std::string predicted = class_name(results, hard.predicted);
    items += "<li>" + pictures.html(hard.clip, truth + ", taken for " + predicted) +
             "<p><span>truth <strong>" + escaped(truth) +
             "</strong></span><span>predicted <strong>" + escaped(predicted) +
             "</strong></span><span>probability of the truth " + percent(hard.probability) +
             "</span>";
    if (seeds > 1)
      items += fmt::format("<span>among the worst of {} of {} seeds</span>", hard.seeds, seeds);
    items += "<span class=\"file\">" + escaped(clip_words(hard.clip)) + "</span></p></li>\n";
  }
  if (items.empty()) return "";
  return section("worst", "Where it goes most wrong",
                 "<p class=\"note\">Test clips to which " + escaped(summary.best->name) +
                     " gave the truth the least probability in its final round. "
                     "Look here first for wrong labels.</p><ul class=\"worst\">" +
                     items + "</ul>");
}

std::string data(const Summary& summary) {
  const Results& results = *summary.results;
  const auto count = [](int64_t n) { return number(static_cast<double>(n)); };
  std::string body =
      "<dl class=\"data\">" +
      term("Pool", count(results.pool_clips) + " clips nobody had answered for") +
      term("Start", count(results.start_clips) + " clips to draw the first answers from" +
                        (results.start_draw.empty() ? "" : "; " + escaped(results.start_draw))) +
      term("Test", count(results.test_clips) + " clips" + of_groups(results.test_groups) +
                       ", never used for a choice");
  if (results.unlabelled_segments > 0)
    body += term("Left out",
                 count(results.unlabelled_segments) + " segments whose middle no label covers");
  std::string names;
  for (const auto& name : results.classes) names += (names.empty() ? "" : ", ") + escaped(name);
  body +=
      term("Classes",
           results.classes.empty() ? "none" : fmt::format("{}: {}", results.classes.size(), names));
  std::string teacher = results.teacher.empty() ? "none" : escaped(results.teacher);
  if (results.teacher_accuracy >= 0)
    teacher += "; its own accuracy on the test clips " + percent(results.teacher_accuracy);
  body += term("Teacher", teacher) +
          term("Arms and seeds",
               fmt::format("{} arms, {} runs", summary.arms.size(), results.trials.size())) +
          "</dl>";
  Table table(fmt::format("Videos that could not be used: {}", results.quarantined.size()),
              {"file", "reason"});
  for (const auto& video : results.quarantined)
    table.row({escaped(video.path), "<div class=\"words\">" + escaped(video.reason) + "</div>"});
  body += table.empty() ? "<p class=\"note\">Every video could be read.</p>"
                        : "<h3>Quarantined</h3><div class=\"reasons\">" + table.html() + "</div>";
  return section("data", "The data", body);
}

std::string recipe(const Summary& summary) {
  const Results& results = *summary.results;
  std::string body;
  if (!results.recipe.empty())
    body = "<details><summary>The resolved recipe</summary><pre tabindex=\"0\">" +
           escaped(results.recipe) + "</pre></details>";
  return section("recipe", "The recipe", body);
}

std::string provenance(const Summary& summary) {
  const Results& results = *summary.results;
  std::string line;
  for (const auto& [name, text] : {std::pair{"revision", &results.revision},
                                   {"machine", &results.machine},
                                   {"date", &results.date}}) {
    if (!text->empty())
      line += (line.empty() ? "" : " · ") + std::string(name) + " " + escaped(*text);
  }
  return "<footer>" + std::string("Written by distal") +
         (results.command.empty() ? "" : " with <code>" + escaped(results.command) + "</code>") +
         (line.empty() ? "" : " · " + line) +
         ". The same numbers are in curve.csv, report.json, metrics.jsonl and the TensorBoard "
         "events beside this page.</footer>\n";
}

}  // namespace distal::sections
