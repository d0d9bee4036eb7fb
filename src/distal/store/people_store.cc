// The items that people are asked about.

#include "distal/store/people_store.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "distal/base/error.h"
#include "distal/base/utc.h"
#include "distal/store/bulk.h"
#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;
using Why = PeopleRefused::Why;

constexpr std::array<std::string_view, 2> kKinds = {"clip", "ranges"};
constexpr std::array<std::string_view, 3> kRules = {"all", "majority", "dawid_skene"};

struct ItemRow {
  PeopleStore::Item item;
  int64_t conflict = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(item.id));
    row.exchange(into(item.request));
    row.exchange(into(item.clip));
    row.exchange(into(item.video));
    row.exchange(into(item.start_s));
    row.exchange(into(item.end_s));
    row.exchange(into(item.kind));
    row.exchange(into(item.purpose));
    row.exchange(into(item.study));
    row.exchange(into(item.version));
    row.exchange(into(item.round));
    row.exchange(into(item.position));
    row.exchange(into(item.wanted));
    row.exchange(into(item.for_person));
    row.exchange(into(item.after_answers));
    row.exchange(into(item.agree));
    row.exchange(into(item.expected_s));
    row.exchange(into(item.budget));
    row.exchange(into(item.first_json));
    row.exchange(into(item.state));
    row.exchange(into(item.places));
    row.exchange(into(conflict));
    row.exchange(into(item.class_name));
    row.exchange(into(item.created));
  }
  PeopleStore::Item value() {
    item.conflict = conflict != 0;
    return item;
  }
};

constexpr const char* kItemColumns =
    "SELECT id, request, clip_key, video, start_s, end_s, kind, purpose, study, version, round, "
    "position, wanted, for_person, after_answers, agree, expected_s, budget, first_json, state, "
    "places, conflict, class, created FROM ";

constexpr double kNoScore = -std::numeric_limits<double>::infinity();  // in the column

struct ReasonRow {
  PeopleStore::Reason reason;
  double score = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(reason.strategy));
    row.exchange(into(score));
    row.exchange(into(reason.guess_json));
    row.exchange(into(reason.neighbours_json));
  }
  PeopleStore::Reason value() {
    reason.score = score == kNoScore ? std::nullopt : std::optional(score);
    return reason;
  }
};

void check_reason(const PeopleStore::Reason& reason, const std::string& request,
                  const std::string& clip) {
  if (std::isfinite(reason.score.value_or(0))) return;
  refuse(Why::invalid, "item {} of request {}: a score is not finite", clip, request);
}

void check_item(const PeopleStore::NewItem& item) {
  const auto is_refused = [&](const char* what) {
    refuse(Why::invalid, "item {} of request {}: {}", item.clip, item.request, what);
  };
  if (item.request.empty() || item.clip.empty()) is_refused("it needs a request and a clip");
  if (std::ranges::find(kKinds, item.kind) == kKinds.end()) {
    is_refused("its kind is neither clip nor ranges");
  }
  if (item.wanted < 1) is_refused("it wants nobody; wanted is at least 1");
  if (std::ranges::find(kRules, item.agree) == kRules.end()) {
    is_refused("its agree is none of all, majority and dawid_skene");
  }
  if (!(item.expected_s >= 0) || !std::isfinite(item.expected_s)) {
    is_refused("its expected seconds are not a number of 0 or more");
  }
  if (!item.budget.empty() && !(item.expected_s > 0 && item.budget_s >= 0)) {
    is_refused("a budget of time wants expected seconds above 0, and seconds of 0 or more");
  }
  if (!std::isfinite(item.start_s) || std::isnan(item.end_s))
    is_refused("its times are no numbers");
  for (const PeopleStore::Reason& reason : item.reasons)
    check_reason(reason, item.request, item.clip);
}

