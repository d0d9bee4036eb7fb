#pragma once
// Who answers. An answer is looked for in the store first; what nobody has bought yet is reserved against the budget,
// requested under a stored idempotency key, and stored before anything else happens. A crash at any instruction loses
// nothing that was paid and pays nothing twice.

#include <memory>

#include "experiment/learning.h"
#include "store/store.h"

namespace distal {

class Oracle {
 public:
  /// `teacher` is null for hidden truth.
  Oracle(const TeacherOptions& options, std::unique_ptr<Teacher> teacher, Material& material, Store& store, Progress& progress);

  /// Answers for clips already reserved by the run: class probabilities, in order.
  std::vector<std::vector<double>> ask(const std::vector<Clip>& clips);
  bool is_teacher() const { return teacher_ != nullptr; }
  double price() const { return options_.price; }
  const std::string& version() const { return version_; }

 private:
  void buy(const std::vector<Clip>& clips);

  TeacherOptions options_;
  std::unique_ptr<Teacher> teacher_;
  Material& material_;
  Store& store_;
  Progress& progress_;
  std::string version_;
};

}  // namespace distal
