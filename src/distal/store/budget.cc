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
