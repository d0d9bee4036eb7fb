#pragma once
// The test set where no list says what its clips show: people are asked about it too. It is drawn
// once and never trained on.

#include "distal/oracles/answer_source.h"
#include "distal/study/dataset.h"

namespace distal {

/// Asks about the test clips that have no label, and labels them by the answers. A clip that people
/// left out, or that cannot be read, leaves the test set. What is not answered yet is counted in
/// Dataset::test_awaited; the clips then stay as they are. Asks nothing where all have labels.
void label_test_set(Dataset& dataset, AnswerSource& oracle);

}  // namespace distal
