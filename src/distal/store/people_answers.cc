// What people answered.

#include <cmath>

#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;
using Why = PeopleRefused::Why;

struct AnswerRow {
  PeopleStore::Answer answer;
  int64_t decides = 0;
  int64_t skipped = 0;
  int64_t unsure = 0;
  int64_t used = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(answer.id));
    row.exchange(into(answer.uuid));
    row.exchange(into(answer.item));
    row.exchange(into(answer.study));
    row.exchange(into(answer.person));
    row.exchange(into(decides));
    row.exchange(into(answer.class_name));
    row.exchange(into(skipped));
    row.exchange(into(unsure));
    row.exchange(into(answer.note));
    row.exchange(into(answer.source));
    row.exchange(into(answer.began_ms));
    row.exchange(into(answer.answered_ms));
    row.exchange(into(answer.seconds));
    row.exchange(into(answer.undone_ms));
    row.exchange(into(used));
  }
  PeopleStore::Answer value() {
    answer.decides = decides != 0;
    answer.skipped = skipped != 0;
    answer.unsure = unsure != 0;
    answer.used = used != 0;
    return answer;
  }
};

constexpr const char* kAnswerColumns =
    "SELECT id, uuid, item, study, person, decides, class, skipped, unsure, note, source, "
    "began_ms, answered_ms, seconds, undone_ms, used FROM people_answers WHERE ";

constexpr const char* kCountAnswers = "SELECT COUNT(*) FROM people_answers WHERE ";

struct RangeRow {
  PeopleStore::Range range;

  void exchange(soci::statement& row) {
    row.exchange(into(range.start_s));
    row.exchange(into(range.end_s));
    row.exchange(into(range.class_name));
  }
  PeopleStore::Range value() const { return range; }
};

std::optional<PeopleStore::Answer> find_answer(soci::session& sql, const std::string& uuid) {
  const auto found = find_answers(sql, Query(kAnswerColumns).add("uuid = ", uuid));
  if (found.empty()) return std::nullopt;
  return found.front();
}

bool is_same(const PeopleStore::Answer& stored, const PeopleStore::NewAnswer& answer,
             bool decides) {
  return stored.item == answer.item && stored.person == answer.person &&
         stored.decides == decides && stored.class_name == answer.class_name &&
         stored.skipped == answer.skipped && stored.unsure == answer.unsure &&
         stored.note == answer.note && stored.source == answer.source &&
         stored.began_ms == answer.began_ms && stored.seconds == answer.seconds &&
         stored.ranges == answer.ranges;
}

void check_ranges(const PeopleStore::NewAnswer& answer) {
  for (const PeopleStore::Range& range : answer.ranges) {
    // not (a < b): also where one is no number
    if (!(range.start_s < range.end_s) || !std::isfinite(range.start_s) ||
        !std::isfinite(range.end_s)) {
      refuse(Why::invalid, "answer {}: the range {} s to {} s does not end after its begin",
             answer.uuid, range.start_s, range.end_s);
    }
    if (range.class_name.empty()) {
      refuse(Why::invalid, "answer {}: the range {} s to {} s has no class", answer.uuid,
             range.start_s, range.end_s);
    }
  }
}

void check_content(const PeopleStore::NewAnswer& answer, const std::string& kind) {
  const auto is_refused = [&](const char* what) {
    refuse(Why::invalid, "answer {}: {}", answer.uuid, what);
  };
  if (answer.uuid.empty()) is_refused("it has no uuid; the client draws one for each answer");
  if (answer.person.empty()) is_refused("it does not say who answers");
  if (!std::isfinite(answer.seconds) || answer.seconds < 0) {
    is_refused("its seconds are not a number of 0 or more");
  }
  const bool has_class = !answer.class_name.empty();
  if (answer.skipped && (has_class || !answer.ranges.empty())) {
    is_refused("what is skipped has neither class nor ranges");
  }
  if (kind == "clip") {
    if (!answer.ranges.empty()) is_refused("the item is a clip: it has a class and no ranges");
    if (!has_class && !answer.skipped) is_refused("it names no class, and is not skipped");
  } else if (has_class) {
    is_refused("the item has ranges: their classes stand in them");
  }
  check_ranges(answer);
}

