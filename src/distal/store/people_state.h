#pragma once
// What a PeopleStore is made of, for the sources of store/ only.

#include <optional>
#include <string>
#include <vector>

#include "distal/store/database.h"
#include "distal/store/people_store.h"
#include "distal/store/query.h"

namespace distal {

struct PeopleStore::State {
  explicit State(const std::string& url) : db(url) {}

  Database db;
};

/// Throws PeopleRefused.
template <class... Args>
[[noreturn]] void refuse(PeopleRefused::Why why, fmt::format_string<Args...> format,
                         Args&&... args) {
  throw PeopleRefused(why, fmt::format(format, std::forward<Args>(args)...));
}

// What several files need of one another; all within a transaction of the caller.

/// The items of a filter; `after` and `count` as in PeopleStore::items.
Query items_query(const PeopleStore::ItemFilter& filter, int64_t after, int64_t count);
/// What lease_next looks through.
Query next_query(const PeopleStore::Next& next);
Query answers_query(const PeopleStore::AnswerFilter& filter);

std::vector<PeopleStore::Item> find_items(soci::session& sql, const Query& query);
/// Throws PeopleRefused: not_found.
PeopleStore::Item need_item(soci::session& sql, int64_t item);
/// The columns of Answer, with its ranges. `query` is an answers_query with what follows.
std::vector<PeopleStore::Answer> find_answers(soci::session& sql, const Query& query);
/// That stand, the oldest first.
std::vector<PeopleStore::Answer> standing_answers(soci::session& sql, int64_t item);
/// Of what people said the adjudicator's word, or else the first.
const PeopleStore::Answer& deciding(const std::vector<PeopleStore::Answer>& answers);

/// Ends leases that stand no more at `now_ms`: what is left in the table stands.
void end_leases(soci::session& sql, int64_t now_ms);
/// Whether the person holds the item; end_leases() was called before.
bool is_leased_to(soci::session& sql, int64_t item, const std::string& person);
/// Throws PeopleRefused where others fill the item, it is for somebody else, or its budget cannot
/// pay `counts` seconds; end_leases() was called before.
void need_place(soci::session& sql, const PeopleStore::Item& item, const std::string& person,
                double counts);
void end_lease(soci::session& sql, int64_t item, const std::string& person);

/// Seconds that an answer about the item counts. `most`: at most.
double counted_s(const PeopleStore::Item& item, double seconds);
double most_counted_s(const PeopleStore::Item& item);
/// Whether the item's budget can still pay so many seconds beside the leases; end_leases() was
/// called before.
bool has_time(soci::session& sql, const PeopleStore::Item& item, double counts);
/// Withdraws what the budget cannot pay any more; end_leases() was called before.
int64_t withdraw_spent(soci::session& sql, const std::string& budget);
int64_t withdraw_all_spent(soci::session& sql);
void insert_budgets(soci::session& sql, const std::vector<PeopleStore::NewItem>& items);

/// Brings state, places, conflict and class of the item to what its answers say, and returns it.
PeopleStore::Item settle(soci::session& sql, const PeopleStore::Item& item);

}  // namespace distal
