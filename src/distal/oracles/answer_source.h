#pragma once
// Who is asked in a study: the ledger of an oracle, or what a plan puts in its place.

#include <string>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/oracles/asked_for.h"
#include "distal/store/store.h"

namespace distal {

/// What is known about clips that were asked about.
struct Answers {
  /// [clips][K] class probabilities, in order; empty where the clip cannot be read, or is awaited.
  std::vector<std::vector<double>> probabilities;
  /// Rows of clips that are asked about and not answered yet: ask about the same clips later.
  std::vector<size_t> awaited;
  bool complete() const { return awaited.empty(); }
};

class AnswerSource {
 public:
  virtual ~AnswerSource() = default;
  /// `why`: of each clip; empty: nobody says.
  virtual Answers ask(const ClipRefs& clips, const std::vector<AskedFor>& why) = 0;
  Answers ask(const ClipRefs& clips) { return ask(clips, {}); }
  Answers ask(const std::vector<Clip>& clips) { return ask(refs_of(clips)); }
  virtual bool is_teacher() const = 0;  // else answers are labels
  virtual double price() const = 0;     // of an answer
  virtual Answerer answerer() const = 0;
  virtual const std::string& version() const = 0;  // what an answer depends on beside its clip
};

}  // namespace distal
