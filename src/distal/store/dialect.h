#pragma once
// What one kind of database does its own way: how a store is found, opened, locked and versioned,
// and how it spells what standard SQL leaves open. The rest of the room speaks SQL that SQLite and
// PostgreSQL both take. Only store/ includes this.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "distal/store/sql.h"

namespace distal {

/// Serves one connection, in one thread.
class Dialect {
 public:
  virtual ~Dialect() = default;

  /// Where the store is, for messages.
  virtual const std::string& place() const = 0;

  /// Opens the connection and changes nothing in the store. Throws Error: the place cannot be a
  /// store's; soci_error.
  virtual void connect(soci::session& sql) = 0;
  /// Called once the schema is the newest: what writes, and foreign keys, which a migration must
  /// do without.
  virtual void settle(soci::session& sql) = 0;

  // Transactions. One that writes holds off every other writer from its first statement to its end,
  // so what it has read stays true until it commits.
  virtual void begin(soci::session& sql) = 0;
  /// Also where the database has done so by itself.
  virtual void roll_back(soci::session& sql) noexcept = 0;
  /// How long a wait for another writer goes on after SIGINT or SIGTERM; 0 at first.
  virtual void wait_after_signal(int ms) = 0;

  // The schema
  /// The version that the store says it has; 0 for a new one.
  virtual int64_t version(soci::session& sql) const = 0;
  /// Marks the database as a store of that version.
  virtual void set_version(soci::session& sql, int64_t version) = 0;
  /// Whether the database holds something, and no store.
  virtual bool is_foreign(soci::session& sql) const = 0;
  /// Executes a statement of a migration, which is written in PostgreSQL's SQL.
  virtual void migrate(soci::session& sql, std::string_view statement) = 0;

  // Spellings
  /// An expression: the database's own clock, in milliseconds since 1970, UTC.
  virtual const char* now_ms() const = 0;
  /// The parameter number `index`, from 0, of a statement whose parameters are bound by place.
  virtual std::string parameter(int64_t index) const = 0;
  /// Parameters that one statement may have.
  virtual int64_t most_parameters() const = 0;

  /// What the database refused, with the place and a cure. Throws Interrupted where a signal ended
  /// a wait.
  virtual std::string explain(const soci::soci_error& error) const = 0;
};

/// The dialect that the url's scheme names. Throws Error: no store URL, or one of a database that
/// this build has not.
std::unique_ptr<Dialect> dialect_of(const std::string& url);

/// One file; `rest` is the url without `sqlite:`. Throws Error: no file can be meant.
std::unique_ptr<Dialect> sqlite_dialect(const std::string& url, const std::string& rest);

}  // namespace distal
