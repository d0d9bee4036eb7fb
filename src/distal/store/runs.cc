#include <algorithm>

#include "distal/base/error.h"
#include "distal/base/in_use.h"
#include "distal/store/bulk.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// A finished run keeps its status; every other is at work again.
constexpr const char* kDone = "done";
constexpr const char* kQueued = "queued";
constexpr const char* kRunning = "running";
constexpr const char* kWaiting = "waiting";

constexpr const char* kRunColumns =
    "SELECT id, run_key, name, seed, recipe, revision, status, created FROM runs ";

std::optional<Store::Run> find_run(soci::session& sql, const std::string& key) {
  Store::Run run;
  sql << std::string(kRunColumns) + "WHERE run_key = :k", use(key), into(run.id), into(run.key),
      into(run.name), into(run.seed), into(run.recipe), into(run.revision), into(run.status),
      into(run.created);
  if (!sql.got_data()) return std::nullopt;
  return run;
}

void set_status(soci::session& sql, int64_t run, const std::string& status) {
  sql << "UPDATE runs SET status = :s WHERE id = :i", use(status), use(run);
}

/// A run that stands in the store.
struct Known {
  int64_t id = 0;
  std::string status;
};

// Of each trial, in their order; nothing where it has no run yet.
std::vector<std::optional<Known>> known_runs(soci::session& sql, const Dialect& dialect,
                                             const std::vector<Store::Trial>& trials) {
  std::vector<std::string> keys;
  for (const Store::Trial& trial : trials) keys.push_back(trial.key);
  std::vector<std::optional<Known>> all(trials.size());
  int64_t place = 0;
  Known run;
  Given(dialect)
      .column("run_key", keys)
      .each(
          sql,
          "SELECT place, id, status FROM given CROSS JOIN runs "
          "WHERE runs.run_key = given.run_key",
          [&] { all.at(place) = run; }, into(place), into(run.id), into(run.status));
  return all;
}

void insert_runs(soci::session& sql, const Dialect& dialect,
                 const std::vector<Store::Trial>& trials, const std::string& status) {
  std::vector<std::string> keys, names, recipes, revisions;
  std::vector<int64_t> seeds;
  for (const Store::Trial& trial : trials) {
    keys.push_back(trial.key);
    names.push_back(trial.name);
    seeds.push_back(trial.seed);
    recipes.push_back(trial.recipe);
    revisions.push_back(trial.revision);
  }
  const std::string now = utc_now();
  Given(dialect)
      .column("run_key", keys)
      .column("name", names)
      .column("seed", seeds)
      .column("recipe", recipes)
      .column("revision", revisions)
      .execute(sql,
               "INSERT INTO runs (run_key, name, seed, recipe, revision, status, created) "
               "SELECT run_key, name, seed, recipe, revision, :s, :c FROM given "
               "WHERE TRUE ORDER BY place ON CONFLICT (run_key) DO NOTHING",
               use(status), use(now));
}

// The runs of all trials, made where they are absent.
std::vector<Known> make_runs(soci::session& sql, const Dialect& dialect,
                             const std::vector<Store::Trial>& trials) {
  auto known = known_runs(sql, dialect, trials);
  std::vector<Store::Trial> missing;
  for (size_t i = 0; i < trials.size(); ++i) {
    if (!known[i]) missing.push_back(trials[i]);
  }
  if (!missing.empty()) {
    insert_runs(sql, dialect, missing, kQueued);
    known = known_runs(sql, dialect, trials);
  }
  std::vector<Known> all;
  for (const auto& run : known) all.push_back(run.value());
  return all;
}

bool is_leased(const std::map<int64_t, Lease>& leases, int64_t run) {
  const auto lease = leases.find(run);
  return lease != leases.end() && lease->second.stands();
}

Store::Run start_work(Store::Run run, soci::session& sql) {
  if (run.status != kDone) set_status(sql, run.id, kRunning);
  return run;
}

std::optional<StoredRound> find_round(soci::session& sql, int64_t run, int64_t round) {
  StoredRound found{round};
  sql << "SELECT answers, seconds, price, metrics_json, picks_json FROM rounds "
         "WHERE run = :r AND round = :n",
      use(run), use(round), into(found.answers), into(found.seconds), into(found.price),
      into(found.metrics_json), into(found.picks_json);
  if (!sql.got_data()) return std::nullopt;
  return found;
}

bool equal(const StoredRound& a, const StoredRound& b) {
  return a.round == b.round && a.answers == b.answers && a.seconds == b.seconds &&
         a.price == b.price && a.metrics_json == b.metrics_json && a.picks_json == b.picks_json;
}

std::string name_of_run(soci::session& sql, int64_t run) {
  std::string name;
  sql << "SELECT name FROM runs WHERE id = :i", use(run), into(name);
  return name;
}

}  // namespace

void need_run(soci::session& sql, int64_t run) {
  int64_t count = 0;
  sql << "SELECT COUNT(*) FROM runs WHERE id = :i", use(run), into(count);
  if (count == 0) fail("store: there is no run {}; begin_or_continue makes one", run);
}

