// Everything that is SQLite's own.

#include <filesystem>
#include <vector>

#include <soci/sqlite3/soci-sqlite3.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/store/dialect.h"
#include "distal/store/schema.h"

namespace distal {
namespace {

constexpr int kBusy_s = 60;
constexpr int kLook_ms = 20;
// Rows of many items go to many places of an index: with SQLite's 2 MB most were read anew.
constexpr int kCache_KiB = 16'384;  // at most, a connection

/// The wait for a lock that another process holds.
struct LockWait {
  int waited_ms = 0;             // so far
  int after_signal_ms = 0;       // so far
  int most_after_signal_ms = 0;  // how long it goes on after SIGINT or SIGTERM
};

sqlite_api::sqlite3* handle(soci::session& sql) {
  return static_cast<soci::sqlite3_session_backend*>(sql.get_backend())->conn_;
}

// SQLite's own wait hears no signal. `wait` is a LockWait; `tries` begins anew with each lock.
int wait_while_busy(void* wait, int tries) {
  auto& so_far = *static_cast<LockWait*>(wait);
  if (tries == 0) {
    so_far.waited_ms = 0;
    so_far.after_signal_ms = 0;
  }
  const bool ends = interrupted() && so_far.after_signal_ms >= so_far.most_after_signal_ms;
  if (ends || so_far.waited_ms >= 1000 * kBusy_s) return 0;
  // Where SQLite can sleep for whole seconds only, it says so.
  const int ms = sqlite_api::sqlite3_sleep(kLook_ms);
  so_far.waited_ms += ms;
  if (interrupted()) so_far.after_signal_ms += ms;
  return 1;
}

int64_t number(soci::session& sql, const char* query) {
  int64_t value = 0;
  sql << query, soci::into(value);
  return value;
}

std::string path_of(const std::string& url, const std::string& rest) {
  if (rest.empty() || rest.starts_with(":")) {
    fail("store {}: no file named; it would be sqlite:PATH, as sqlite:distal.db", url);
  }
  if (rest.find('"') != std::string::npos) {
    fail("store {}: a quotation mark in the path; choose another name", url);
  }
  return std::filesystem::absolute(rest).lexically_normal().string();
}

void check_place(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    fail("store {}: a directory; name a file in it", path.string());
  }
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    fail("store {}: no regular file but a device, pipe or socket; name a file", path.string());
  }
  if (!std::filesystem::is_directory(path.parent_path(), ignored)) {
    fail("store {}: the directory {} does not exist; make it with mkdir -p", path.string(),
         path.parent_path().string());
  }
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// SQLite numbers rows by itself where the key is an INTEGER, and alters no column: the table is
// written anew. Nothing deletes rows, so no number comes twice, which is all that AUTOINCREMENT
// would add.
void number_rows(soci::session& sql, const std::string& table) {
  std::string create;
  sql << "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :t", soci::use(table),
      soci::into(create);
  const soci::rowset<std::string> made =
      (sql.prepare << "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :t AND "
                      "sql IS NOT NULL",
       soci::use(table));
  const std::vector<std::string> indices(made.begin(), made.end());
  create = replace_all(create, "id BIGINT PRIMARY KEY NOT NULL", "id INTEGER PRIMARY KEY NOT NULL");
  create = replace_all(create, "CREATE TABLE " + table, "CREATE TABLE numbered");
  sql << create;
  sql << fmt::format("INSERT INTO numbered SELECT * FROM {} ORDER BY id", table);
  sql << "DROP TABLE " + table;
  sql << "ALTER TABLE numbered RENAME TO " + table;
  for (const std::string& index : indices) sql << index;
}

// What SQLite's primary result code means, and its cure.
std::string refusal(int code) {
  switch (code) {
    case SQLITE_NOTADB: return "not a store (not an SQLite file); name another file with --store";
    case SQLITE_CORRUPT:
      return "the file is damaged; restore a copy, or try the command .recover of the SQLite shell "
             "on it";
    case SQLITE_FULL:
      return "the disk is full; free some space, then repeat the command: it continues";
    case SQLITE_IOERR:
      return "cannot be written or read (disk full, quota, file size limit, a file system without "
             "locks, or a broken disk); mend that, then repeat the command: it continues";
    case SQLITE_READONLY:
      return "read-only; give yourself the right to write the file and its directory (chmod u+w)";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "cannot be opened; check that you may write the file and its directory";
    case SQLITE_BUSY:
      check_interrupted();  // a signal ended the wait: nobody who holds the lock did
      [[fallthrough]];
    case SQLITE_LOCKED:
      return fmt::format("another process kept it locked for {} s; stop that process, then repeat",
                         kBusy_s);
    case SQLITE_NOMEM:
      return "no memory left for a query; stop what else runs, then repeat the command: it "
             "continues";
    case SQLITE_CONSTRAINT:
      return "what was to be written contradicts what is there, so nothing of it was; another "
             "program has written into it: restore a copy, or name another file with --store";
    default:
      return "its tables are not as distal makes them (another program's file, or changed by "
             "hand); restore a copy, or name another file with --store";
  }
}

class SqliteDialect : public Dialect {
 public:
  SqliteDialect(const std::string& url, const std::string& rest) : path_(path_of(url, rest)) {}

