#include "distal/store/database.h"

#include <chrono>
#include <ctime>
#include <filesystem>

#include <soci/sqlite3/soci-sqlite3.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/store/schema.h"

namespace distal {
namespace {

constexpr int kBusy_s = 60, kLook_ms = 20, kFarewell_ms = 1000;

sqlite_api::sqlite3* handle(soci::session& sql) {
  return static_cast<soci::sqlite3_session_backend*>(sql.get_backend())->conn_;
}

std::string path_of(const std::string& url) {
  if (url.starts_with("postgresql:"))
    fail("store {}: this build has no PostgreSQL; use sqlite:PATH", url);
  if (!url.starts_with("sqlite:")) fail("store {}: not a store URL; it would be sqlite:PATH, as sqlite:distal.db", url);
  const std::string path = url.substr(7);
  if (path.empty() || path.starts_with(":")) fail("store {}: no file named; it would be sqlite:PATH, as sqlite:distal.db", url);
  if (path.find('"') != std::string::npos) fail("store {}: a quotation mark in the path; choose another name", url);
  return std::filesystem::absolute(path).lexically_normal().string();
}

void check_place(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("store {}: a directory; name a file in it", path.string());
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    fail("store {}: no regular file but a device, pipe or socket; name a file", path.string());
  if (!std::filesystem::is_directory(path.parent_path(), ignored))
    fail("store {}: the directory {} does not exist; make it with mkdir -p", path.string(), path.parent_path().string());
}

// SQLite's own wait hears no signal. `wait` is a LockWait; `tries` begins anew with each lock.
int wait_while_busy(void* wait, int tries) {
  auto& so_far = *static_cast<LockWait*>(wait);
  if (tries == 0) so_far.waited_ms = so_far.after_signal_ms = 0;
  const bool ends = interrupted() && so_far.after_signal_ms >= so_far.most_after_signal_ms;
  if (ends || so_far.waited_ms >= 1000 * kBusy_s) return 0;
  const int ms = sqlite_api::sqlite3_sleep(kLook_ms);  // where SQLite can sleep for whole seconds only, it says so
  so_far.waited_ms += ms;
  if (interrupted()) so_far.after_signal_ms += ms;
  return 1;
}

// Changing to WAL needs the file alone and does not wait for other processes by itself.
void use_wal(soci::session& sql, LockWait& wait) {
  for (int tries = 0;; ++tries) {
    std::string mode;
    try {
      sql << "PRAGMA journal_mode", soci::into(mode);
      if (mode != "wal") sql << "PRAGMA journal_mode = WAL", soci::into(mode);
      if (mode != "wal") throw soci::sqlite3_soci_error("the file system cannot hold a WAL", SQLITE_IOERR);
      return;
    } catch (const soci::sqlite3_soci_error& error) {
      if (error.result() != SQLITE_BUSY || !wait_while_busy(&wait, tries)) throw;
    }
  }
}

}  // namespace

Transaction::Transaction(soci::session& sql) : sql_(sql) { sql_ << "BEGIN IMMEDIATE"; }

Transaction::~Transaction() {
  // A full disk makes SQLite roll back by itself.
  if (open_ && sqlite_api::sqlite3_get_autocommit(handle(sql_)) == 0)
    sqlite_api::sqlite3_exec(handle(sql_), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  sql_ << "COMMIT";
  open_ = false;
}

Database::Database(const std::string& url) : path_(path_of(url)) {
  check_place(path_);
  try {
    open();
  } catch (const soci::soci_error& error) {
    explain(error);
  }
}

void Database::open() {
  sql_.open(soci::sqlite3, fmt::format("dbname=\"{}\" timeout={}", path_, kBusy_s));
  sqlite_api::sqlite3_busy_handler(handle(sql_), wait_while_busy, &wait_);
  sql_ << "PRAGMA synchronous = FULL";
  sql_ << "PRAGMA foreign_keys = ON";
  migrate(sql_, path_);  // before WAL, which writes: a file that is refused stays as it was
  use_wal(sql_, wait_);
}

Database::PaidWrite::PaidWrite(LockWait& wait) : wait_(wait) { wait_.most_after_signal_ms = kFarewell_ms; }

Database::PaidWrite::~PaidWrite() { wait_.most_after_signal_ms = 0; }

void Database::explain(const soci::soci_error& error) const {
  const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  switch (sqlite ? sqlite->result() & 0xff : SQLITE_ERROR) {
    case SQLITE_NOTADB: fail("store {}: not a store (not an SQLite file); name another file with --store", path_);
    case SQLITE_CORRUPT: fail("store {}: the file is damaged; restore a copy, or try the command .recover of the SQLite shell on it", path_);
    case SQLITE_FULL: fail("store {}: the disk is full; free some space, then repeat the command: it continues", path_);
    case SQLITE_IOERR:
      fail("store {}: cannot be written or read (disk full, quota, file size limit, a file system without locks, or a broken disk); mend that, then "
           "repeat the command: it continues", path_);
    case SQLITE_READONLY: fail("store {}: read-only; give yourself the right to write the file and its directory (chmod u+w)", path_);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: fail("store {}: cannot be opened; check that you may write the file and its directory", path_);
    case SQLITE_BUSY:
      Progress::check_interrupted();  // which ended the wait: whoever holds the lock is not to blame
      [[fallthrough]];
    case SQLITE_LOCKED: fail("store {}: another process kept it locked for {} s; stop that process, then repeat", path_, kBusy_s);
    case SQLITE_NOMEM: fail("store {}: no memory left for a query; stop what else runs, then repeat the command: it continues", path_);
    case SQLITE_CONSTRAINT:
      fail("store {}: what was to be written contradicts what is there, so nothing of it was; another program has written into it: restore a copy, or name "
           "another file with --store", path_);
    default: fail("store {}: its tables are not as distal makes them (another program's file, or changed by hand); restore a copy, or name another file with --store", path_);
  }
}

std::string utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = milliseconds / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", text, milliseconds % 1000);
}

}  // namespace distal
