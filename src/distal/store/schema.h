#pragma once
// The schema of a store as numbered migrations. Migration k brings a store from version k-1 to k.
// A migration that was published is never edited: a change is a new one at the end, and
// docs/database.md is changed with it. Only store/ includes this.

#include <cstdint>
#include <span>
#include <string_view>

#include "distal/store/dialect.h"

namespace distal {

/// Marks a database as a store: the letters "dstl".
constexpr int64_t kApplicationId = 0x6473746c;

/// Row k holds migration k+1: its SQL statements, in order, for Dialect::migrate.
std::span<const std::span<const std::string_view>> migrations();

/// The version this program writes.
int64_t schema_version();

/// Brings the store up to schema_version(); safe when several processes open a new store at once.
/// Throws Error for a newer store and for a database of another program; soci_error for what the
/// database refuses.
void migrate(Dialect& dialect, soci::session& sql);

}  // namespace distal