  const std::string& place() const override { return path_; }

  // synchronous = FULL: an answer costs money and its commit must outlive a power cut, which NORMAL
  // does not promise in WAL mode; one fsync per answer is small beside what an answer costs.
  void connect(soci::session& sql) override {
    check_place(path_);
    sql.open(soci::sqlite3, fmt::format("dbname=\"{}\" timeout={}", path_, kBusy_s));
    sqlite_api::sqlite3_busy_handler(handle(sql), wait_while_busy, &wait_);
    sql << "PRAGMA synchronous = FULL";
    sql << "PRAGMA foreign_keys = OFF";
    sql << fmt::format("PRAGMA cache_size = -{}", kCache_KiB);
  }

  // WAL comes after the migration because it writes: a file that is refused stays as it was.
  void settle(soci::session& sql) override {
    sql << "PRAGMA foreign_keys = ON";
    use_wal(sql);
  }

  // The write lock is taken before the first read.
  void begin(soci::session& sql) override { sql << "BEGIN IMMEDIATE"; }

  // A full disk makes SQLite roll back by itself.
  void roll_back(soci::session& sql) noexcept override {
    if (sqlite_api::sqlite3_get_autocommit(handle(sql)) == 0) {
      sqlite_api::sqlite3_exec(handle(sql), "ROLLBACK", nullptr, nullptr, nullptr);
    }
  }

  void wait_after_signal(int ms) override { wait_.most_after_signal_ms = ms; }

  int64_t version(soci::session& sql) const override { return number(sql, "PRAGMA user_version"); }

  void set_version(soci::session& sql, int64_t version) override {
    sql << fmt::format("PRAGMA application_id = {}", kApplicationId);
    sql << fmt::format("PRAGMA user_version = {}", version);
  }

  bool is_foreign(soci::session& sql) const override {
    if (number(sql, "PRAGMA application_id") == kApplicationId) return false;
    return version(sql) != 0 || number(sql, "SELECT COUNT(*) FROM sqlite_master") > 0;
  }

  void migrate(soci::session& sql, std::string_view statement) override {
    std::string text(statement);
    constexpr std::string_view kAlter = "ALTER TABLE ";
    const size_t column = text.find(" ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY");
    if (text.starts_with(kAlter) && column != std::string::npos) {
      return number_rows(sql, text.substr(kAlter.size(), column - kAlter.size()));
    }
    text = replace_all(text, "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
                       "INTEGER PRIMARY KEY NOT NULL");
    sql << replace_all(text, "STRPOS(", "INSTR(");
  }

  const char* now_ms() const override {
    return "CAST((JULIANDAY('now') - 2440587.5) * 86400000 AS BIGINT)";
  }

  // SQLite looks for each named parameter among all before it; these have no names.
  std::string parameter(int64_t) const override { return "?"; }

  // SQLITE_MAX_VARIABLE_NUMBER is 32766 where nobody who built SQLite said otherwise.
  int64_t most_parameters() const override { return 32'000; }

  std::string explain(const soci::soci_error& error) const override {
    const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
    const int code = sqlite ? sqlite->result() & 0xff : SQLITE_ERROR;
    return fmt::format("store {}: {}", path_, refusal(code));
  }

 private:
  // Changing to WAL needs the file alone and does not wait for other processes by itself.
  void use_wal(soci::session& sql) {
    for (int tries = 0;; ++tries) {
      std::string mode;
      try {
        sql << "PRAGMA journal_mode", soci::into(mode);
        if (mode != "wal") sql << "PRAGMA journal_mode = WAL", soci::into(mode);
        if (mode == "wal") return;
        throw soci::sqlite3_soci_error("the file system cannot hold a WAL", SQLITE_IOERR);
      } catch (const soci::sqlite3_soci_error& error) {
        if (error.result() != SQLITE_BUSY || !wait_while_busy(&wait_, tries)) throw;
      }
    }
  }

  std::string path_;
  LockWait wait_;
};

}  // namespace

std::unique_ptr<Dialect> sqlite_dialect(const std::string& url, const std::string& rest) {
  return std::make_unique<SqliteDialect>(url, rest);
}

}  // namespace distal
