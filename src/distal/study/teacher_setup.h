#pragma once
// Who answers in a study: the teacher that it trains or opens.

#include <memory>
#include <string>

#include "distal/oracles/teacher.h"
#include "distal/study/dataset.h"

namespace distal {

struct TeacherSetup {
  std::unique_ptr<Teacher> teacher;  // null: hidden truth
  std::string line;                  // for the report
  double accuracy = -1;              // of the teacher on the test set
  std::string network;               // the weight file of its network, where it has one to run in every step of a student
};

/// Trains the study's own teacher, with its network kept as FOLDER/teacher.safetensors and what it has not finished in `unfinished`; or opens the one
/// that the recipe names. Throws Error: its classes are not those of the lists.
TeacherSetup set_up_teacher(const Study& study, Dataset& dataset, const std::string& folder, const std::string& unfinished, Progress& progress);

}  // namespace distal
