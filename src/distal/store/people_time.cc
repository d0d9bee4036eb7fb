// Budgets of people's time, and what answers took.

#include <algorithm>
#include <limits>

#include "distal/base/error.h"
#include "distal/store/bulk.h"
#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// What an answer counts. `limit`: seconds of the item's budget, which one answer never exceeds.
double counted(double expected_s, double seconds, double limit) {
  const double said = seconds > 0 ? seconds : expected_s;
  const double most = expected_s > 0 ? kMostOfExpected * expected_s : kNoLimit;
  return std::min({said, most, limit});
}

struct TimeRow {
  double expected_s = 0;
  double seconds = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(expected_s));
    row.exchange(into(seconds));
  }
  TimeRow value() const { return *this; }
};

double sum_counted(const std::vector<TimeRow>& rows, double limit) {
  double sum = 0;
  for (const TimeRow& row : rows) sum += counted(row.expected_s, row.seconds, limit);
  return sum;
}

std::optional<PeopleStore::TimeSpent> find_spent(soci::session& sql, const std::string& budget) {
  const auto seconds = Query("SELECT seconds FROM time_budgets WHERE name = ")
                           .add("", budget)
                           .all<OneColumn<double>>(sql);
  if (seconds.empty()) return std::nullopt;
  const double limit = seconds.front();
  const auto answers = Query("SELECT expected_s, seconds FROM items CROSS JOIN people_answers "
                             "WHERE item = items.id AND decides = 0 AND budget = ")
                           .add("", budget)
                           .all<TimeRow>(sql);
  // A lease keeps what its answer may count: as an answer of endless seconds.
  const auto leases = Query("SELECT expected_s, 1e300 FROM items CROSS JOIN item_leases "
                            "WHERE item = items.id AND budget = ")
                          .add("", budget)
                          .all<TimeRow>(sql);
  return PeopleStore::TimeSpent{limit, sum_counted(answers, limit), sum_counted(leases, limit)};
}

// Sums of doubles may be a rounding error above a budget they meet exactly.
bool can_pay(const PeopleStore::TimeSpent& spent, double counts) {
  const double left = spent.seconds - spent.used - spent.leased;
  return left > 0 && std::min(counts, spent.seconds) <= left + 1e-9 * spent.seconds;
}

int64_t withdraw_open(soci::session& sql, const std::string& budget) {
  return Query("UPDATE items SET state = 'withdrawn', places = 0, conflict = 0 "
               "WHERE state = 'open' AND places > 0 AND budget = ")
      .add("", budget)
      .execute(sql);
}

struct TimedRow {
  PeopleStore::TimedAnswer timed;
  double start_s = 0;
  double end_s = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(timed.seconds));
    row.exchange(into(start_s));
    row.exchange(into(end_s));
  }
  PeopleStore::TimedAnswer value() {
    timed.clip_s = end_s - start_s;
    return timed;
  }
};

struct OpinionRow {
  PeopleStore::Opinion opinion;
  int64_t used = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(opinion.item));
    row.exchange(into(opinion.clip));
    row.exchange(into(opinion.purpose));
    row.exchange(into(opinion.version));
    row.exchange(into(opinion.person));
    row.exchange(into(opinion.class_name));
    row.exchange(into(used));
  }
  PeopleStore::Opinion value() {
    opinion.used = used != 0;
    return opinion;
  }
};

}  // namespace

double counted_s(const PeopleStore::Item& item, double seconds) {
  return counted(item.expected_s, seconds, kNoLimit);
}

double most_counted_s(const PeopleStore::Item& item) {
  return counted(item.expected_s, kNoLimit, kNoLimit);
}

bool has_time(soci::session& sql, const PeopleStore::Item& item, double counts) {
  if (item.budget.empty()) return true;
  const auto spent = find_spent(sql, item.budget);
  return !spent || can_pay(*spent, counts);
}

// The cheapest item decides: whoever could take it may still come.
int64_t withdraw_spent(soci::session& sql, const std::string& budget) {
  if (budget.empty()) return 0;
  const auto open = Query("SELECT expected_s FROM items WHERE places > 0 AND budget = ")
                        .add("", budget)
                        .add(" ORDER BY expected_s LIMIT 1")
                        .all<OneColumn<double>>(sql);
  if (open.empty()) return 0;
  const auto spent = find_spent(sql, budget);
  if (!spent || spent->leased > 0 || can_pay(*spent, counted(open.front(), kNoLimit, kNoLimit)))
    return 0;
  return withdraw_open(sql, budget);
}

