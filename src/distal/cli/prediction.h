#pragma once
// What `distal predict` is asked for, and how it writes what a model says.

#include <limits>
#include <string>
#include <vector>

#include <torch/types.h>
#include <nlohmann/json.hpp>

#include "distal/deploy/model_file.h"
#include "distal/deploy/smoothing.h"

namespace distal {

struct PredictArguments {
  std::string model, list, out, engine, precision = "auto";
  std::vector<std::string> videos;
  double segment_s = 0;
  double picture_rate = 0;
  int64_t threads = 0;
  bool all = false;
  bool json = false;
  bool quiet = false;
  // with --stream
  bool stream = false;
  bool every = false;
  bool segments = false;
  double rate = 0;
  double leave = -1;  // below 0: as smoothing.enter
  SmoothingOptions smoothing;
  double reconnect_s = std::numeric_limits<double>::infinity();
  std::string transport = "tcp";
};

/// How classes and probabilities are written; what stands before them in a line is up to the
/// caller.
struct PredictionFormat {
  std::vector<std::string> classes;
  const Task& task;
  bool all, json;

  int64_t best_of(const torch::Tensor& probabilities) const;
  /// The first line of a CSV; empty for JSON.
  std::string header(std::string text) const;
  /// `probabilities`: float32 [K]; undefined: there are none. `label`: kNoClass names none.
  /// `problem`: what is wrong with the video or the stream; empty: nothing.
  std::string csv(std::string text, const torch::Tensor& probabilities, int64_t label,
                  const std::string& problem) const;
  std::string object(nlohmann::ordered_json object, const torch::Tensor& probabilities,
                     int64_t label) const;
};

/// A JSON object as a line. Text that is no UTF-8 is replaced.
std::string as_line(const nlohmann::ordered_json& json);

/// Probabilities of logits, of the same sizes. An exported model is not looked through when it is
/// opened, as load_model does. Throws Error: NaN or infinite logits.
torch::Tensor probabilities_of(const torch::Tensor& logits, const OpenedModel& model);

/// Follows one source and prints a line for each change, answer or segment.
void predict_stream(const PredictArguments& arguments);

}  // namespace distal
