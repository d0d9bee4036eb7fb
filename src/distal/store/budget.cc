#include <algorithm>
#include <cmath>

#include "distal/base/error.h"
#include "distal/store/bulk.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// Sums of doubles may be a rounding error above a budget they meet exactly.
bool fits(double spent, double limit) {
  return spent <= limit + 1e-9 * std::max(1.0, std::abs(limit));
}

// Each asking that brought nothing and was repeated. The first asking about a clip is its
// reservation's; one that costs nothing asks nobody: the labels that a run begins with are given.
double repeated(soci::session& sql, int64_t run, const Answerer& who) {
  double price = 0;
  sql << "SELECT COALESCE(SUM(refusals.price), 0.0) FROM refusals "
         "JOIN request_groups ON request_groups.id = refusals.request "
         "JOIN reservations ON reservations.clip = refusals.clip "
         "WHERE run = :r AND oracle = :o AND version = :v AND asked_again <> '' "
         "AND reservations.price > 0",
      use(run), use(who.oracle), use(who.version), into(price);
  return price;
}

// Summed here and in order: the last bits of a sum depend on its order, and SUM() promises none.
Store::Spent spent_by(soci::session& sql, int64_t run, const Answerer& who) {
  Store::Spent spent;
  double seconds = 0;
  double price = 0;
  soci::statement rows =
      (sql.prepare << "SELECT seconds, price FROM reservations WHERE run = :r ORDER BY id",
       use(run), into(seconds), into(price));
  for (rows.execute(); rows.fetch();) {
    ++spent.answers;
    spent.seconds += seconds;
    spent.price += price;
  }
  spent.price += repeated(sql, run, who);
  return spent;
}

void check(const char* what, double before, double after, double limit) {
  if (fits(after, limit)) return;
  fail("budget: {:.10g} {} are spent and {:.10g} more were asked for, {:.10g} above the {:.10g} "
       "allowed; raise the budget or ask for less",
       before, what, after - before, after - limit, limit);
}

void require_numbers(const std::vector<double>& values, const char* promise) {
  for (const double value : values) expect(value >= 0 && std::isfinite(value), promise);
}

// Which of the reserved clips are let go.
std::vector<std::string> late_clips(soci::session& sql, const Dialect& dialect, int64_t run,
                                    const Answerer& who, int64_t round,
                                    const std::vector<std::string>& clips, bool answered_too) {
  const int64_t all = answered_too ? 1 : 0;
  std::vector<std::string> late;
  std::string clip;
  Given(dialect)
      .column("clip_key", clips)
      .each(
          sql,
          "SELECT given.clip_key FROM given CROSS JOIN clips CROSS JOIN reservations "
          "WHERE clips.clip_key = given.clip_key AND reservations.clip = clips.id "
          "AND run = :r AND round = :n AND (CAST(:a AS BIGINT) = 1 OR NOT ("
          "  EXISTS (SELECT 1 FROM answers "
          "    WHERE answers.clip = clips.id AND oracle = :o1 AND version = :v1) "
          "  OR EXISTS (SELECT 1 FROM refusals "
          "    JOIN request_groups ON request_groups.id = refusals.request "
          "    WHERE refusals.clip = clips.id AND oracle = :o2 AND version = :v2 "
          "    AND asked_again = '') "
          "  OR EXISTS (SELECT 1 FROM items "
          "    JOIN request_groups ON idempotency_key = items.request "
          "    WHERE items.clip_key = given.clip_key AND oracle = :o3 "
          "    AND request_groups.version = :v3 AND request_groups.state = 'open' "
          "    AND items.state IN ('settled', 'left_out')))) ORDER BY place",
          [&] { late.push_back(clip); }, into(clip), use(run), use(round), use(all),
          use(who.oracle), use(who.version), use(who.oracle), use(who.version), use(who.oracle),
          use(who.version));
  return late;
}

// Open requests to people about the clips that no run waits for any more.
std::vector<std::string> unwanted_requests(soci::session& sql, const Dialect& dialect,
                                           const Answerer& who,
                                           const std::vector<std::string>& clips) {
  std::vector<std::string> requests;
  std::string request;
  Given(dialect)
      .column("clip_key", clips)
      .each(
          sql,
          "SELECT idempotency_key FROM given CROSS JOIN clips CROSS JOIN request_clips "
          "CROSS JOIN request_groups WHERE clips.clip_key = given.clip_key "
          "AND request_clips.clip = clips.id AND request_groups.id = request_clips.request "
          "AND oracle = :o AND version = :v AND state = 'open' "
          "AND EXISTS (SELECT 1 FROM items "
          "  WHERE items.request = idempotency_key AND items.state = 'open') "
          "AND NOT EXISTS (SELECT 1 FROM reservations "
          "  WHERE reservations.clip = clips.id AND NOT EXISTS (SELECT 1 FROM rounds "
          "    WHERE rounds.run = reservations.run AND rounds.round = reservations.round)) "
          "ORDER BY place",
          [&] { requests.push_back(request); }, into(request), use(who.oracle), use(who.version));
  return requests;
}