int64_t withdraw_all_spent(soci::session& sql) {
  int64_t count = 0;
  for (const std::string& budget :
       Query("SELECT name FROM time_budgets WHERE EXISTS (SELECT 1 FROM items WHERE budget = name "
             "AND places > 0) ORDER BY name")
           .all<OneColumn<std::string>>(sql))
    count += withdraw_spent(sql, budget);
  return count;
}

void insert_budgets(soci::session& sql, const std::vector<PeopleStore::NewItem>& items) {
  for (const PeopleStore::NewItem& item : items) {
    if (item.budget.empty()) continue;
    sql << "INSERT INTO time_budgets (name, seconds) VALUES (:n, :s) ON CONFLICT (name) DO NOTHING",
        use(item.budget), use(item.budget_s);
  }
}

std::optional<PeopleStore::TimeSpent> PeopleStore::time_spent(const std::string& budget,
                                                              int64_t now_ms) {
  return state_->db.write([&](soci::session& sql) {
    end_leases(sql, now_ms);
    return find_spent(sql, budget);
  });
}

// Looks before it locks: most stores have no such budget.
int64_t PeopleStore::withdraw_spent(int64_t now_ms) {
  const bool any = state_->db.read([&](soci::session& sql) {
    return !Query("SELECT name FROM time_budgets LIMIT 1").all<OneColumn<std::string>>(sql).empty();
  });
  if (!any) return 0;
  return state_->db.write([&](soci::session& sql) {
    end_leases(sql, now_ms);
    return withdraw_all_spent(sql);
  });
}

void PeopleStore::move_repeats(const std::string& study, const std::string& budget) {
  state_->db.write([&](soci::session& sql) {
    sql << "UPDATE items SET budget = :b WHERE study = :s AND purpose = 'repeat' AND state = "
           "'open' "
           "AND EXISTS (SELECT 1 FROM time_budgets WHERE name = :n)",
        use(budget), use(study), use(budget);
  });
}

std::vector<PeopleStore::ClipTime> PeopleStore::clip_times(const std::vector<std::string>& clips,
                                                           const std::string& study,
                                                           const std::string& version) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<ClipTime> times(clips.size());
    int64_t place = 0;
    int64_t places = 0;
    double expected_s = 0;
    double seconds = 0;
    double limit = 0;
    const auto most = [&] { return limit < 0 ? kNoLimit : limit; };
    Given given(state_->db.dialect());
    given.column("clip_key", clips);
    const std::string of_clip =
        "LEFT JOIN time_budgets ON name = budget WHERE items.clip_key = given.clip_key "
        "AND items.study = :s AND items.version = :v";
    given.each(
        sql,
        "SELECT place, places, expected_s, COALESCE(time_budgets.seconds, -1.0) FROM given "
        "CROSS JOIN items " +
            of_clip + " AND purpose <> 'repeat' AND items.state <> 'withdrawn'",
        [&] {
          times.at(place).asked = true;
          if (places > 0)
            times.at(place).most +=
                static_cast<double>(places) * counted(expected_s, kNoLimit, most());
        },
        into(place), into(places), into(expected_s), into(limit), use(study), use(version));
    given.each(
        sql,
        "SELECT place, expected_s, people_answers.seconds, COALESCE(time_budgets.seconds, -1.0) "
        "FROM given CROSS JOIN items CROSS JOIN people_answers " +
            of_clip + " AND item = items.id AND decides = 0",
        [&] { times.at(place).taken += counted(expected_s, seconds, most()); }, into(place),
        into(expected_s), into(seconds), into(limit), use(study), use(version));
    return times;
  });
}

std::vector<PeopleStore::TimedAnswer> PeopleStore::timed_answers(const std::string& study,
                                                                 int64_t count) {
  return state_->db.read([&](soci::session& sql) {
    auto timed = Query("SELECT seconds, start_s, end_s FROM people_answers CROSS JOIN items "
                       "WHERE items.id = item AND items.kind = 'clip' AND undone_ms = 0 "
                       "AND decides = 0 AND seconds > 0 AND people_answers.study = ")
                     .add("", study)
                     .add(" ORDER BY people_answers.id DESC LIMIT ", count)
                     .all<TimedRow>(sql);
    std::ranges::reverse(timed);
    return timed;
  });
}

std::vector<PeopleStore::Opinion> PeopleStore::opinions(const std::string& study) {
  Query query("SELECT item, clip_key, purpose, version, person, people_answers.class, used "
              "FROM people_answers CROSS JOIN items WHERE items.id = item AND undone_ms = 0 "
              "AND decides = 0 AND skipped = 0 AND people_answers.class <> ''");
  if (!study.empty()) query.add(" AND people_answers.study = ", study);
  query.add(" ORDER BY people_answers.id");
  return state_->db.read([&](soci::session& sql) { return query.all<OpinionRow>(sql); });
}

}  // namespace distal