void insert_items(soci::session& sql, const Dialect& dialect,
                  const std::vector<PeopleStore::NewItem>& items, const std::string& now) {
  std::vector<std::string> requests, clips, videos, kinds, purposes, studies, versions, persons;
  std::vector<std::string> rules, budgets, firsts;
  std::vector<double> starts, ends, expected;
  std::vector<int64_t> rounds, positions, wanted, after;
  for (const PeopleStore::NewItem& item : items) {
    requests.push_back(item.request);
    clips.push_back(item.clip);
    videos.push_back(item.video);
    starts.push_back(item.start_s);
    ends.push_back(item.end_s);
    kinds.push_back(item.kind);
    purposes.push_back(item.purpose);
    studies.push_back(item.study);
    versions.push_back(item.version);
    rounds.push_back(item.round);
    positions.push_back(item.position);
    wanted.push_back(item.wanted);
    persons.push_back(item.for_person);
    after.push_back(item.after_answers);
    rules.push_back(item.agree);
    expected.push_back(item.expected_s);
    budgets.push_back(item.budget);
    firsts.push_back(item.first_json);
  }
  Given(dialect)
      .column("request", requests)
      .column("clip_key", clips)
      .column("video", videos)
      .column("start_s", starts)
      .column("end_s", ends)
      .column("kind", kinds)
      .column("purpose", purposes)
      .column("study", studies)
      .column("version", versions)
      .column("round", rounds)
      .column("position", positions)
      .column("wanted", wanted)
      .column("for_person", persons)
      .column("after_answers", after)
      .column("agree", rules)
      .column("expected_s", expected)
      .column("budget", budgets)
      .column("first_json", firsts)
      .execute(sql,
               "INSERT INTO items (request, clip_key, video, start_s, end_s, kind, purpose, study, "
               "version, round, position, wanted, for_person, after_answers, agree, expected_s, "
               "budget, first_json, state, places, conflict, class, created) "
               "SELECT request, clip_key, video, start_s, end_s, kind, purpose, study, version, "
               "round, position, wanted, for_person, after_answers, agree, expected_s, budget, "
               "first_json, 'open', wanted, 0, '', :t FROM given "
               "WHERE TRUE ORDER BY place ON CONFLICT (request, clip_key) DO NOTHING",
               soci::use(now));
}

std::vector<int64_t> ids_of(soci::session& sql, const Dialect& dialect,
                            const std::vector<PeopleStore::NewItem>& items) {
  std::vector<std::string> requests, clips;
  for (const PeopleStore::NewItem& item : items) {
    requests.push_back(item.request);
    clips.push_back(item.clip);
  }
  std::vector<int64_t> ids;
  int64_t id = 0;
  Given(dialect)
      .column("request", requests)
      .column("clip_key", clips)
      .each(
          sql,
          "SELECT items.id FROM given CROSS JOIN items WHERE items.request = given.request "
          "AND items.clip_key = given.clip_key ORDER BY place",
          [&] { ids.push_back(id); }, into(id));
  return ids;
}

struct ReasonOf {
  int64_t item = 0;
  PeopleStore::Reason reason;
};

// `where_there`: what becomes of a reason of the same strategy.
void insert_reasons(soci::session& sql, const Dialect& dialect, const std::vector<ReasonOf>& all,
                    const std::string& where_there) {
  std::vector<int64_t> items;
  std::vector<std::string> strategies, guesses, neighbours;
  std::vector<double> scores;
  for (const auto& [item, reason] : all) {
    items.push_back(item);
    strategies.push_back(reason.strategy);
    scores.push_back(reason.score.value_or(kNoScore));
    guesses.push_back(reason.guess_json);
    neighbours.push_back(reason.neighbours_json);
  }
  Given(dialect)
      .column("item", items)
      .column("strategy", strategies)
      .column("score", scores)
      .column("guess_json", guesses)
      .column("neighbours_json", neighbours)
      .execute(sql, "INSERT INTO item_reasons (item, strategy, score, guess_json, neighbours_json) "
                    "SELECT item, strategy, score, guess_json, neighbours_json FROM given "
                    "WHERE TRUE ORDER BY place ON CONFLICT (item, strategy) DO " +
                        where_there);
}

std::vector<ReasonOf> reasons_of(const std::vector<PeopleStore::NewItem>& items,
                                 const std::vector<int64_t>& ids) {
  std::vector<ReasonOf> all;
  for (size_t i = 0; i < items.size(); ++i) {
    for (const PeopleStore::Reason& reason : items[i].reasons) all.push_back({ids.at(i), reason});
  }
  return all;
}

