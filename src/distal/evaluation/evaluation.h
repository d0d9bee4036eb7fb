#pragma once
// One or two finished models on a labelled list (`distal evaluate`): whose classes are known, the
// scores with their intervals, and the difference of the two on the clips of both.

#include <optional>
#include <string>
#include <vector>

#include "distal/evaluation/scores.h"
#include "distal/lists/lists.h"

namespace distal {

/// A clip of the list that a model read.
struct EvaluatedClip {
  std::string path;   // as the list has it
  std::string label;  // its name in the list
  Clip clip;          // label -1
};

/// The answers of a model about clips of a list.
struct ModelAnswers {
  std::string model;                  // its file
  std::vector<std::string> classes;   // [K], in the order of its outputs
  std::vector<EvaluatedClip> clips;   // [N], that could be read, in the order of the list
  std::vector<double> probabilities;  // [N * K]
  std::vector<int64_t> predicted;     // [N]
};

struct NamedClips {
  std::string name;
  int64_t clips = 0;
};

struct GroupScores {
  std::string group;
  int64_t clips = 0;
  int64_t right = 0;
  Interval interval;  // Wilson's, of clips that are independent within the group
  double accuracy() const { return static_cast<double>(right) / static_cast<double>(clips); }
};

/// A model on a list. Scores are of the clips whose label is a class of the model.
struct Evaluation {
  ModelAnswers answers;
  JudgedClips judged;                // [M]
  std::vector<int64_t> judged_clip;  // [M], into answers.clips
  std::vector<NamedClips> unknown;   // labels that are no class of the model, most clips first
  std::vector<std::string> absent;   // classes of the model that no clip shows

  Scores scores;
  std::vector<ClassScores> classes;  // [K]
  std::vector<ConfidenceBin> bins;
  std::vector<std::vector<int64_t>> confusion;
  int64_t right = 0;
  Interval wilson, exact;           // of accuracy, where clips are independent
  Resampled by_video, by_group;     // of each score
  std::vector<GroupScores> groups;  // in the order of their names

  int64_t unknown_clips() const;
  /// Accuracy where a clip of an unknown label counts as wrong.
  double accuracy_of_all() const;
};

/// Labels and classes meet by name. Throws Error: no label is a class of the model; the message
/// names both.
Evaluation evaluate(ModelAnswers answers, Random random, int64_t draws = kScoreDraws);

/// Two models on the clips that both read and whose label both know.
struct PairedEvaluation {
  int64_t clips = 0;
  int64_t both = 0;  // right by both, ...
  int64_t only_a = 0;
  int64_t only_b = 0;
  int64_t neither = 0;
  double p = 1;                  // McNemar's exact test: clips are independent
  Scores a, b;                   // on these clips
  Resampled by_video, by_group;  // of a - b
};
/// nullopt: they have no such clip in common.
std::optional<PairedEvaluation> compare(const Evaluation& a, const Evaluation& b, Random random,
                                        int64_t draws = kScoreDraws);

/// What a paired evaluation shows, in one sentence: better or worse only where the interval over
/// groups excludes 0 and there are kFewestGroups of them.
std::string sentence_of(const PairedEvaluation& paired, const std::string& name_a,
                        const std::string& name_b);

/// Of a labelled list.
struct EvaluatedList {
  std::string list;  // its file
  int64_t rows = 0;
  int64_t unlabelled = 0;  // rows without a label, and segments whose middle has none
  int64_t duplicates = 0;  // clips that repeat an earlier one
  bool grouped = false;    // the list names groups; otherwise each video is one
  std::vector<Quarantined> unreadable, damaged;
};

}  // namespace distal
