#pragma once
// What a Store is made of, for the sources of store/ only.

#include <string>
#include <vector>

#include "distal/store/database.h"
#include "distal/store/leases.h"
#include "distal/store/store.h"

namespace distal {

struct Store::State {
  State(const std::string& url, const LeaseTimes& times);
  ~State();

  /// Whether nobody else has the run, and nobody has had it since this Store took it; within a
  /// transaction.
  bool has(soci::session& sql, int64_t run) const;
  /// Throws InUse where others have taken it over.
  void need_lease(soci::session& sql, int64_t run) const;

  Database db;
  Leases leases;
};

/// 128 random bits, hexadecimal.
std::string random_key();

/// Gives each clip that has none a row in `clips`; within a transaction.
void add_clip_rows(soci::session& sql, const Dialect& dialect,
                   const std::vector<std::string>& keys);

/// Throws Error where there is no such run.
void need_run(soci::session& sql, int64_t run);

}  // namespace distal
