#pragma once
// The classes of a teacher from elsewhere, by name: where each class of a study stands among the
// teacher's numbers.

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

namespace distal {

/// What is known about the numbers [N, C] that a teacher gives.
struct TeacherClasses {
  std::string place;                // begins messages: "teacher dino.onnx"
  int64_t count = 0;                // C
  std::vector<std::string> said;    // names in order, as the file or the server says them; may be
                                    // empty
  std::vector<std::string> stated;  // the same, as the recipe states them; may be empty
  std::string option = "";          // the recipe's option for `stated`; empty: there is none
  bool drop_others = false;         // classes that the study does not have are left out
};

struct ClassOrder {
  std::vector<int64_t> columns;  // [K] of each class of the study; a column of the C
  std::vector<std::string>
      remarks;           // sentences for the user: taken on trust, put in order, left out
  bool as_it_is = true;  // columns are 0, 1, ..., C - 1
};

/// Names in the recipe's order put the numbers in the study's order. Names that only the teacher
/// says must be in it already. Without any names, C must be K. Throws Error with both orders, or
/// with the names that are missing or too many, and the fix.
ClassOrder order_of_classes(const TeacherClasses& teacher, const std::vector<std::string>& classes);

/// The columns of numbers [N, C] in the study's order, [N, K].
torch::Tensor in_order(const torch::Tensor& numbers, const ClassOrder& order);

/// Names of classes from an option: the names themselves, or of a single one the file that holds
/// them: one a line, or JSON (networks/class_names.h). Throws Error: no such file, no names, a name
/// twice.
std::vector<std::string> class_names(const std::vector<std::string>& option,
                                     const std::string& place);

}  // namespace distal
