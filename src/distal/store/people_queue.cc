// Who is asked what next.

#include <algorithm>

#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;
using Why = PeopleRefused::Why;

struct LeaseRow {
  PeopleStore::Lease lease;

  void exchange(soci::statement& row) {
    row.exchange(into(lease.item));
    row.exchange(into(lease.person));
    row.exchange(into(lease.session));
    row.exchange(into(lease.until_ms));
  }
  PeopleStore::Lease value() const { return lease; }
};

int64_t count_of(soci::session& sql, const Query& query) {
  return query.all<OneColumn<int64_t>>(sql).at(0);
}

void put_lease(soci::session& sql, const PeopleStore::Lease& lease) {
  sql << "INSERT INTO item_leases (item, person, session, until_ms) VALUES (:i, :p, :s, :u) "
         "ON CONFLICT (item, person) DO UPDATE "
         "SET session = excluded.session, until_ms = excluded.until_ms",
      use(lease.item), use(lease.person), use(lease.session), use(lease.until_ms);
}

// A repeat waits until its person has answered about other clips.
bool is_due(soci::session& sql, const PeopleStore::Item& item, const std::string& person) {
  return item.after_answers == 0 ||
         item.after_answers <=
             count_of(sql,
                      Query("SELECT COUNT(*) FROM people_answers WHERE person = ").add("", person));
}

// The lease that the session has of the item is not in the way of another.
bool may_have(soci::session& sql, const PeopleStore::Item& item, const PeopleStore::Next& next) {
  return is_leased_to(sql, item.id, next.person) ||
         (is_due(sql, item, next.person) && has_time(sql, item, most_counted_s(item)));
}

// Some of those that the page holds may have been answered by now: they do not count.
std::vector<PeopleStore::Leased> lease_some(soci::session& sql, const PeopleStore::Next& next) {
  std::vector<PeopleStore::Leased> all;
  const int64_t until_ms = next.now_ms + next.lease_ms;
  const int64_t block = next.count + std::ssize(next.held);
  for (int64_t offset = 0;; offset += block) {
    const auto ids = next_query(next).add(" OFFSET ", offset).all<OneColumn<int64_t>>(sql);
    for (const int64_t id : ids) {
      if (std::ssize(all) == next.count) return all;
      if (std::ranges::find(next.held, id) != next.held.end()) continue;
      const PeopleStore::Item item = need_item(sql, id);
      if (!may_have(sql, item, next)) continue;
      put_lease(sql, {id, next.person, next.session, until_ms});
      all.push_back({item, until_ms});
    }
    if (std::ssize(ids) < block) return all;
  }
}

}  // namespace

Query next_query(const PeopleStore::Next& next) {
  Query query("SELECT id FROM items WHERE places > 0 ");
  if (!next.study.empty()) query.add("AND study = ", next.study).add(" ");
  return query.add("AND (for_person = '' OR for_person = ", next.person)
      .add(") AND NOT EXISTS (SELECT 1 FROM people_answers WHERE item = items.id "
           "AND undone_ms = 0 AND decides = 0 AND person = ",
           next.person)
      .add(") AND places > (SELECT COUNT(*) FROM item_leases WHERE item = items.id AND person <> ",
           next.person)
      .add(") AND NOT EXISTS (SELECT 1 FROM item_leases WHERE item = items.id AND person = ",
           next.person)
      .add(" AND session <> ", next.session)
      .add(") ORDER BY position, id LIMIT ", next.count + std::ssize(next.held));
}

void end_leases(soci::session& sql, int64_t now_ms) {
  sql << "DELETE FROM item_leases WHERE until_ms <= :n", use(now_ms);
}

bool is_leased_to(soci::session& sql, int64_t item, const std::string& person) {
  return count_of(sql, Query("SELECT COUNT(*) FROM item_leases WHERE item = ")
                           .add("", item)
                           .add(" AND person = ", person)) > 0;
}

void need_place(soci::session& sql, const PeopleStore::Item& item, const std::string& person,
                double counts) {
  if (!item.for_person.empty() && item.for_person != person) {
    refuse(Why::conflict, "item {}: it is for {} alone; take the next one", item.id,
           item.for_person);
  }
  if (is_leased_to(sql, item.id, person)) return;
  const int64_t leased =
      count_of(sql, Query("SELECT COUNT(*) FROM item_leases WHERE item = ").add("", item.id));
  if (item.places > leased && has_time(sql, item, counts)) return;
  if (item.places > leased) {
    refuse(Why::lease_lost, "item {}: the minutes of its round are used up; take the next one",
           item.id);
  }
  if (item.state == "withdrawn") {
    refuse(Why::lease_lost, "item {}: it was withdrawn; take the next one", item.id);
  }
  refuse(Why::lease_lost,
         "item {}: the lease ended, and others answer it or have answered it; take the next one",
         item.id);
}

void end_lease(soci::session& sql, int64_t item, const std::string& person) {
  sql << "DELETE FROM item_leases WHERE item = :i AND person = :p", use(item), use(person);
}

std::vector<PeopleStore::Leased> PeopleStore::lease_next(const Next& next) {
  return state_->db.write([&](soci::session& sql) {
    end_leases(sql, next.now_ms);
    withdraw_all_spent(sql);
    return lease_some(sql, next);
  });
}

int64_t PeopleStore::left(const std::string& person, const std::string& study) {
  return state_->db.read([&](soci::session& sql) {
    Query open("SELECT COUNT(*) FROM items WHERE places > 0 ");
    Query answered("SELECT COUNT(*) FROM people_answers CROSS JOIN items WHERE items.id = item "
                   "AND places > 0 AND undone_ms = 0 AND decides = 0 ");
    answered.add("AND person = ", person).add(" ");
    for (Query* query : {&open, &answered}) {
      if (!study.empty()) query->add("AND items.study = ", study).add(" ");
      query->add("AND (for_person = '' OR for_person = ", person).add(")");
    }
    return count_of(sql, open) - count_of(sql, answered);
  });
}

int64_t PeopleStore::renew(int64_t item, const std::string& person, const std::string& session,
                           int64_t now_ms, int64_t lease_ms) {
  return state_->db.write([&](soci::session& sql) {
    const Item found = need_item(sql, item);
    for (const Answer& answer : standing_answers(sql, item)) {
      if (answer.person == person && !answer.decides) {
        refuse(Why::conflict, "item {}: {} has answered it; undo that answer first", item, person);
      }
    }
    end_leases(sql, now_ms);
    need_place(sql, found, person, most_counted_s(found));
    put_lease(sql, {item, person, session, now_ms + lease_ms});
    return now_ms + lease_ms;
  });
}

void PeopleStore::release(int64_t item, const std::string& person) {
  state_->db.write([&](soci::session& sql) { end_lease(sql, item, person); });
}

void PeopleStore::release_all(const std::string& person, const std::string& session) {
  state_->db.write([&](soci::session& sql) {
    sql << "DELETE FROM item_leases WHERE person = :p AND session = :s", use(person), use(session);
  });
}

std::vector<PeopleStore::Lease> PeopleStore::leases(int64_t now_ms) {
  return state_->db.read([&](soci::session& sql) {
    return Query("SELECT item, person, session, until_ms FROM item_leases WHERE until_ms > ")
        .add("", now_ms)
        .add(" ORDER BY item, person")
        .all<LeaseRow>(sql);
  });
}

}  // namespace distal
