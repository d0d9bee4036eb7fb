#pragma once
// One connection to the database of a store, and its transactions. Only store/ includes this; one
// thread at a time.

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "distal/base/error.h"
#include "distal/store/dialect.h"

namespace distal {

/// A transaction that writes (Dialect::begin). Rolled back when destroyed without commit().
class Transaction {
 public:
  Transaction(Dialect& dialect, soci::session& sql);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  void commit();

 private:
  Dialect& dialect_;
  soci::session& sql_;
  bool open_ = true;
};

class Database {
 public:
  /// Opens the store at `url`, makes it where it is absent and brings it to the newest schema.
  /// Throws Error.
  explicit Database(const std::string& url);

  const Dialect& dialect() const { return *dialect_; }

  /// `work(session)`, each statement for itself. What the database refuses becomes an Error with
  /// the place and a cure.
  template <class Work>
  auto read(Work&& work) {
    try {
      return work(sql_);
    } catch (const soci::soci_error& error) {
      throw Error(dialect_->explain(error));
    }
  }

  /// `work(session)` as one transaction: all of it or nothing.
  template <class Work>
  auto write(Work&& work) {
    return read([&](soci::session& sql) {
      Transaction transaction(*dialect_, sql);
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

  /// The same for what was paid for and would be paid again: where another process holds the lock,
  /// a signal ends the wait a second later, not at once.
  template <class Work>
  auto write_paid(Work&& work) {
    const PaidWrite paid(*dialect_);
    return write(std::forward<Work>(work));
  }

 private:
  class PaidWrite {
   public:
    explicit PaidWrite(Dialect& dialect);
    ~PaidWrite();
    PaidWrite(const PaidWrite&) = delete;

   private:
    Dialect& dialect_;
  };

  std::unique_ptr<Dialect> dialect_;  // outlives sql_, whose waits it counts
  soci::session sql_;
};

/// The time now, as utc_text has it.
std::string utc_now();

}  // namespace distal
