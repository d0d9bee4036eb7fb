#pragma once
// The clips of a study: which videos there are, in which role, with which classes. Lists are read
// and videos probed; nothing is decoded yet.

#include <memory>

#include "distal/oracles/ledger.h"
#include "distal/study/recipe.h"

namespace distal {

class Progress;

struct Dataset {
  Classes classes;
  const Task* task = &default_task();
  std::vector<Clip> pool, start, test, teacher;  // start is empty where it is drawn from the pool
  std::vector<Quarantined> quarantined;
  int64_t unlabelled_segments = 0;
  int64_t duplicates = 0;
  int64_t test_awaited = 0;  // test clips that people have not answered about yet
  std::string lists_id;      // hash of the lists' content: the version of the hidden truth
  std::unique_ptr<ClipReader> reader;          // at the recipe's input
  std::unique_ptr<ClipReader> teacher_reader;  // at the teacher's, where it differs; else null
  std::unique_ptr<ClipReader> second_reader;   // the same of the second of two oracles

  LabelSpace labels() const { return {classes.size(), *task}; }
  std::vector<Clip> clips() const;    // pool, start and test, in this order
  std::vector<Clip> askable() const;  // pool and start: what a strategy sees
  FilmedClips filmed() const;         // those of clips() by key
  std::vector<Quarantined> quarantine()
      const;  // videos that could not be used so far: `quarantined`, then those of the readers
  bool start_in_pool() const { return start.empty(); }
  int64_t pool_clips(
      const ArmOptions& arm) const;  // that a run may ask about: pool_size of them, or all
  int64_t source_clips(const ArmOptions& arm) const;   // that its initial ones are drawn from
  int64_t initial_clips(const ArmOptions& arm) const;  // that it starts from: start of them, or all
  AskedClips asked();         // what an oracle is asked about; refers to this
  AskedClips asked_second();  // and the second of two oracles
  ClipReader& teachers_reader() { return teacher_reader ? *teacher_reader : *reader; }
};

/// Throws Error: unreadable list (line), a class of the test set that nobody can learn, a list
/// without a usable clip, a test set that shares a source video with training or pool, a teacher
/// trained on the pool it answers for, or on initial clips that shall tell how often it is wrong, a
/// budget larger than the pool.
Dataset open_dataset(const Study& study, Progress& progress);

/// Throws Error: features in files that a student or a strategy reads are damaged, or a clip has
/// none. open_dataset asks this too.
void require_features(const Study& study, const Dataset& dataset);

/// Gives a dataset the readers of its study. Throws Error: a network at hand would be shown what it
/// was not made for.
void add_readers(const Study& study, Dataset& dataset);

/// Throws Error: the rounds of an arm want more than the pool has, or less than its shortest video
/// where people answer about whole videos. open_dataset asks this too.
void require_budgets(const Study& study, const Dataset& dataset);

/// Decodes the centre frames of every clip into the cache (and those for training, where much of a
/// list is trained on), where the study would do so anyway because it scores clips, or asks about
/// the whole pool, and takes out those that cannot be read: every arm then chooses from the same
/// clips. Wall seconds.
double drop_unreadable(const Study& study, Dataset& dataset, Progress& progress);

}  // namespace distal