bool Store::State::has(soci::session& sql, int64_t run) const {
  const auto all = all_leases(sql, db.dialect());
  const auto lease = all.find(run);
  if (lease != all.end() && leases.is_mine(lease->second)) return true;
  return !leases.has_taken(run) && !is_leased(all, run);
}

void Store::State::need_lease(soci::session& sql, int64_t run) const {
  if (has(sql, run)) return;
  const auto all = all_leases(sql, db.dialect());
  const auto lease = all.find(run);
  const std::string who =
      lease == all.end() ? "another process" : process_name(lease->second.owner);
  throw InUse(fmt::format(
      "run {}: {} took it over, since this process did not say for {:g} s that it is at work; what "
      "it did since is not stored. Let that process go on, and repeat this command for the rest",
      name_of_run(sql, run), who, leases.times().lease_s));
}

Store::Run Store::begin_or_continue(const std::string& key, const std::string& name, int64_t seed,
                                    const std::string& recipe, const std::string& revision) {
  const Dialect& dialect = state_->db.dialect();
  const Run run = state_->db.write([&](soci::session& sql) {
    if (!find_run(sql, key)) {
      insert_runs(sql, dialect, {{key, name, seed, recipe, revision}}, kRunning);
    }
    const Run found = find_run(sql, key).value();
    const auto leases = all_leases(sql, dialect);
    const auto lease = leases.find(found.id);
    if (lease == leases.end() || !state_->leases.is_mine(lease->second)) {
      if (is_leased(leases, found.id)) {
        throw InUse(fmt::format("run {}: {} is at work here; wait for it, stop it, or use another "
                                "--store",
                                found.name, process_name(lease->second.owner)));
      }
      state_->leases.take(sql, dialect, found.id);
    }
    return start_work(found, sql);
  });
  state_->leases.took(run.id);
  return run;
}

std::optional<Store::Run> Store::claim(const std::vector<Trial>& trials) {
  const Dialect& dialect = state_->db.dialect();
  const auto run = state_->db.write([&](soci::session& sql) -> std::optional<Run> {
    const std::vector<Known> known = make_runs(sql, dialect, trials);
    const auto leases = all_leases(sql, dialect);
    for (size_t i = 0; i < trials.size(); ++i) {
      if (known[i].status == kDone || is_leased(leases, known[i].id)) continue;
      state_->leases.take(sql, dialect, known[i].id);
      return start_work(find_run(sql, trials[i].key).value(), sql);
    }
    return std::nullopt;
  });
  if (run) state_->leases.took(run->id);
  return run;
}

Store::Standing Store::standing(const std::vector<Trial>& trials) {
  const Dialect& dialect = state_->db.dialect();
  return state_->db.read([&](soci::session& sql) {
    const auto leases = all_leases(sql, dialect);
    Standing standing;
    for (const auto& run : known_runs(sql, dialect, trials)) {
      if (!run) {
        ++standing.free;
      } else if (run->status == kDone) {
        ++standing.done;
      } else if (is_leased(leases, run->id)) {
        ++standing.leased;
      } else {
        ++(run->status == kWaiting ? standing.waiting : standing.free);
      }
    }
    return standing;
  });
}

void Store::finish(int64_t run, const std::string& status) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    if (state_->has(sql, run)) set_status(sql, run, status);
    state_->leases.give_back(sql, run);
  });
  state_->leases.gave_back(run);
}

std::vector<Store::Run> Store::runs() {
  return state_->db.read([](soci::session& sql) {
    std::vector<Run> all;
    Run run;
    soci::statement rows = (sql.prepare << std::string(kRunColumns) + "ORDER BY id", into(run.id),
                            into(run.key), into(run.name), into(run.seed), into(run.recipe),
                            into(run.revision), into(run.status), into(run.created));
    for (rows.execute(); rows.fetch();) all.push_back(run);
    return all;
  });
}

void Store::put_round(int64_t run, const StoredRound& round) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    state_->need_lease(sql, run);
    if (const auto found = find_round(sql, run, round.round)) {
      if (equal(*found, round)) return;
      fail("store: round {} of run {} is stored already, with other content; a round is never "
           "replaced",
           round.round, run);
    }
    sql << "INSERT INTO rounds (run, round, answers, seconds, price, metrics_json, picks_json) "
           "VALUES (:r, :n, :a, :s, :p, :m, :k)",
        use(run), use(round.round), use(round.answers), use(round.seconds), use(round.price),
        use(round.metrics_json), use(round.picks_json);
  });
}

std::vector<StoredRound> Store::rounds(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<StoredRound> all;
    StoredRound round;
    soci::statement rows =
        (sql.prepare << "SELECT round, answers, seconds, price, metrics_json, picks_json "
                        "FROM rounds WHERE run = :r ORDER BY round",
         use(run), into(round.round), into(round.answers), into(round.seconds), into(round.price),
         into(round.metrics_json), into(round.picks_json));
    for (rows.execute(); rows.fetch();) all.push_back(round);
    return all;
  });
}

}  // namespace distal
