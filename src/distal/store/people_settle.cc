// When an item is settled, and what becomes of it then.

#include <algorithm>
#include <limits>
#include <map>

#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;
using Why = PeopleRefused::Why;

constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

struct StandingRow {
  PeopleStore::Standing standing;

  void exchange(soci::statement& row) {
    row.exchange(into(standing.items));
    row.exchange(into(standing.open));
    row.exchange(into(standing.settled));
    row.exchange(into(standing.left_out));
    row.exchange(into(standing.withdrawn));
    row.exchange(into(standing.conflicts));
  }
  PeopleStore::Standing value() const { return standing; }
};

constexpr const char* kStanding =
    "SELECT COUNT(*), COUNT(CASE WHEN state = 'open' THEN 1 END), "
    "COUNT(CASE WHEN state = 'settled' THEN 1 END), "
    "COUNT(CASE WHEN state = 'left_out' THEN 1 END), "
    "COUNT(CASE WHEN state = 'withdrawn' THEN 1 END), "
    "COUNT(CASE WHEN conflict = 1 THEN 1 END) FROM items WHERE request = ";

PeopleStore::Standing find_standing(soci::session& sql, const std::string& request) {
  PeopleStore::Standing standing = Query(kStanding).add("", request).all<StandingRow>(sql).at(0);
  standing.answers =
      Query("SELECT COUNT(*) FROM items CROSS JOIN people_answers WHERE item = items.id "
            "AND undone_ms = 0 AND request = ")
          .add("", request)
          .all<OneColumn<int64_t>>(sql)
          .at(0);
  return standing;
}

bool is_finished(const PeopleStore::Standing& standing, double share) {
  const auto items = static_cast<double>(standing.items);
  return static_cast<double>(standing.items - standing.open) >= share * items - 1e-9 * items;
}

bool say_the_same(const PeopleStore::Answer& a, const PeopleStore::Answer& b) {
  return a.skipped == b.skipped && a.class_name == b.class_name && a.ranges == b.ranges;
}

// Decided, or agreed upon: what the answer says holds for the item.
void close_item(PeopleStore::Item& item, const PeopleStore::Answer& answer) {
  item.state = answer.skipped ? "left_out" : "settled";
  item.class_name = answer.class_name;
  item.places = 0;
}

// What most said, where as many answers as are wanted settle a clip.
std::string most_said(const std::vector<PeopleStore::Answer>& answers) {
  std::map<std::string, int64_t> votes;
  for (const PeopleStore::Answer& answer : answers) votes[answer.class_name] += !answer.skipped;
  std::string winner;
  int64_t most = 0;
  for (const auto& [name, count] : votes) {
    if (count == most) winner.clear();
    if (count <= most) continue;
    winner = name;
    most = count;
  }
  return winner;
}

void settle_by_answers(PeopleStore::Item& item, const std::vector<PeopleStore::Answer>& answers) {
  item.state = "open";
  item.class_name = "";
  item.conflict = false;
  item.places = std::max<int64_t>(0, item.wanted - std::ssize(answers));
  if (answers.empty()) return;
  const PeopleStore::Answer& first = deciding(answers);
  if (first.decides) return close_item(item, first);
  if (item.places > 0) return;
  const bool agree = std::ranges::all_of(
      answers, [&](const PeopleStore::Answer& other) { return say_the_same(first, other); });
  if (agree) return close_item(item, first);
  if (item.agree == "all" || item.kind != "clip") {
    item.conflict = true;
    return;
  }
  item.state = "settled";
  item.class_name = most_said(answers);
}

int64_t withdraw_where(soci::session& sql, const char* which, const auto& value) {
  const std::string of = fmt::format("state = 'open' AND {} = :v", which);
  sql << "DELETE FROM item_leases WHERE item IN (SELECT id FROM items WHERE " + of + ")",
      use(value);
  return Query("UPDATE items SET state = 'withdrawn', places = 0, conflict = 0 "
               "WHERE state = 'open' AND ")
      .add(which)
      .add(" = ", value)
      .execute(sql);
}

std::vector<PeopleStore::Settled> find_settled(soci::session& sql, const std::string& request) {
  std::vector<PeopleStore::Settled> all;
  for (const PeopleStore::Item& item :
       find_items(sql, items_query({.request = request}, 0, kAll))) {
    PeopleStore::Settled settled{item};
    if (item.state != "withdrawn") settled.answers = standing_answers(sql, item.id);
    if (item.state == "settled") settled.ranges = deciding(settled.answers).ranges;
    all.push_back(settled);
  }
  return all;
}

std::vector<PeopleStore::Settled> take(soci::session& sql, const std::string& request) {
  sql << "UPDATE people_answers SET used = 1 WHERE undone_ms = 0 AND used = 0 AND item IN "
         "(SELECT id FROM items WHERE request = :r AND state IN ('settled', 'left_out'))",
      use(request);
  return find_settled(sql, request);
}

}  // namespace

const PeopleStore::Answer& deciding(const std::vector<PeopleStore::Answer>& answers) {
  const auto decision = std::ranges::find_if(
      answers, [](const PeopleStore::Answer& answer) { return answer.decides; });
  return decision != answers.end() ? *decision : answers.at(0);
}

PeopleStore::Item settle(soci::session& sql, const PeopleStore::Item& item) {
  PeopleStore::Item now = item;
  if (item.state == "withdrawn") return now;
  settle_by_answers(now, standing_answers(sql, item.id));
  const int64_t conflict = now.conflict ? 1 : 0;
  sql << "UPDATE items SET state = :s, places = :p, conflict = :c, class = :n WHERE id = :i",
      use(now.state), use(now.places), use(conflict), use(now.class_name), use(now.id);
  return now;
}

PeopleStore::Standing PeopleStore::standing(const std::string& request) {
  return state_->db.read([&](soci::session& sql) { return find_standing(sql, request); });
}

// Looks before it locks: who waits for people calls this often.
std::optional<std::vector<PeopleStore::Settled>> PeopleStore::take_settled(
    const std::string& request, double share) {
  expect(share > 0 && share <= 1, "a share of the items is in (0, 1]");
  const Standing before = standing(request);
  if (before.items == 0) {
    refuse(Why::not_found, "store: there is no item of request {}", request);
  }
  if (!is_finished(before, share)) return std::nullopt;
  return state_->db.write([&](soci::session& sql) -> std::optional<std::vector<Settled>> {
    if (!is_finished(find_standing(sql, request), share)) return std::nullopt;
    withdraw_where(sql, "request", request);
    return take(sql, request);
  });
}

std::optional<std::vector<PeopleStore::Settled>> PeopleStore::settled(const std::string& request) {
  return state_->db.read([&](soci::session& sql) -> std::optional<std::vector<Settled>> {
    const Standing now = find_standing(sql, request);
    if (now.items == 0 || now.open > 0) return std::nullopt;
    return find_settled(sql, request);
  });
}

int64_t PeopleStore::withdraw(const std::string& request) {
  return state_->db.write(
      [&](soci::session& sql) { return withdraw_where(sql, "request", request); });
}

int64_t PeopleStore::withdraw(const std::vector<int64_t>& items) {
  return state_->db.write([&](soci::session& sql) {
    int64_t count = 0;
    for (const int64_t item : items) count += withdraw_where(sql, "id", item);
    return count;
  });
}

}  // namespace distal
