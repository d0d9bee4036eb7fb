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

/// Where an oracle keeps what it has.
struct OraclePlace {
  std::string folder;      // the study's: its own teacher is FOLDER/teacher.safetensors
  std::string unfinished;  // of a training that was stopped
  std::string store_url;   // what people are asked
};

/// Opens the oracle that the recipe names. The study's own teacher is trained first. Throws Error:
/// its classes are not those of the lists.
WhoAnswers open_oracle(const Study& study, Dataset& dataset, const OraclePlace& place,
                       Progress& progress);

}  // namespace distal