// What is open of ranked items, in their order.
struct OpenOnes {
  std::vector<int64_t> ids, positions;
  std::vector<ReasonOf> reasons;
};

OpenOnes open_ones(soci::session& sql, const Dialect& dialect,
                   const std::vector<PeopleStore::Ranked>& items) {
  std::vector<std::string> requests, clips;
  for (const PeopleStore::Ranked& item : items) {
    requests.push_back(item.request);
    clips.push_back(item.clip);
  }
  OpenOnes open;
  int64_t place = 0;
  int64_t id = 0;
  int64_t position = 0;
  const auto keep = [&] {
    open.ids.push_back(id);
    open.positions.push_back(position);
    open.reasons.push_back({id, items.at(place).reason});
  };
  Given(dialect)
      .column("request", requests)
      .column("clip_key", clips)
      .each(sql,
            "SELECT place, items.id, items.position FROM given CROSS JOIN items "
            "WHERE items.request = given.request AND items.clip_key = given.clip_key "
            "AND state = 'open' ORDER BY place",
            keep, into(place), into(id), into(position));
  return open;
}

// Which filter chooses the index: the narrowest.
enum class Leads { request, clip, conflict, round, strategy, purpose, state, none };

Leads leader_of(const PeopleStore::ItemFilter& filter) {
  if (!filter.request.empty()) return Leads::request;
  if (!filter.clip.empty()) return Leads::clip;
  if (filter.conflict) return Leads::conflict;
  if (filter.round) return Leads::round;
  if (!filter.strategy.empty()) return Leads::strategy;
  if (!filter.purpose.empty() && filter.purpose != "pool") return Leads::purpose;  // most are pool
  if (!filter.state.empty()) return Leads::state;
  return filter.purpose.empty() ? Leads::none : Leads::purpose;
}

// The other filters look at the rows that the leader leaves. No index holds `column || ''`.
void add_filters(Query& query, const PeopleStore::ItemFilter& filter, Leads leader) {
  const auto add = [&](const char* column, const std::string& value, bool leads) {
    if (value.empty()) return;
    query.add("AND ").add(column).add(leads ? " = " : " || '' = ", value).add(" ");
  };
  const bool is_apart =
      leader == Leads::request || leader == Leads::clip || leader == Leads::strategy;
  add("request", filter.request, leader == Leads::request);
  add("clip_key", filter.clip, leader == Leads::clip);
  add("study", filter.study, !is_apart);
  add("purpose", filter.purpose, leader == Leads::purpose);
  add("state", filter.state, leader == Leads::state);
  if (filter.conflict)
    query.add(leader == Leads::conflict ? "AND conflict = 1 " : "AND conflict + 0 = 1 ");
  if (filter.round) {
    query.add(leader == Leads::round ? "AND round = " : "AND round + 0 = ", *filter.round).add(" ");
  }
}

}  // namespace

std::vector<PeopleStore::Item> find_items(soci::session& sql, const Query& query) {
  return query.all<ItemRow>(sql);
}

PeopleStore::Item need_item(soci::session& sql, int64_t item) {
  const auto found = find_items(sql, Query(kItemColumns).add("items WHERE id = ", item));
  if (found.empty()) refuse(Why::not_found, "store: there is no item {}", item);
  return found.front();
}

namespace {

// The rows of a filter, without an order.
Query items_where(const std::string& columns, const PeopleStore::ItemFilter& filter,
                  int64_t after) {
  Query query(columns);
  const Leads leader = leader_of(filter);
  if (leader == Leads::strategy) {
    query
        .add("item_reasons CROSS JOIN items WHERE items.id = item AND strategy = ", filter.strategy)
        .add(" AND item > ", after);
  } else {
    query.add("items WHERE id > ", after);
  }
  query.add(" ");
  add_filters(query, filter, leader);
  if (leader != Leads::strategy && !filter.strategy.empty()) {
    query
        .add("AND EXISTS (SELECT 1 FROM item_reasons WHERE item = items.id AND strategy = ",
             filter.strategy)
        .add(") ");
  }
  return query;
}

}  // namespace

