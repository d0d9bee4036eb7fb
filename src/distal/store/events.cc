#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

}  // namespace

void Store::event(int64_t run, const std::string& kind, const std::string& text) {
  const std::string time = utc_now();
  state_->db.write([&](soci::session& sql) {
    if (run != 0) need_run(sql, run);
    soci::indicator whose = run == 0 ? soci::i_null : soci::i_ok;
    sql << "INSERT INTO events (run, time, kind, text) VALUES (:r, :t, :k, :x)", use(run, whose),
        use(time), use(kind), use(text);
  });
}

std::vector<Store::Event> Store::events(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<Event> all;
    Event event;
    soci::statement rows =
        (sql.prepare << "SELECT time, kind, text FROM events WHERE COALESCE(run, 0) = :r "
                        "ORDER BY id",
         use(run), into(event.time), into(event.kind), into(event.text));
    for (rows.execute(); rows.fetch();) all.push_back(event);
    return all;
  });
}

}  // namespace distal
