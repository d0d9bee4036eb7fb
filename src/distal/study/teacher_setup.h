#pragma once
// Who answers in a study: the oracle of its recipe, or its two, opened.

#include <memory>
#include <string>
#include <vector>

#include "distal/oracles/answer_source.h"
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

/// Opens the oracles that the recipe names: one, or the first and the second. The study's own
/// teacher is trained first. Throws Error: its classes are not those of the lists.
std::vector<WhoAnswers> open_oracles(const Study& study, Dataset& dataset, const OraclePlace& place,
                                     Progress& progress);

/// The ledger of each on `store`, two of them as one source (mixed_source.h). Takes the oracles out
/// of `who`. `ask_again`: what was refused may be asked again where the recipe says so.
std::unique_ptr<AnswerSource> answer_source(const Study& study, Dataset& dataset,
                                            std::vector<WhoAnswers>& who, bool ask_again,
                                            Store& store, Progress& progress);

/// Who answers, in one line for the report.
std::string line_of(const Study& study, const std::vector<WhoAnswers>& who);

}  // namespace distal
