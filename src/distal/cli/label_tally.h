#pragma once
// What a list with labels says of predictions: `distal predict` prints it.

#include <cstdint>
#include <string>
#include <vector>

namespace distal {

/// Counts right predictions among those whose label is a class of the model.
class LabelTally {
 public:
  explicit LabelTally(std::vector<std::string> classes) : classes_(std::move(classes)) {}

  /// `label` as the list has it; empty or `unlabelled` counts nowhere.
  void add(const std::string& label, const std::string& predicted);
  /// A line with Wilson's interval and the labels that the model does not know; empty where no
  /// prediction has a label.
  std::string text() const;

 private:
  std::vector<std::string> classes_;
  int64_t known_ = 0;
  int64_t right_ = 0;
  int64_t unknown_ = 0;
};

/// The labels of the rows of a list, "" where a row has none; of no list, none.
std::vector<std::string> labels_of_rows(const std::string& list);

}  // namespace distal
