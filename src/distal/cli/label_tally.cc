#include "distal/cli/label_tally.h"

#include <algorithm>

#include <fmt/format.h>

#include "distal/evaluation/proportions.h"
#include "distal/lists/lists.h"

namespace distal {

void LabelTally::add(const std::string& label, const std::string& predicted) {
  if (label.empty() || label == kUnlabelled) return;
  if (std::find(classes_.begin(), classes_.end(), label) == classes_.end()) {
    ++unknown_;
    return;
  }
  ++known_;
  right_ += label == predicted;
}

std::string LabelTally::text() const {
  if (known_ + unknown_ == 0) return "";
  std::string text;
  if (known_ > 0) {
    const Interval interval = wilson(right_, known_);
    text = fmt::format("accuracy {:.4f}: {} of {} labelled clips, 95 % {:.4f} to {:.4f}",
                       static_cast<double>(right_) / static_cast<double>(known_), right_, known_,
                       interval.low, interval.high);
  }
  if (unknown_ > 0)
    text += fmt::format("{}{} clips have labels that are no class of the model",
                        text.empty() ? "" : "; ", unknown_);
  return text + "; distal evaluate says more\n";
}

std::vector<std::string> labels_of_rows(const std::string& list) {
  std::vector<std::string> labels;
  if (list.empty()) return labels;
  for (const Row& row : read_rows(list, "", /*labelled=*/false)) labels.push_back(row.label.str());
  return labels;
}

}  // namespace distal
