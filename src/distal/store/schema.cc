#include "distal/store/schema.h"

#include <array>

#include "distal/base/error.h"
#include "distal/store/database.h"

namespace distal {
namespace {

constexpr std::array<std::string_view, 8> kTables = {
    R"(CREATE TABLE videos (
         id TEXT PRIMARY KEY NOT NULL,
         path TEXT NOT NULL,
         duration_s DOUBLE PRECISION NOT NULL))",
    R"(CREATE TABLE clips (
         id BIGINT PRIMARY KEY NOT NULL,
         clip_key TEXT NOT NULL UNIQUE,
         video TEXT NOT NULL,
         start_ms BIGINT NOT NULL,
         end_ms BIGINT NOT NULL))",
    R"(CREATE INDEX clips_of_video ON clips (video))",
    R"(CREATE TABLE runs (
         id BIGINT PRIMARY KEY NOT NULL,
         run_key TEXT NOT NULL UNIQUE,
         name TEXT NOT NULL,
         seed BIGINT NOT NULL,
         recipe TEXT NOT NULL,
         revision TEXT NOT NULL,
         status TEXT NOT NULL,
         created TEXT NOT NULL))",
    R"(CREATE TABLE requests (
         clip BIGINT NOT NULL REFERENCES clips (id),
         oracle TEXT NOT NULL,
         version TEXT NOT NULL,
         idempotency_key TEXT NOT NULL UNIQUE,
         state TEXT NOT NULL CHECK (state IN ('open', 'paid')),
         PRIMARY KEY (clip, oracle, version)))",
    R"(CREATE TABLE answers (
         clip BIGINT NOT NULL REFERENCES clips (id),
         oracle TEXT NOT NULL,
         version TEXT NOT NULL,
         probabilities TEXT NOT NULL,
         price DOUBLE PRECISION NOT NULL,
         seconds DOUBLE PRECISION NOT NULL,
         answered TEXT NOT NULL,
         PRIMARY KEY (clip, oracle, version)))",
    R"(CREATE TABLE reservations (
         run BIGINT NOT NULL REFERENCES runs (id),
         clip BIGINT NOT NULL REFERENCES clips (id),
         round BIGINT NOT NULL,
         position BIGINT NOT NULL,
         seconds DOUBLE PRECISION NOT NULL,
         price DOUBLE PRECISION NOT NULL,
         PRIMARY KEY (run, clip),
         UNIQUE (run, position)))",
    R"(CREATE TABLE rounds (
         run BIGINT NOT NULL REFERENCES runs (id),
         round BIGINT NOT NULL,
         answers BIGINT NOT NULL,
         seconds DOUBLE PRECISION NOT NULL,
         price DOUBLE PRECISION NOT NULL,
         metrics_json TEXT NOT NULL,
         picks_json TEXT NOT NULL,
         PRIMARY KEY (run, round)))"};

constexpr std::array<std::string_view, 2> kEvents = {
    R"(CREATE TABLE events (
         id BIGINT PRIMARY KEY NOT NULL,
         run BIGINT REFERENCES runs (id),
         time TEXT NOT NULL,
         kind TEXT NOT NULL,
         text TEXT NOT NULL))",
    R"(CREATE INDEX events_of_run ON events (run))"};

constexpr std::array<std::string_view, 2> kHealth = {
    R"(ALTER TABLE videos ADD COLUMN health DOUBLE PRECISION NOT NULL DEFAULT 1)",
    R"(ALTER TABLE videos ADD COLUMN quarantined TEXT NOT NULL DEFAULT '')"};

// A request is several clips sent at once under one key. What was asked clip by clip before becomes requests of one clip.
constexpr std::array<std::string_view, 6> kRequestGroups = {
    R"(CREATE TABLE request_groups (
         id BIGINT PRIMARY KEY NOT NULL,
         oracle TEXT NOT NULL,
         version TEXT NOT NULL,
         idempotency_key TEXT NOT NULL UNIQUE,
         state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'lost'))))",
    R"(CREATE TABLE request_clips (
         request BIGINT NOT NULL REFERENCES request_groups (id),
         position BIGINT NOT NULL,
         clip BIGINT NOT NULL REFERENCES clips (id),
         PRIMARY KEY (request, position),
         UNIQUE (request, clip)))",
    R"(CREATE INDEX requests_of_clip ON request_clips (clip))",
    R"(INSERT INTO request_groups (id, oracle, version, idempotency_key, state)
         SELECT ROW_NUMBER() OVER (ORDER BY clip, oracle, version), oracle, version, idempotency_key, state FROM requests)",
    R"(INSERT INTO request_clips (request, position, clip)
         SELECT request_groups.id, 1, requests.clip FROM requests
         JOIN request_groups ON request_groups.idempotency_key = requests.idempotency_key)",
    R"(DROP TABLE requests)"};

// What an oracle answered, and was probably paid for, but nobody can use.
constexpr std::array<std::string_view, 2> kRefusals = {
    R"(CREATE TABLE refusals (
         request BIGINT NOT NULL REFERENCES request_groups (id),
         clip BIGINT NOT NULL REFERENCES clips (id),
         reason TEXT NOT NULL,
         price DOUBLE PRECISION NOT NULL,
         refused TEXT NOT NULL,
         asked_again TEXT NOT NULL DEFAULT '',
         PRIMARY KEY (request, clip)))",
    R"(CREATE INDEX refusals_of_clip ON refusals (clip))"};

constexpr std::array<std::span<const std::string_view>, 5> kMigrations = {kTables, kEvents, kHealth, kRequestGroups, kRefusals};

int64_t number(soci::session& sql, const char* query) {
  int64_t value = 0;
  sql << query, soci::into(value);
  return value;
}

void refuse_strangers(soci::session& sql, const std::string& path) {
  const int64_t version = number(sql, "PRAGMA user_version"), application = number(sql, "PRAGMA application_id");
  const bool empty = number(sql, "SELECT COUNT(*) FROM sqlite_master") == 0;
  if (application != kApplicationId && !(empty && version == 0))
    fail("store {}: this SQLite file belongs to another program; name another file with --store", path);
  if (version > schema_version())
    fail("store {}: its schema has version {} and this distal knows versions up to {}; use a newer distal, or another --store",
         path, version, schema_version());
}

}  // namespace

std::span<const std::span<const std::string_view>> migrations() { return kMigrations; }

int64_t schema_version() { return static_cast<int64_t>(kMigrations.size()); }

void migrate(soci::session& sql, const std::string& path) {
  if (number(sql, "PRAGMA user_version") == schema_version() && number(sql, "PRAGMA application_id") == kApplicationId) return;
  Transaction transaction(sql);  // another process may be at the same
  refuse_strangers(sql, path);
  for (int64_t version = number(sql, "PRAGMA user_version"); version < schema_version(); ++version)
    for (const std::string_view statement : kMigrations[version]) sql << std::string(statement);
  sql << fmt::format("PRAGMA application_id = {}", kApplicationId);
  sql << fmt::format("PRAGMA user_version = {}", schema_version());
  transaction.commit();
}

}  // namespace distal
