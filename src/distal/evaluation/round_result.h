#pragma once
// What a round of a trial measured. Each of its numbers has a row in kRoundFields. What lists them
// walks it: the JSON of results and back, curve.csv, metrics.jsonl, TensorBoard and the tables of
// the report. A new metric is a member of Metrics, a row here and its computation in metrics.cc.

#include <cstdint>
#include <limits>
#include <optional>
#include <variant>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/evaluation/statistics.h"

namespace distal {

struct WorstClip {
  Clip clip;  // label filled: the truth
  int64_t predicted = 0;
  double probability_of_truth = 0;
};

/// Of a test set. What the numbers mean stands in kRoundFields.
struct Metrics {
  double accuracy = 0;
  double video_accuracy = 0;
  double mean_class_accuracy = 0;
  double nll = 0;
  double ece = 0;
  std::vector<std::vector<int64_t>> confusion;  // [truth][predicted], K x K
  struct Bin {
    int64_t clips = 0;
    double confidence = 0;
    double accuracy = 0;
  };
  std::vector<Bin> calibration;  // 15 bins
  std::vector<uint8_t> correct;  // per test clip, in the test list's order
  std::vector<WorstClip> worst;  // least probability of the truth first, at most 12
};

struct RoundResult {
  int64_t round = 0;
  int64_t answers = 0;
  double watched_s = 0;
  double price = 0;
  double select_s = 0;
  double score_s = 0;
  double ask_s = 0;
  double train_s = 0;
  double evaluate_s = 0;
  int64_t forwards = 0;
  double answer_accuracy = -1;
  // Of two oracles, so far; NaN where there is one.
  double first_answers = std::numeric_limits<double>::quiet_NaN();
  double then_answers = first_answers;
  double first_price = first_answers;
  double then_price = first_answers;
  double first_share = first_answers;
  double then_share = first_answers;
  double first_accuracy = first_answers;
  double then_accuracy = first_answers;
  double agreement = first_answers;
  double people_minutes = -1;
  Metrics metrics;
  double loss_fall = std::numeric_limits<double>::quiet_NaN();
};

/// A number that every round has.
struct RoundField {
  enum class Kind {
    position,  // curve.csv and metrics.jsonl
    measure,   // these and TensorBoard; with a heading also the report's table of the final round
    stage,     // wall time: metrics.jsonl and the report's table of costs
    two,       // of two oracles: metrics.jsonl, TensorBoard and the report's section, where known
    detail,    // report.json alone
  };
  enum class Format { share, share_with_interval, number };

  const char* name;  // in JSON, of the column, of TensorBoard's scalar
  std::variant<int64_t RoundResult::*, double RoundResult::*, double Metrics::*> member;
  Kind kind;
  const char* unit;
  const char* meaning;       // a line of docs/reference/run-files.md
  const char* heading = "";  // of its column in the report; empty: it has none
  Format format = Format::number;
  std::optional<Better> better = std::nullopt;
  /// The value that stands for an unknown one, beside NaN.
  double unknown = std::numeric_limits<double>::quiet_NaN();
  /// The value of results that were written before there was the number; nullopt: these are
  /// refused.
  std::optional<double> before = std::nullopt;

