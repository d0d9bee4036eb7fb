#include <cmath>

#include "distal/base/error.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// Sums of doubles may be a rounding error above a budget they meet exactly.
bool fits(double spent, double limit) { return spent <= limit + 1e-9 * std::max(1.0, std::abs(limit)); }

// Each asking that brought nothing and was repeated. The first asking about a clip is its reservation's; one that costs nothing asks nobody: the
// labels that a run begins with are given.
double repeated(soci::session& sql, int64_t run, const Answerer& who) {
  double price = 0;
  sql << "SELECT COALESCE(SUM(refusals.price), 0.0) FROM refusals JOIN request_groups ON request_groups.id = refusals.request "
         "JOIN reservations ON reservations.clip = refusals.clip "
         "WHERE run = :r AND oracle = :o AND version = :v AND asked_again <> '' AND reservations.price > 0",
      use(run), use(who.oracle), use(who.version), into(price);
  return price;
}

Store::Spent spent_by(soci::session& sql, int64_t run, const Answerer& who) {
  Store::Spent spent;
  sql << "SELECT COUNT(*), COALESCE(SUM(seconds), 0.0), COALESCE(SUM(price), 0.0) FROM reservations WHERE run = :r", use(run),
      into(spent.answers), into(spent.seconds), into(spent.price);
  spent.price += repeated(sql, run, who);
  return spent;
}

bool insert(soci::session& sql, int64_t run, int64_t round, int64_t clip, double seconds, double price) {
  soci::statement add =
      (sql.prepare << "INSERT INTO reservations (run, clip, round, position, seconds, price) "
                      "SELECT :r, :c, :n, COALESCE(MAX(position), 0) + 1, :s, :p FROM reservations WHERE run = :q "
                      "ON CONFLICT (run, clip) DO NOTHING",
       use(run), use(clip), use(round), use(seconds), use(price), use(run));
  add.execute(true);
  return add.get_affected_rows() > 0;
}

void check(const char* what, double before, double after, double limit) {
  if (fits(after, limit)) return;
  fail("budget: {:.10g} {} are spent and {:.10g} more were asked for, {:.10g} above the {:.10g} allowed; raise the budget or ask for less",
       before, what, after - before, after - limit, limit);
}

}  // namespace

void Store::reserve(int64_t run, const Answerer& who, int64_t round, const std::vector<std::string>& clips, const std::vector<double>& seconds,
                    const std::vector<double>& price, double max_answers, double max_seconds, double max_price) {
  expect(clips.size() == seconds.size() && clips.size() == price.size(), "reserve: one length and one price per clip");
  expect(!std::isnan(max_answers) && !std::isnan(max_seconds) && !std::isnan(max_price), "reserve: the limits are numbers");
  for (size_t i = 0; i < clips.size(); ++i)
    expect(seconds[i] >= 0 && price[i] >= 0 && std::isfinite(seconds[i] + price[i]), "reserve: lengths and prices are finite, 0 or more");
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    const Spent before = spent_by(sql, run, who);
    bool changed = false;
    for (size_t i = 0; i < clips.size(); ++i)
      changed |= insert(sql, run, round, clip_row(sql, clips[i]), seconds[i], price[i]);
    if (!changed) return;
    const Spent after = spent_by(sql, run, who);
    check("answers", before.answers, after.answers, max_answers);  // a throw rolls every insert back
    check("seconds of video", before.seconds, after.seconds, max_seconds);
    check("units of money", before.price, after.price, max_price);
  });
}

std::vector<std::string> Store::reserved(int64_t run, int64_t round) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<std::string> all;
    std::string key;
    soci::statement rows = (sql.prepare << "SELECT clip_key FROM reservations JOIN clips ON clips.id = reservations.clip "
                                           "WHERE run = :r AND round = :n ORDER BY position",
                            use(run), use(round), into(key));
    for (rows.execute(); rows.fetch();) all.push_back(key);
    return all;
  });
}

Store::Spent Store::spent(int64_t run, const Answerer& who) {
  return state_->db.read([&](soci::session& sql) { return spent_by(sql, run, who); });
}

}  // namespace distal
