#pragma once
// What the store knows of one trial (an arm with a seed): what was reserved, what was measured,
// what the reader of a report must know.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "distal/evaluation/results.h"
#include "distal/store/store.h"
#include "distal/study/dataset.h"

namespace distal {

/// The store's key of a trial: a hash of what its results depend on (the arm, the clips, who
/// answers, what computes), its arm and its seed.
std::string trial_key(const Study& study, const Arm& arm, int64_t seed, const std::string& lists_id,
                      const std::string& oracle_version);

/// What a choice cost before it was reserved.
struct ChoiceCost {
  int64_t forwards = 0;  // predictions of mixes
};

/// What a reader of the report must know of a trial.
struct TrialFindings {
  std::vector<std::string> notes;
  std::vector<Quarantined> quarantined;
  std::vector<std::string> unseen;  // classes
};

class TrialRecord {
 public:
  virtual ~TrialRecord() = default;
  virtual int64_t seed() const = 0;
  virtual std::string key() const = 0;  // of the trial

  /// The rounds measured so far, by this trial until it was stopped or by one of more rounds.
  virtual std::vector<RoundResult> rounds() const = 0;
  /// The clips that a round reserved before, of those that `dataset` still has; nothing: it
  /// reserved none.
  virtual std::optional<std::vector<Clip>> reserved(int64_t round,
                                                    const Dataset& dataset) const = 0;
  /// The same of another trial, by its key.
  virtual std::optional<std::vector<Clip>> reserved_by(const std::string& trial, int64_t round,
                                                       const Dataset& dataset) const = 0;
  /// Reserves clips against the round's budget (round 0, a budget below 0 and one in minutes, which
  /// limits the answers: without limit), all or none. Throws Error: they exceed it.
  virtual void reserve(int64_t round, const std::vector<Clip>& clips, const ArmOptions& arm,
                       double price) = 0;
  /// Reserved clips cost that much from now on, where it is more: a second oracle is asked too.
  virtual void raise_price(const ClipRefs& clips, double price) = 0;
  /// Gives clips of a round back that are not answered, or, with `answered_too`, all of them: they
  /// count as spent no more, and may be chosen again. Returns their keys.
  virtual std::set<std::string> unreserve(int64_t round, const std::vector<Clip>& clips,
                                          bool answered_too = false) = 0;
  virtual Store::Spent spent() const = 0;

  virtual void keep_cost(int64_t round, const ChoiceCost& cost) = 0;
  virtual ChoiceCost cost(int64_t round) const = 0;
  /// How many clips of the round were answered when it was last ranked again; 0: never.
  virtual void put_ranking(int64_t round, int64_t answered) = 0;
  virtual int64_t ranking(int64_t round) const = 0;
  virtual void put_round(const RoundResult& result, const std::vector<Clip>& asked) = 0;
  /// Adds what is not there yet.
  virtual void note(const TrialFindings& found) = 0;

  /// Where the student of a round was kept: its content and its file.
  virtual void put_student(int64_t round, const std::string& path) = 0;
  /// Whether the file is the student that the trial had after the round, whoever trained it. One
  /// that cannot be read, as in a folder of somebody else, is not.
  virtual bool is_student(int64_t round, const std::string& path) const = 0;
  virtual std::vector<std::string> student_files() const = 0;
};

/// The record of a trial that this process holds in the store.
class StoredRecord final : public TrialRecord {
 public:
  /// `answerers`: the oracle, or both.
  StoredRecord(Store& store, Store::Run run, std::vector<Answerer> answerers)
      : store_(store), run_(std::move(run)), answerers_(std::move(answerers)) {}

  int64_t seed() const override { return run_.seed; }
  std::string key() const override { return run_.key; }
  const Store::Run& run() const { return run_; }
  std::vector<RoundResult> rounds() const override;
  std::optional<std::vector<Clip>> reserved(int64_t round, const Dataset& dataset) const override;
  std::optional<std::vector<Clip>> reserved_by(const std::string& trial, int64_t round,
                                               const Dataset& dataset) const override;
  void reserve(int64_t round, const std::vector<Clip>& clips, const ArmOptions& arm,
               double price) override;
  void raise_price(const ClipRefs& clips, double price) override;
  Store::Spent spent() const override;
  std::set<std::string> unreserve(int64_t round, const std::vector<Clip>& clips,
                                  bool answered_too = false) override;
  void keep_cost(int64_t round, const ChoiceCost& cost) override;
  ChoiceCost cost(int64_t round) const override;
  void put_ranking(int64_t round, int64_t answered) override {
    store_.put_ranking(run_.id, round, answered);
  }
  int64_t ranking(int64_t round) const override { return store_.ranking(run_.id, round); }
  void put_round(const RoundResult& result, const std::vector<Clip>& asked) override;
  void note(const TrialFindings& found) override;
  void put_student(int64_t round, const std::string& path) override;
  bool is_student(int64_t round, const std::string& path) const override;
  std::vector<std::string> student_files() const override;

 private:
  std::optional<std::vector<Clip>> reserved_of(int64_t run, int64_t round,
                                               const Dataset& dataset) const;

  Store& store_;
  Store::Run run_;
  std::vector<Answerer> answerers_;
};

/// What the record of a run in the store holds for the reader of the report.
TrialFindings findings(Store& store, int64_t run);

}  // namespace distal
