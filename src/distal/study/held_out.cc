#include "distal/study/held_out.h"

#include <algorithm>

#include "distal/base/error.h"

namespace distal {

void label_test_set(Dataset& dataset, AnswerSource& oracle) {
  ClipRefs unknown;
  std::vector<size_t> rows;
  for (size_t i = 0; i < dataset.test.size(); ++i) {
    if (dataset.test[i].label >= 0) continue;
    unknown.push_back(&dataset.test[i]);
    rows.push_back(i);
  }
  if (unknown.empty()) return;
  std::vector<AskedFor> why;
  for (size_t i = 0; i < unknown.size(); ++i)
    why.push_back({"held_out", 0, static_cast<int64_t>(i), "", {}});
  const Answers answers = oracle.ask(unknown, why);
  dataset.test_awaited = std::ssize(answers.awaited);
  if (!answers.complete()) return;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::vector<double>& said = answers.probabilities[i];
    if (said.empty()) continue;
    dataset.test[rows[i]].label = std::max_element(said.begin(), said.end()) - said.begin();
  }
  std::erase_if(dataset.test, [](const Clip& clip) { return clip.label < 0; });
  if (dataset.test.empty()) {
    fail("people left out every test clip, and without one nothing can be measured; give data.test "
         "other clips");
  }
}

}  // namespace distal
