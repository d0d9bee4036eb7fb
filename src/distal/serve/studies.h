#pragma once
// How it stands with the studies: what the dashboard shows.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "distal/evaluation/round_result.h"
#include "distal/evaluation/statistics.h"
#include "distal/serve/pool.h"
#include "distal/serve/served.h"
#include "distal/store/people_store.h"
#include "distal/store/store.h"

namespace distal::serve {

/// 95 % interval of a share, right of n. E. B. Wilson, Journal of the American Statistical
/// Association 22(158), 1927. n > 0.
Interval wilson(int64_t right, int64_t n);

/// Rounds of trials. Thread-safe. A round is parsed once, and a run that is done is read once.
class RoundCache {
 public:
  std::vector<RoundResult> rounds(Store& store, const Store::Run& run);

 private:
  struct Held {
    std::vector<RoundResult> rounds;
    bool done = false;
  };
  std::mutex mutex_;  // guards what follows
  std::map<int64_t, Held> by_run_;
};

/// Thread-safe.
class Studies {
 public:
  Studies(Served& served, Pool<PeopleStore>& people, Pool<Store>& store)
      : served_(served), people_(people), store_(store) {}

  /// Those that are run here first, then those of the store, by name.
  std::vector<std::string> names();
  bool has(const std::string& name);
  /// Study of openapi.json.
  nlohmann::ordered_json summary(const std::string& name);
  /// StudyDetail; without `all`, as annotators see it.
  nlohmann::ordered_json detail(const std::string& name, bool all);
  /// The classes that an answer may name, in order; empty: any.
  std::vector<std::string> classes(const std::string& name);

  /// StudyEvents of the rounds that were measured since the last call; of the first call none.
  std::vector<nlohmann::ordered_json> new_points();

 private:
  struct Trials;
  std::string arm_of(const ServedStudy& study, const std::string& run) const;
  std::vector<Store::Run> newest(const ServedStudy& study, const std::vector<Store::Run>& runs);
  Trials trials(const std::string& name);

  Served& served_;
  Pool<PeopleStore>& people_;
  Pool<Store>& store_;
  RoundCache cache_;
  std::optional<std::map<int64_t, size_t>> told_;  // rounds by run, for the caller of new_points
};

}  // namespace distal::serve