Query items_query(const PeopleStore::ItemFilter& filter, int64_t after, int64_t count) {
  return items_where(kItemColumns, filter, after)
      .add(leader_of(filter) == Leads::strategy ? "ORDER BY item LIMIT " : "ORDER BY id LIMIT ",
           count);
}

PeopleStore::PeopleStore(const std::string& url) : state_(std::make_unique<State>(url)) {}

PeopleStore::~PeopleStore() = default;

std::vector<int64_t> PeopleStore::add_items(const std::vector<NewItem>& items, int64_t now_ms) {
  for (const NewItem& item : items) check_item(item);
  const Dialect& dialect = state_->db.dialect();
  const std::string now = utc_text(now_ms);
  return state_->db.write([&](soci::session& sql) {
    insert_budgets(sql, items);
    insert_items(sql, dialect, items, now);
    const std::vector<int64_t> ids = ids_of(sql, dialect, items);
    insert_reasons(sql, dialect, reasons_of(items, ids), "NOTHING");
    return ids;
  });
}

int64_t PeopleStore::rank_again(const std::vector<Ranked>& items) {
  for (const Ranked& item : items) check_reason(item.reason, item.request, item.clip);
  const Dialect& dialect = state_->db.dialect();
  return state_->db.write([&](soci::session& sql) {
    OpenOnes open = open_ones(sql, dialect, items);
    std::ranges::sort(open.positions);
    Given(dialect)
        .column("item", open.ids)
        .column("position", open.positions)
        .execute(sql, "UPDATE items SET position = (SELECT given.position FROM given "
                      "WHERE given.item = items.id) "
                      "WHERE id IN (SELECT given.item FROM given)");
    insert_reasons(sql, dialect, open.reasons,
                   "UPDATE SET score = excluded.score, guess_json = excluded.guess_json, "
                   "neighbours_json = excluded.neighbours_json");
    return std::ssize(open.ids);
  });
}

std::optional<PeopleStore::Item> PeopleStore::item(int64_t id) {
  return state_->db.read([&](soci::session& sql) -> std::optional<Item> {
    const auto found = find_items(sql, Query(kItemColumns).add("items WHERE id = ", id));
    if (found.empty()) return std::nullopt;
    return found.front();
  });
}

std::vector<PeopleStore::Reason> PeopleStore::reasons(int64_t item) {
  return state_->db.read([&](soci::session& sql) {
    return Query("SELECT strategy, score, guess_json, neighbours_json FROM item_reasons")
        .add(" WHERE item = ", item)
        .add(" ORDER BY strategy")
        .all<ReasonRow>(sql);
  });
}

std::vector<PeopleStore::AskedClip> PeopleStore::asked_about(
    const std::string& study, const std::vector<std::string>& clips) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<AskedClip> all(clips.size());
    int64_t place = 0;
    AskedClip row;
    Given(state_->db.dialect())
        .column("clip_key", clips)
        .each(
            sql,
            "SELECT place, id, class, purpose FROM given CROSS JOIN items "
            "WHERE items.clip_key = given.clip_key AND study = :s ORDER BY id",
            [&] {
              AskedClip& known = all.at(place);
              if (known.class_name.empty()) known = row;
            },
            into(place), into(row.item), into(row.class_name), into(row.purpose), soci::use(study));
    return all;
  });
}

std::vector<PeopleStore::Item> PeopleStore::items(const ItemFilter& filter, int64_t after,
                                                  int64_t count) {
  return state_->db.read(
      [&](soci::session& sql) { return find_items(sql, items_query(filter, after, count)); });
}

int64_t PeopleStore::count_items(const ItemFilter& filter) {
  return state_->db.read([&](soci::session& sql) {
    return items_where("SELECT COUNT(*) FROM ", filter, 0).all<OneColumn<int64_t>>(sql).at(0);
  });
}

std::vector<PeopleStore::Item> PeopleStore::items_at(const ItemFilter& filter, int64_t offset,
                                                     int64_t count) {
  return state_->db.read([&](soci::session& sql) {
    return find_items(sql, items_query(filter, 0, count).add(" OFFSET ", offset));
  });
}

}  // namespace distal