void withdraw_requests(soci::session& sql, const Dialect& dialect,
                       const std::vector<std::string>& requests) {
  for (const char* statement :
       {"DELETE FROM item_leases WHERE item IN (SELECT id FROM items "
        "WHERE state = 'open' AND request IN (SELECT given.request FROM given))",
        "UPDATE items SET state = 'withdrawn', places = 0, conflict = 0 "
        "WHERE state = 'open' AND request IN (SELECT given.request FROM given)",
        "UPDATE request_groups SET state = 'lost' "
        "WHERE state = 'open' AND idempotency_key IN (SELECT given.request FROM given)"})
    Given(dialect).column("request", requests).execute(sql, statement);
}

}  // namespace

void Store::reserve(int64_t run, const Answerer& who, int64_t round,
                    const std::vector<std::string>& clips, const std::vector<double>& seconds,
                    const std::vector<double>& price, double max_answers, double max_seconds,
                    double max_price) {
  expect(clips.size() == seconds.size() && clips.size() == price.size(),
         "reserve: one length and one price per clip");
  expect(!std::isnan(max_answers) && !std::isnan(max_seconds) && !std::isnan(max_price),
         "reserve: the limits are numbers");
  require_numbers(seconds, "reserve: lengths are finite, 0 or more");
  require_numbers(price, "reserve: prices are finite, 0 or more");
  const Dialect& dialect = state_->db.dialect();
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    const Spent before = spent_by(sql, run, who);
    add_clip_rows(sql, dialect, clips);
    Given(dialect)
        .column("clip_key", clips)
        .column("seconds", seconds)
        .column("price", price)
        .execute(sql,
                 "INSERT INTO reservations (run, clip, round, seconds, price) "
                 "SELECT CAST(:r AS BIGINT), clips.id, CAST(:n AS BIGINT), given.seconds, "
                 "given.price "
                 "FROM given CROSS JOIN clips "
                 "WHERE clips.clip_key = given.clip_key ORDER BY place "
                 "ON CONFLICT (run, clip) DO NOTHING",
                 use(run), use(round));
    const Spent after = spent_by(sql, run, who);
    if (after.answers == before.answers) return;
    check("answers", before.answers, after.answers, max_answers);  // a throw rolls all back
    check("seconds of video", before.seconds, after.seconds, max_seconds);
    check("units of money", before.price, after.price, max_price);
  });
}

void Store::raise_price(int64_t run, const std::vector<std::string>& clips, double price) {
  require_numbers({price}, "raise_price: a price is finite, 0 or more");
  const Dialect& dialect = state_->db.dialect();
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    Given(dialect)
        .column("clip_key", clips)
        .execute(sql,
                 "UPDATE reservations SET price = :p WHERE run = :r AND price < :p2 AND clip IN "
                 "(SELECT clips.id FROM clips JOIN given ON clips.clip_key = given.clip_key)",
                 use(price), use(run), use(price));
  });
}

std::vector<std::string> Store::unreserve(int64_t run, const Answerer& who, int64_t round,
                                          const std::vector<std::string>& clips,
                                          bool answered_too) {
  const Dialect& dialect = state_->db.dialect();
  return state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    state_->need_lease(sql, run);
    const std::vector<std::string> late =
        late_clips(sql, dialect, run, who, round, clips, answered_too);
    Given(dialect)
        .column("clip_key", late)
        .execute(
            sql,
            "DELETE FROM reservations WHERE run = :r AND round = :n AND clip IN ("
            "SELECT clips.id FROM given CROSS JOIN clips WHERE clips.clip_key = given.clip_key)",
            use(run), use(round));
    withdraw_requests(sql, dialect, unwanted_requests(sql, dialect, who, late));
    return late;
  });
}

std::vector<std::string> Store::reserved(int64_t run, int64_t round) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<std::string> all;
    std::string key;
    soci::statement rows = (sql.prepare << "SELECT clip_key FROM reservations "
                                           "JOIN clips ON clips.id = reservations.clip "
                                           "WHERE run = :r AND round = :n ORDER BY reservations.id",
                            use(run), use(round), into(key));
    for (rows.execute(); rows.fetch();) all.push_back(key);
    return all;
  });
}

Store::Spent Store::spent(int64_t run, const Answerer& who) {
  return state_->db.read([&](soci::session& sql) { return spent_by(sql, run, who); });
}

}  // namespace distal
