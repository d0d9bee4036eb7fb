#pragma once
// Who works on a run. A lease says it for a while, by the clock of the database; a heartbeat renews
// it. Only store/ includes this.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "distal/store/database.h"
#include "distal/store/store.h"

namespace distal {

/// A process, as others can recognise it.
struct Owner {
  std::string host;  // the name of its machine, for people
  std::string boot;  // the boot of its machine, and its space of process ids; empty: unknown
  int64_t pid = 0;
  int64_t started = 0;  // clock ticks after the boot: a later process of that id has others
};

Owner this_process();

/// Whether the process has ended; only what has the same `boot` can be seen.
bool is_dead(const Owner& owner);

struct Lease {
  std::string holder;  // a Store
  Owner owner;         // its process
  int64_t left_ms = 0;

  /// Nobody may take the run.
  bool stands() const { return left_ms > 0 && !is_dead(owner); }
};

/// By run.
std::map<int64_t, Lease> all_leases(soci::session& sql, const Dialect& dialect);

/// `process 12`, `this process (12)` or `process 12 on HOST`.
std::string process_name(const Owner& owner);

/// The leases of one Store. Its thread renews them through a connection of its own: a step of
/// training may take minutes in which nobody calls the Store.
class Leases {
 public:
  Leases(std::string url, const LeaseTimes& times);
  ~Leases();  // ends the thread; what was taken stays so until it expires
  Leases(const Leases&) = delete;

  /// Makes the run this Store's, within a transaction that has seen that no lease of others stands.
  /// took() follows the commit.
  void take(soci::session& sql, const Dialect& dialect, int64_t run) const;
  void took(int64_t run);
  /// Frees the run, unless others have it by now, within a transaction. gave_back() follows the
  /// commit.
  void give_back(soci::session& sql, int64_t run) const;
  void gave_back(int64_t run);
  /// Ends the thread and frees every run.
  void close(Database& db);

  const LeaseTimes& times() const { return times_; }
  /// Whether the lease is one of this Store.
  bool is_mine(const Lease& lease) const { return lease.holder == holder_; }
  /// Whether this Store has taken the run and not given it back; it may have lost it since.
  bool has_taken(int64_t run) const { return taken_.contains(run); }

 private:
  void renew();
  void keep_renewing();
  void end_thread();

  const std::string url_, holder_;
  const LeaseTimes times_;
  std::set<int64_t> taken_;
  std::atomic<bool> has_any_ = false;  // for the thread

  std::mutex mutex_;
  std::condition_variable ending_;
  bool ends_ = false;
  std::thread heart_;
  std::unique_ptr<Database> db_;  // of the thread
};

}  // namespace distal
