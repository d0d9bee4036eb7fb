#pragma once
// The schema of a store as numbered migrations. Migration k brings a store from version k-1 to k; the version a store has
// is its `PRAGMA user_version`. A migration that was published is never edited: a change is a new one at the end, and
// docs/database.md is changed with it. Only store/ includes this.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "distal/store/sql.h"

namespace distal {

/// `PRAGMA application_id` of a store: the letters "dstl". Other SQLite files are refused.
constexpr int64_t kApplicationId = 0x6473746c;

/// Row k holds migration k+1: its SQL statements, in order, in SQL that SQLite and PostgreSQL both take.
std::span<const std::span<const std::string_view>> migrations();

/// The version this program writes.
int64_t schema_version();

/// Brings the store up to schema_version(); safe when several processes open a new store at once. Throws Error for a newer
/// store and for an SQLite file of another program; soci_error for what SQLite refuses. `path` is for messages.
void migrate(soci::session& sql, const std::string& path);

}  // namespace distal
