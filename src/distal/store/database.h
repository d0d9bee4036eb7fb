#pragma once
// One connection to the SQLite file of a store, and its transactions. Only store/ includes this; one thread at a time.

#include <string>
#include <type_traits>
#include <utility>

#include "distal/store/sql.h"

namespace distal {

/// BEGIN IMMEDIATE: the write lock is taken before the first read, so what was read stays true until the commit.
/// Rolled back when destroyed without commit().
class Transaction {
 public:
  explicit Transaction(soci::session& sql);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  void commit();

 private:
  soci::session& sql_;
  bool open_ = true;
};

/// The wait for a lock that another process holds.
struct LockWait {
  int waited_ms = 0, after_signal_ms = 0;  // so far
  int most_after_signal_ms = 0;            // how long it goes on after SIGINT or SIGTERM
};

class Database {
 public:
  /// `sqlite:PATH`; makes the file, brings it to the newest schema. WAL, foreign keys on, waits 60 s for a lock,
  /// synchronous=FULL: an answer costs money and its commit must outlive a power cut, which NORMAL does not promise in
  /// WAL mode; one fsync per answer is small beside what an answer costs. Throws Error.
  explicit Database(const std::string& url);

  const std::string& path() const { return path_; }  // absolute

  /// `work(session)`, each statement for itself. What SQLite refuses becomes an Error with the path and a cure.
  template <class Work>
  auto read(Work&& work) {
    try {
      return work(sql_);
    } catch (const soci::soci_error& error) {
      explain(error);
    }
  }

  /// `work(session)` as one transaction: all of it or nothing.
  template <class Work>
  auto write(Work&& work) {
    return read([&](soci::session& sql) {
      Transaction transaction(sql);
      if constexpr (std::is_void_v<decltype(work(sql))>) {
        work(sql);
        transaction.commit();
      } else {
        auto result = work(sql);
        transaction.commit();
        return result;
      }
    });
  }

  /// The same for what was paid for and would be paid again: where another process holds the lock, a signal ends the wait a second later, not
  /// at once.
  template <class Work>
  auto write_paid(Work&& work) {
    const PaidWrite paid(wait_);
    return write(std::forward<Work>(work));
  }

 private:
  class PaidWrite {
   public:
    explicit PaidWrite(LockWait& wait);
    ~PaidWrite();
    PaidWrite(const PaidWrite&) = delete;

   private:
    LockWait& wait_;
  };

  [[noreturn]] void explain(const soci::soci_error& error) const;
  void open();

  std::string path_;
  LockWait wait_;  // of sql_
  soci::session sql_;
};

/// The time now, UTC, as 2026-01-31T12:00:00.000Z.
std::string utc_now();

}  // namespace distal
