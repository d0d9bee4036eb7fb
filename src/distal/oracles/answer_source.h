#pragma once
// Who is asked in a study: the oracle through its book-keeping, or what a plan puts in its place.

#include <string>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/store/store.h"

namespace distal {

class AnswerSource {
 public:
  virtual ~AnswerSource() = default;
  /// Class probabilities of each clip, in order; empty where a clip cannot be read.
  virtual std::vector<std::vector<double>> ask(const std::vector<Clip>& clips) = 0;
  virtual bool is_teacher() const = 0;           // else answers are labels
  virtual double price() const = 0;              // of an answer
  virtual Answerer answerer() const = 0;
  virtual const std::string& version() const = 0;  // what an answer depends on beside its clip
};

}  // namespace distal
