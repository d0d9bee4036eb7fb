#pragma once
// A place among the few that work at once.

#include <semaphore>

namespace distal::serve {

/// Waits for a place, and has it as long as this lives.
class Place {
 public:
  explicit Place(std::counting_semaphore<>& places) : places_(places) { places_.acquire(); }
  ~Place() { places_.release(); }
  Place(const Place&) = delete;

 private:
  std::counting_semaphore<>& places_;
};

}  // namespace distal::serve