void insert_answer(soci::session& sql, const PeopleStore::NewAnswer& answer,
                   const std::string& study, bool decides) {
  int64_t id = 0;
  const int64_t decides_flag = decides ? 1 : 0;
  const int64_t skipped = answer.skipped ? 1 : 0;
  const int64_t unsure = answer.unsure ? 1 : 0;
  sql << "INSERT INTO people_answers (uuid, item, study, person, decides, class, skipped, unsure, "
         "note, source, began_ms, answered_ms, seconds, undone_ms, used) "
         "VALUES (:u, :i, :y, :p, :d, :c, :k, :n, :t, :o, :b, :a, :s, 0, 0) RETURNING id",
      use(answer.uuid), use(answer.item), use(study), use(answer.person), use(decides_flag),
      use(answer.class_name), use(skipped), use(unsure), use(answer.note), use(answer.source),
      use(answer.began_ms), use(answer.answered_ms), use(answer.seconds), into(id);
  for (int64_t i = 0; i < std::ssize(answer.ranges); ++i) {
    const PeopleStore::Range& range = answer.ranges[i];
    sql << "INSERT INTO answer_ranges (answer, position, start_s, end_s, class) "
           "VALUES (:a, :p, :s, :e, :c)",
        use(id), use(i), use(range.start_s), use(range.end_s), use(range.class_name);
  }
}

void need_first_answer(soci::session& sql, const PeopleStore::NewAnswer& answer) {
  for (const PeopleStore::Answer& standing : standing_answers(sql, answer.item)) {
    if (!standing.decides && standing.person == answer.person) {
      refuse(Why::conflict, "item {}: {} has answered it already (answer {}); undo that first",
             answer.item, answer.person, standing.uuid);
    }
  }
}

void need_decidable(soci::session& sql, const PeopleStore::Item& item) {
  if (item.state == "withdrawn") {
    refuse(Why::lease_lost, "item {}: it was withdrawn; take the next one", item.id);
  }
  for (const PeopleStore::Answer& standing : standing_answers(sql, item.id)) {
    if (standing.used) {
      refuse(Why::used, "item {}: the study has used its answers; they stay as they are", item.id);
    }
    if (standing.decides) {
      refuse(Why::conflict, "item {}: {} has decided it already (answer {}); undo that first",
             item.id, standing.person, standing.uuid);
    }
  }
}

// What was answered before comes back as it stands now; other content under its uuid is refused.
std::optional<PeopleStore::Put> put_before(soci::session& sql, const PeopleStore::NewAnswer& answer,
                                           bool decides) {
  const auto stored = find_answer(sql, answer.uuid);
  if (!stored) return std::nullopt;
  if (!is_same(*stored, answer, decides)) {
    refuse(Why::conflict, "answer {}: it is stored with other content; a new answer has a new uuid",
           answer.uuid);
  }
  const PeopleStore::Item item = need_item(sql, stored->item);
  return PeopleStore::Put{item.state, item.conflict, /*repeated=*/true};
}

// Refuses before it writes.
PeopleStore::Put put_one(soci::session& sql, const PeopleStore::NewAnswer& answer) {
  if (const auto before = put_before(sql, answer, /*decides=*/false)) return *before;
  const PeopleStore::Item item = need_item(sql, answer.item);
  check_content(answer, item.kind);
  need_first_answer(sql, answer);
  need_place(sql, item, answer.person, counted_s(item, answer.seconds));
  insert_answer(sql, answer, item.study, /*decides=*/false);
  end_lease(sql, item.id, answer.person);
  const PeopleStore::Item now = settle(sql, item);
  withdraw_spent(sql, item.budget);
  return {need_item(sql, item.id).state, now.conflict};
}

PeopleStore::Put decide_one(soci::session& sql, const PeopleStore::NewAnswer& answer) {
  if (const auto before = put_before(sql, answer, /*decides=*/true)) return *before;
  const PeopleStore::Item item = need_item(sql, answer.item);
  check_content(answer, item.kind);
  need_decidable(sql, item);
  insert_answer(sql, answer, item.study, /*decides=*/true);
  sql << "DELETE FROM item_leases WHERE item = :i", use(item.id);
  const PeopleStore::Item now = settle(sql, item);
  return {now.state, now.conflict};
}

}  // namespace

namespace {

Query answers_where(const std::string& columns, const PeopleStore::AnswerFilter& filter) {
  Query query(columns);
  const bool of_item = filter.item != 0;
  const bool of_person = !filter.person.empty() && !of_item;
  const bool of_study = !filter.study.empty() && !of_item && !of_person;
  query.add(filter.undone ? "TRUE " : "undone_ms + 0 = 0 ");
  if (of_item) query.add("AND item = ", filter.item).add(" ");
  // One column chooses the index; no index holds `column || ''`.
  if (!filter.person.empty()) {
    query.add(of_person ? "AND person = " : "AND person || '' = ", filter.person).add(" ");
  }
  if (!filter.study.empty()) {
    query.add(of_study ? "AND study = " : "AND study || '' = ", filter.study).add(" ");
  }
  return query;
}

}  // namespace

