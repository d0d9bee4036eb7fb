#pragma once
// Who answers in a study: the oracle of its recipe, opened.

#include <memory>
#include <string>

#include "distal/oracles/oracle.h"
#include "distal/study/dataset.h"

namespace distal {

class Progress;

struct WhoAnswers {
  std::unique_ptr<OpenOracle> oracle;
  std::string line;      // for the report
  double accuracy = -1;  // on the test set, of a teacher that the study trains
  std::string network;   // the weight file of its network, where it has one to run in every step of
                         // a student
};

/// Opens the oracle that the recipe names. The study's own teacher is trained first, with its
/// network kept as FOLDER/teacher.safetensors and what it has not finished in `unfinished`. Throws
/// Error: its classes are not those of the lists.
WhoAnswers open_oracle(const Study& study, Dataset& dataset, const std::string& folder,
                       const std::string& unfinished, Progress& progress);

}  // namespace distal
