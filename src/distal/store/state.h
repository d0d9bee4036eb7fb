#pragma once
// What a Store is made of, for the sources of store/ only.

#include <map>

#include "distal/base/files.h"
#include "distal/store/database.h"
#include "distal/store/store.h"

namespace distal {

struct Store::State {
  explicit State(const std::string& url) : db(url) {}
  Database db;
  std::map<int64_t, FileLock> locks;  // by run: one process at a time, on PATH.run-ID.lock
};

/// The row of a clip in `clips`, made if absent; to be called within a transaction.
int64_t clip_row(soci::session& sql, const std::string& key);

/// Throws Error where there is no such run.
void need_run(soci::session& sql, int64_t run);

}  // namespace distal
