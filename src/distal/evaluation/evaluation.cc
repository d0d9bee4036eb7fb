#include "distal/evaluation/evaluation.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/random.h"
#include "distal/evaluation/proportions.h"

namespace distal {
namespace {

constexpr size_t kNamed = 8;  // in a message

std::string some_of(std::vector<std::string> names) {
  const size_t all = names.size();
  names.resize(std::min(all, kNamed));
  return fmt::format("{}{}", fmt::join(names, ", "),
                     all > kNamed ? fmt::format(" and {} more", all - kNamed) : "");
}

void judge(Evaluation& evaluation) {
  const ModelAnswers& answers = evaluation.answers;
  const Classes classes{answers.classes};
  const int64_t width = classes.size();
  evaluation.judged.classes = width;
  std::map<std::string, int64_t> unknown;
  for (int64_t i = 0; i < std::ssize(answers.clips); ++i) {
    const auto truth = classes.index(answers.clips[i].label);
    if (!truth) {
      ++unknown[answers.clips[i].label];
      continue;
    }
    evaluation.judged_clip.push_back(i);
    evaluation.judged.truth.push_back(*truth);
    evaluation.judged.predicted.push_back(answers.predicted[i]);
    const auto row = answers.probabilities.begin() + i * width;
    evaluation.judged.probabilities.insert(evaluation.judged.probabilities.end(), row, row + width);
  }
  for (const auto& [name, clips] : unknown) evaluation.unknown.push_back({name, clips});
  std::stable_sort(evaluation.unknown.begin(), evaluation.unknown.end(),
                   [](const NamedClips& a, const NamedClips& b) { return a.clips > b.clips; });
}

void require_known(const Evaluation& evaluation) {
  if (!evaluation.judged_clip.empty()) return;
  const ModelAnswers& answers = evaluation.answers;
  if (answers.clips.empty())
    fail("{}: no labelled clip of the list could be read; see the reasons above", answers.model);
  std::vector<std::string> labels;
  for (const NamedClips& label : evaluation.unknown) labels.push_back(label.name);
  fail("{}: no label of the list is one of its classes; the list has {}, the model {}; write the "
       "labels as the model names its classes",
       answers.model, some_of(labels), some_of(answers.classes));
}

template <class Name>
std::vector<std::string> names_of_clips(const Evaluation& evaluation,
                                        const std::vector<int64_t>& judged, const Name& name) {
  std::vector<std::string> names;
  for (const int64_t row : judged)
    names.push_back(name(evaluation.answers.clips[evaluation.judged_clip[row]].clip));
  return names;
}

std::vector<std::string> videos_of(const Evaluation& evaluation,
                                   const std::vector<int64_t>& judged) {
  return names_of_clips(evaluation, judged, [](const Clip& clip) {
    return clip.video_id.empty() ? clip.video.str() : clip.video_id.str();
  });
}

std::vector<std::string> groups_of(const Evaluation& evaluation,
                                   const std::vector<int64_t>& judged) {
  return names_of_clips(evaluation, judged, [](const Clip& clip) { return clip.group.str(); });
}

std::vector<int64_t> all_rows(const JudgedClips& judged) {
  std::vector<int64_t> rows(judged.clips());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<GroupScores> scores_of_groups(const JudgedClips& judged,
                                          const std::vector<std::string>& groups) {
  std::map<std::string, GroupScores> by_name;
  for (int64_t i = 0; i < judged.clips(); ++i) {
    GroupScores& of = by_name[groups[i]];
    of.group = groups[i];
    ++of.clips;
    of.right += judged.right(i);
  }
  std::vector<GroupScores> all;
  for (auto& [name, of] : by_name) {
    of.interval = wilson(of.right, of.clips);
    all.push_back(of);
  }
  return all;
}

// Rows of `a` and of `b` that are the same clip.
struct CommonRows {
  std::vector<int64_t> a, b;
};
CommonRows common_rows(const Evaluation& a, const Evaluation& b) {
  std::map<std::string, int64_t> of_b;
  for (int64_t i = 0; i < b.judged.clips(); ++i)
    of_b[b.answers.clips[b.judged_clip[i]].clip.key()] = i;
  CommonRows common;
  for (int64_t i = 0; i < a.judged.clips(); ++i) {
    const auto at = of_b.find(a.answers.clips[a.judged_clip[i]].clip.key());
    if (at == of_b.end()) continue;
    common.a.push_back(i);
    common.b.push_back(at->second);
  }
  return common;
}

}  // namespace

int64_t Evaluation::unknown_clips() const {
  int64_t clips = 0;
  for (const NamedClips& label : unknown) clips += label.clips;
  return clips;
}

double Evaluation::accuracy_of_all() const {
  return static_cast<double>(right) / static_cast<double>(judged.clips() + unknown_clips());
}

Evaluation evaluate(ModelAnswers answers, Random random, int64_t draws) {
  Evaluation evaluation;
  evaluation.answers = std::move(answers);
  judge(evaluation);
  require_known(evaluation);
  const JudgedClips& judged = evaluation.judged;
  evaluation.scores = scores_of(judged);
  evaluation.classes = class_scores(judged);
  evaluation.bins = confidence_bins(judged);
  evaluation.confusion = confusion_of(judged);
  for (size_t k = 0; k < evaluation.classes.size(); ++k) {
    evaluation.right += evaluation.classes[k].hits;
    if (evaluation.classes[k].clips == 0)
      evaluation.absent.push_back(evaluation.answers.classes[k]);
  }
  evaluation.wilson = wilson(evaluation.right, judged.clips());
  evaluation.exact = clopper_pearson(evaluation.right, judged.clips());
  const std::vector<int64_t> rows = all_rows(judged);
  const std::vector<std::string> groups = groups_of(evaluation, rows);
  evaluation.groups = scores_of_groups(judged, groups);
  evaluation.by_video =
      resampled(judged, videos_of(evaluation, rows), random.stream("videos"), draws);
  evaluation.by_group = resampled(judged, groups, random.stream("groups"), draws);
  return evaluation;
}

std::optional<PairedEvaluation> compare(const Evaluation& a, const Evaluation& b, Random random,
                                        int64_t draws) {
  const CommonRows common = common_rows(a, b);
  if (common.a.empty()) return std::nullopt;
  const JudgedClips of_a = a.judged.only(common.a);
  const JudgedClips of_b = b.judged.only(common.b);
  PairedEvaluation paired;
  paired.clips = of_a.clips();
  for (int64_t i = 0; i < paired.clips; ++i) {
    int64_t& cell = of_a.right(i) ? (of_b.right(i) ? paired.both : paired.only_a)
                                  : (of_b.right(i) ? paired.only_b : paired.neither);
    ++cell;
  }
  paired.p = mcnemar_exact_p(paired.only_a, paired.only_b);
  paired.a = scores_of(of_a);
  paired.b = scores_of(of_b);
  paired.by_video = resampled_difference(of_a, of_b, videos_of(a, common.a),
                                         random.stream("paired videos"), draws);
  paired.by_group = resampled_difference(of_a, of_b, groups_of(a, common.a),
                                         random.stream("paired groups"), draws);
  return paired;
}

std::string sentence_of(const PairedEvaluation& paired, const std::string& name_a,
                        const std::string& name_b) {
  const double points = 100 * (paired.a.accuracy - paired.b.accuracy);
  const Interval& over = paired.by_group.intervals.front();
  const bool enough = paired.by_group.clusters >= kFewestGroups;
  const bool shown = enough && (over.low > 0 || over.high < 0);
  std::string text = shown ? fmt::format("{} is {} than {}", name_a,
                                         points > 0 ? "more accurate" : "less accurate", name_b)
                           : fmt::format("No difference of {} and {} is shown", name_a, name_b);
  text += fmt::format(" on these {} clips: {:+.1f} points of accuracy", paired.clips, points);
  if (enough)
    text += fmt::format(", 95 % interval over {} groups {:+.1f} to {:+.1f}",
                        paired.by_group.clusters, 100 * over.low, 100 * over.high);
  else
    text += fmt::format("; {} group{}, and nothing can be claimed of fewer than {}",
                        paired.by_group.clusters, paired.by_group.clusters == 1 ? "" : "s",
                        kFewestGroups);
  return text + fmt::format("; McNemar's exact test p = {:.2g} ({} against {})", paired.p,
                            paired.only_a, paired.only_b);
}

}  // namespace distal
