#pragma once
// The studies that are run here: that of the recipe, and its branches.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "distal/serve/options.h"
#include "distal/serve/pool.h"
#include "distal/serve/runner.h"
#include "distal/store/people_store.h"

namespace distal::serve {

/// Thread-safe. A study that is here stays.
class Served {
 public:
  Served(const ServeOptions& options, Pool<PeopleStore>& people);
  /// Stops all of them at once.
  ~Served();

  /// Starts the study of the recipe. Branches that were made earlier are stopped until somebody
  /// starts them.
  void begin();
  /// That of the recipe first.
  std::vector<std::string> names() const;
  /// Null where it is not run here.
  const ServedStudy* find(const std::string& name) const;
  /// Null also where nobody runs it.
  Runner* runner(const std::string& name) const;
  /// Of all in one text, which changes when a state does.
  std::string states() const;

  /// What a branch may change. Throws Refusal: 409, no branch can be made of the study.
  std::vector<RecipeOption> options(const std::string& name);
  /// Makes a branch, and starts it. Throws Refusal: 409, the same, or the name is taken; 422, the
  /// recipe's reader refuses an option.
  void branch(const BranchWish& wish, bool start);

 private:
  struct One {
    ServedStudy study;
    std::unique_ptr<Runner> runner;
  };
  const One* one(const std::string& name) const;
  One* add(const ServedStudy& study);
  void require_branches(const std::string& name) const;

  const ServeOptions& options_;
  Pool<PeopleStore>& people_;
  std::mutex branching_;      // one branch at a time
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<One>> all_;
};

}  // namespace distal::serve
