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
  /// While some are awaited, what people said of others may still be taken back.
  std::vector<std::vector<double>> probabilities;
  /// Rows of clips that are asked about and not answered yet: ask about the same clips later.
  std::vector<size_t> awaited;
  /// Of two oracles (mixed_source.h): [clips][K], what the first said of the clips that the second
  /// is asked about too; empty of the others. No rows where there is one oracle.
  std::vector<std::vector<double>> doubted = {};
  bool complete() const { return awaited.empty(); }
  /// Whether the answer about that clip is the second oracle's.
  bool second_asked(size_t clip) const { return clip < doubted.size() && !doubted[clip].empty(); }
};

/// What a trial may still ask of the second of two oracles.
class Allowance {
 public:
  virtual ~Allowance() = default;
  /// About how many clips of this call.
  virtual int64_t left() const = 0;
  /// Called before these clips are asked about, each for `price` more. After a crash, the same
  /// clips come again.
  virtual void spend(const ClipRefs& clips, double price) = 0;
};

class AnswerSource {
 public:
  virtual ~AnswerSource() = default;
  /// `why`: of each clip; empty: nobody says.
  virtual Answers ask(const ClipRefs& clips, const std::vector<AskedFor>& why) = 0;
  Answers ask(const ClipRefs& clips) { return ask(clips, {}); }
  Answers ask(const std::vector<Clip>& clips) { return ask(refs_of(clips)); }
  /// The same, where two oracles answer, within what the second may be asked.
  virtual Answers ask_within(const ClipRefs& clips, const std::vector<AskedFor>& why, Allowance&) {
    return ask(clips, why);
  }
  /// Of each clip, where people answer; empty: nobody's time is asked for.
  virtual std::vector<PersonTime> person_times(const ClipRefs&) { return {}; }
  /// Whether somebody is shown why a clip is asked about.
  virtual bool shows_why() const { return false; }
  /// Those of the clips that are awaited are to be answered in this order from now on, for these
  /// reasons. Changes no answer.
  virtual void rank_again(const ClipRefs& clips, const std::vector<AskedFor>& why) {}
  /// The oracle that is asked about every clip, and the one that is asked where the first is
  /// unsure. Where there is one oracle, both are that one.
  virtual AnswerSource& first() { return *this; }
  virtual AnswerSource& then() { return *this; }
  virtual bool is_teacher() const = 0;  // else answers are labels; of two: the first
  virtual double price() const = 0;     // of an answer; of two: of the first
  virtual Answerer answerer() const = 0;
  virtual std::vector<Answerer> answerers() const { return {answerer()}; }
  virtual const std::string& version() const = 0;  // what an answer depends on beside its clip
};

}  // namespace distal