Query answers_query(const PeopleStore::AnswerFilter& filter) {
  return answers_where(kAnswerColumns, filter);
}

std::vector<PeopleStore::Answer> find_answers(soci::session& sql, const Query& query) {
  auto answers = query.all<AnswerRow>(sql);
  for (PeopleStore::Answer& answer : answers) {
    if (answer.skipped || !answer.class_name.empty()) continue;
    answer.ranges = Query("SELECT start_s, end_s, class FROM answer_ranges WHERE answer = ")
                        .add("", answer.id)
                        .add(" ORDER BY position")
                        .all<RangeRow>(sql);
  }
  return answers;
}

std::vector<PeopleStore::Answer> standing_answers(soci::session& sql, int64_t item) {
  return find_answers(sql, answers_query({.item = item}).add("ORDER BY id"));
}

PeopleStore::Put PeopleStore::put(const NewAnswer& answer, int64_t now_ms) {
  return state_->db.write_paid([&](soci::session& sql) {
    end_leases(sql, now_ms);
    return put_one(sql, answer);
  });
}

PeopleStore::Put PeopleStore::decide(const NewAnswer& answer) {
  return state_->db.write_paid([&](soci::session& sql) { return decide_one(sql, answer); });
}

std::vector<PeopleStore::PutRow> PeopleStore::put_all(const std::vector<NewAnswer>& answers,
                                                      int64_t now_ms) {
  return state_->db.write_paid([&](soci::session& sql) {
    end_leases(sql, now_ms);
    std::vector<PutRow> rows;
    for (const NewAnswer& answer : answers) {
      try {
        rows.push_back({put_one(sql, answer)});
      } catch (const PeopleRefused& refused) {
        rows.push_back({std::nullopt, refused.why, refused.what()});
      }
    }
    return rows;
  });
}

PeopleStore::Answer PeopleStore::undo(const std::string& uuid, const std::string& person,
                                      int64_t now_ms) {
  return state_->db.write([&](soci::session& sql) {
    const auto stored = find_answer(sql, uuid);
    if (!stored || (!person.empty() && stored->person != person)) {
      refuse(Why::not_found, "store: there is no answer {}{}{}", uuid, person.empty() ? "" : " of ",
             person);
    }
    if (stored->undone_ms != 0) return *stored;
    if (stored->used) {
      refuse(Why::used, "answer {}: the study has used it; it can no longer be undone", uuid);
    }
    sql << "UPDATE people_answers SET undone_ms = :n WHERE uuid = :u", use(now_ms), use(uuid);
    settle(sql, need_item(sql, stored->item));
    return find_answer(sql, uuid).value();
  });
}

std::optional<PeopleStore::Answer> PeopleStore::answer(const std::string& uuid) {
  return state_->db.read([&](soci::session& sql) { return find_answer(sql, uuid); });
}

std::vector<PeopleStore::Answer> PeopleStore::answers(const AnswerFilter& filter, int64_t before,
                                                      int64_t count) {
  return state_->db.read([&](soci::session& sql) {
    Query query = answers_query(filter);
    query.add("AND id < ", before).add(" ORDER BY id DESC LIMIT ", count);
    return find_answers(sql, query);
  });
}

std::vector<PeopleStore::Answer> PeopleStore::answers_after(const AnswerFilter& filter,
                                                            int64_t after, int64_t count) {
  return state_->db.read([&](soci::session& sql) {
    Query query = answers_query(filter);
    query.add("AND id > ", after).add(" ORDER BY id LIMIT ", count);
    return find_answers(sql, query);
  });
}

int64_t PeopleStore::count_answers(const AnswerFilter& filter) {
  return state_->db.read([&](soci::session& sql) {
    return answers_where(kCountAnswers, filter).all<OneColumn<int64_t>>(sql).at(0);
  });
}

std::vector<PeopleStore::Answer> PeopleStore::answers_at(const AnswerFilter& filter, int64_t offset,
                                                         int64_t count) {
  return state_->db.read([&](soci::session& sql) {
    Query query = answers_query(filter);
    query.add("ORDER BY id DESC LIMIT ", count).add(" OFFSET ", offset);
    return find_answers(sql, query);
  });
}

}  // namespace distal
