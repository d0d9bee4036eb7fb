#pragma once
// How it stands with the studies: what the dashboard shows.

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "distal/evaluation/statistics.h"
#include "distal/serve/options.h"
#include "distal/serve/pool.h"
#include "distal/serve/runner.h"
#include "distal/store/people_store.h"
#include "distal/store/store.h"

namespace distal::serve {

/// 95 % interval of a share, right of n. E. B. Wilson, Journal of the American Statistical
/// Association 22(158), 1927. n > 0.
Interval wilson(int64_t right, int64_t n);

/// Thread-safe.
class Studies {
 public:
  /// `runner` may be null.
  Studies(const ServeOptions& options, Pool<PeopleStore>& people, Pool<Store>& store,
          Runner* runner)
      : options_(options), people_(people), store_(store), runner_(runner) {}

  /// The study that is run here first, then those of the store, by name.
  std::vector<std::string> names();
  bool has(const std::string& name);
  /// Study of openapi.json.
  nlohmann::ordered_json summary(const std::string& name);
  /// StudyDetail; without `all`, as annotators see it.
  nlohmann::ordered_json detail(const std::string& name, bool all);
  /// The classes that an answer may name, in order; empty: any.
  std::vector<std::string> classes(const std::string& name);
  /// Of the study that is run here; empty: there is none.
  std::string run_state() const { return runner_ == nullptr ? "" : runner_->state(); }
  /// Null where it is not run here.
  Runner* runner(const std::string& name);

 private:
  struct Trials;
  bool is_served(const std::string& name) const;
  std::string arm_of(const std::string& run) const;
  std::vector<Store::Run> newest(const std::vector<Store::Run>& runs) const;
  Trials trials(const std::string& name);

  const ServeOptions& options_;
  Pool<PeopleStore>& people_;
  Pool<Store>& store_;
  Runner* runner_;
};

}  // namespace distal::serve