  /// NaN where unknown.
  double value(const RoundResult& round) const;
};

constexpr RoundField of_two(const char* name, double RoundResult::*member, const char* unit,
                            const char* meaning) {
  return {.name = name,
          .member = member,
          .kind = RoundField::Kind::two,
          .unit = unit,
          .meaning = meaning,
          .before = std::numeric_limits<double>::quiet_NaN()};
}

/// In the order of the columns of curve.csv. A new row comes last of its kind; give it `before`.
inline constexpr RoundField kRoundFields[] = {
    {"round", &RoundResult::round, RoundField::Kind::position, "number", "0: the initial answers"},
    {"answers", &RoundResult::answers, RoundField::Kind::position, "answers",
     "number so far, including the initial answers"},
    {"seconds", &RoundResult::watched_s, RoundField::Kind::measure, "s of video",
     "total length of the answered clips so far"},
    {"price", &RoundResult::price, RoundField::Kind::measure, "money",
     "price so far; an answer that the store already had counts in full"},
    {"accuracy", &Metrics::accuracy, RoundField::Kind::measure, "share",
     "test clips whose most probable class is the truth", "clips",
     RoundField::Format::share_with_interval, Better::larger},
    {"video_accuracy", &Metrics::video_accuracy, RoundField::Kind::measure, "share",
     "the same for videos, after averaging the probabilities of the clips of a video", "videos",
     RoundField::Format::share_with_interval, Better::larger},
    {"mean_class_accuracy", &Metrics::mean_class_accuracy, RoundField::Kind::measure, "share",
     "mean of the recalls of the classes", "mean of classes",
     RoundField::Format::share_with_interval, Better::larger},
    {"nll", &Metrics::nll, RoundField::Kind::measure, "nats",
     "mean of -log of the truth's probability", "log loss", RoundField::Format::number,
     Better::smaller},
    {"ece", &Metrics::ece, RoundField::Kind::measure, "share",
     "expected calibration error, 15 equal bins of confidence", "ECE", RoundField::Format::share,
     Better::smaller},
    {.name = "answer_accuracy",
     .member = &RoundResult::answer_accuracy,
     .kind = RoundField::Kind::measure,
     .unit = "share",
     .meaning =
         "answers of this round that agree with the hidden label; empty if unknown, and in round 0",
     .better = Better::larger,
     .unknown = -1},
    {.name = "people_minutes",
     .member = &RoundResult::people_minutes,
     .kind = RoundField::Kind::measure,
     .unit = "min of people's time",
     .meaning = "time that people took so far for answers about the clips asked about so far, "
                "repeats among them; empty if nobody was asked",
     .unknown = -1,
     .before = std::numeric_limits<double>::quiet_NaN()},
    {"score_s", &RoundResult::score_s, RoundField::Kind::stage, "s",
     "prediction of the pool by the student", "score pool"},
    {"select_s", &RoundResult::select_s, RoundField::Kind::stage, "s",
     "choice of clips by the strategy", "select"},
    {"ask_s", &RoundResult::ask_s, RoundField::Kind::stage, "s", "answers of the oracle", "ask"},
    {"train_s", &RoundResult::train_s, RoundField::Kind::stage, "s",
     "training of the student; near 0 if another arm has trained the same first student", "train"},
    {"evaluate_s", &RoundResult::evaluate_s, RoundField::Kind::stage, "s",
     "prediction of the test list", "evaluate"},
    {.name = "forwards",
     .member = &RoundResult::forwards,
     .kind = RoundField::Kind::detail,
     .unit = "mixes",
     .meaning = "mixes that the student looked at to choose this round's",
     .before = 0},
    {.name = "loss_fall",
     .member = &RoundResult::loss_fall,
     .kind = RoundField::Kind::detail,
     .unit = "share",
     .meaning = "what the student's loss still fell by in the last quarter of its training, of its "
                "loss in the first; unknown where the training was continued",
     .before = std::numeric_limits<double>::quiet_NaN()},
    of_two("first_answers", &RoundResult::first_answers, "answers",
           "clips that `oracle.first` was asked about so far"),
    of_two("then_answers", &RoundResult::then_answers, "answers",
           "clips that `oracle.then` was asked about so far"),
    of_two("first_price", &RoundResult::first_price, "money", "what these answers cost"),
    of_two("then_price", &RoundResult::then_price, "money", "what these answers cost"),
    of_two("first_share", &RoundResult::first_share, "share",
           "training samples whose answer is that of `oracle.first`"),
    of_two("then_share", &RoundResult::then_share, "share",
           "training samples whose answer is that of `oracle.then`"),
    of_two("first_accuracy", &RoundResult::first_accuracy, "share",
           "answers of `oracle.first` so far that agree with the hidden label, where it is known"),
    of_two("then_accuracy", &RoundResult::then_accuracy, "share",
           "answers of `oracle.then` so far that agree with the hidden label, where it is known"),
    of_two("agreement", &RoundResult::agreement, "share",
           "clips that both answered so far where both name one class"),
};

}  // namespace distal
