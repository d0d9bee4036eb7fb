#pragma once
// Which answers of an oracle are doubted: those whose probabilities are less sure than a threshold,
// as `oracle.when` of a recipe says: `confidence < 0.6`. Confidence, margin and entropy are those
// of the task (tasks/task.h), as the strategies of these names measure them (B. Settles, Active
// learning literature survey, TR 1648, 2009, section 3.1).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distal/tasks/task.h"

namespace distal {

struct Doubt {
  enum class Measure { confidence, margin, entropy };

  Measure measure = Measure::confidence;
  std::optional<double> threshold = std::nullopt;  // absent: every answer is doubted
  bool at_threshold = false;                       // an answer that meets it is doubted too

  /// Reads one comparison: `confidence < 0.6`, `margin <= 0.2`, `entropy > 1`. Throws UsageError:
  /// something else, a comparison that doubts the sure answers, a threshold that no answer can
  /// reach.
  static Doubt parse(const std::string& text);
  std::string text() const;  // as it is read; empty without a threshold

  /// The rows of the answers that are doubted, ascending; at most `most`, the least sure of them,
  /// and of equally sure ones the first. `answers`: [clips][K] probabilities; a row without any is
  /// not doubted.
  std::vector<size_t> rows(const std::vector<std::vector<double>>& answers, int64_t most,
                           const Task& task = default_task()) const;

  bool operator==(const Doubt&) const = default;
};

}  // namespace distal
