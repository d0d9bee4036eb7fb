#include "distal/base/error.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// A finished run keeps its status; every other is at work again.
constexpr const char* kDone = "done";

std::optional<Store::Run> find_run(soci::session& sql, const std::string& key) {
  Store::Run run;
  sql << "SELECT id, run_key, name, seed, recipe, revision, status, created FROM runs WHERE run_key = :k", use(key), into(run.id),
      into(run.key), into(run.name), into(run.seed), into(run.recipe), into(run.revision), into(run.status), into(run.created);
  if (!sql.got_data()) return std::nullopt;
  return run;
}

void insert_run(soci::session& sql, Store::Run& run) {
  sql << "SELECT COALESCE(MAX(id), 0) + 1 FROM runs", into(run.id);
  sql << "INSERT INTO runs (id, run_key, name, seed, recipe, revision, status, created) VALUES (:i, :k, :n, :s, :r, :v, :t, :c)",
      use(run.id), use(run.key), use(run.name), use(run.seed), use(run.recipe), use(run.revision), use(run.status), use(run.created);
}

void set_status(soci::session& sql, int64_t run, const std::string& status) {
  sql << "UPDATE runs SET status = :s WHERE id = :i", use(status), use(run);
}

std::optional<StoredRound> find_round(soci::session& sql, int64_t run, int64_t round) {
  StoredRound found{round};
  sql << "SELECT answers, seconds, price, metrics_json, picks_json FROM rounds WHERE run = :r AND round = :n", use(run), use(round),
      into(found.answers), into(found.seconds), into(found.price), into(found.metrics_json), into(found.picks_json);
  if (!sql.got_data()) return std::nullopt;
  return found;
}

bool equal(const StoredRound& a, const StoredRound& b) {
  return a.round == b.round && a.answers == b.answers && a.seconds == b.seconds && a.price == b.price &&
         a.metrics_json == b.metrics_json && a.picks_json == b.picks_json;
}

}  // namespace

void need_run(soci::session& sql, int64_t run) {
  int64_t count = 0;
  sql << "SELECT COUNT(*) FROM runs WHERE id = :i", use(run), into(count);
  if (count == 0) fail("store: there is no run {}; begin_or_continue makes one", run);
}

Store::Run Store::begin_or_continue(const std::string& key, const std::string& name, int64_t seed, const std::string& recipe,
                                    const std::string& revision) {
  const Run run = state_->db.write([&](soci::session& sql) {
    if (auto found = find_run(sql, key)) return *found;
    Run made{0, key, name, recipe, revision, "running", seed, utc_now()};
    insert_run(sql, made);
    return made;
  });
  state_->locks.try_emplace(run.id, fmt::format("{}.run-{}.lock", state_->db.path(), run.id), "run " + run.name, "use another --store");
  // Read again: its last owner may have finished it before the lock was ours.
  return state_->db.write([&](soci::session& sql) {
    const Run found = *find_run(sql, key);
    if (found.status != kDone) set_status(sql, found.id, "running");
    return found;
  });
}

void Store::finish(int64_t run, const std::string& status) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    set_status(sql, run, status);
  });
  state_->locks.erase(run);
}

std::vector<Store::Run> Store::runs() {
  return state_->db.read([](soci::session& sql) {
    std::vector<Run> all;
    Run run;
    soci::statement rows = (sql.prepare << "SELECT id, run_key, name, seed, recipe, revision, status, created FROM runs ORDER BY id",
                            into(run.id), into(run.key), into(run.name), into(run.seed), into(run.recipe), into(run.revision),
                            into(run.status), into(run.created));
    for (rows.execute(); rows.fetch();) all.push_back(run);
    return all;
  });
}

void Store::put_round(int64_t run, const StoredRound& round) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    if (const auto found = find_round(sql, run, round.round)) {
      if (!equal(*found, round)) fail("store: round {} of run {} is stored already, with other content; a round is never replaced", round.round, run);
      return;
    }
    sql << "INSERT INTO rounds (run, round, answers, seconds, price, metrics_json, picks_json) VALUES (:r, :n, :a, :s, :p, :m, :k)",
        use(run), use(round.round), use(round.answers), use(round.seconds), use(round.price), use(round.metrics_json),
        use(round.picks_json);
  });
}

std::vector<StoredRound> Store::rounds(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<StoredRound> all;
    StoredRound round;
    soci::statement rows =
        (sql.prepare << "SELECT round, answers, seconds, price, metrics_json, picks_json FROM rounds WHERE run = :r ORDER BY round",
         use(run), into(round.round), into(round.answers), into(round.seconds), into(round.price), into(round.metrics_json),
         into(round.picks_json));
    for (rows.execute(); rows.fetch();) all.push_back(round);
    return all;
  });
}

void Store::event(int64_t run, const std::string& kind, const std::string& text) {
  state_->db.write([&](soci::session& sql) {
    if (run != 0) need_run(sql, run);
    soci::indicator whose = run == 0 ? soci::i_null : soci::i_ok;
    const std::string time = utc_now();
    sql << "INSERT INTO events (id, run, time, kind, text) SELECT COALESCE(MAX(id), 0) + 1, :r, :t, :k, :x FROM events",
        use(run, whose), use(time), use(kind), use(text);
  });
}

std::vector<Store::Event> Store::events(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<Event> all;
    Event event;
    soci::statement rows = (sql.prepare << "SELECT time, kind, text FROM events WHERE COALESCE(run, 0) = :r ORDER BY id", use(run),
                            into(event.time), into(event.kind), into(event.text));
    for (rows.execute(); rows.fetch();) all.push_back(event);
    return all;
  });
}

}  // namespace distal
