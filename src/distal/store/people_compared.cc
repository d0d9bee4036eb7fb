// What people said, where it can be compared.

#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;

struct SaidRow {
  PeopleStore::Compared::Said said;

  void exchange(soci::statement& row) {
    row.exchange(into(said.item));
    row.exchange(into(said.clip));
    row.exchange(into(said.person));
    row.exchange(into(said.class_name));
  }
  PeopleStore::Compared::Said value() const { return said; }
};

struct CountRow {
  PeopleStore::Compared::Count count;

  void exchange(soci::statement& row) {
    row.exchange(into(count.class_name));
    row.exchange(into(count.person));
    row.exchange(into(count.answers));
  }
  PeopleStore::Compared::Count value() const { return count; }
};

void of_study(Query& query, const char* column, const std::string& study) {
  if (!study.empty()) query.add(fmt::format(" AND {} = ", column), study);
}

// In the order of an index, which holds all but whether an answer decides: those are few, and are
// taken off; `item > 0` names the index that holds them. No index holds `column || ''`.
Query counts_query(const std::string& study) {
  Query query("SELECT class, person, CAST(SUM(answers) AS BIGINT) FROM ("
              "SELECT class, person, COUNT(*) AS answers FROM people_answers WHERE undone_ms = 0");
  of_study(query, "study", study);
  query.add(" GROUP BY class, person UNION ALL "
            "SELECT class, person, -1 FROM people_answers WHERE undone_ms = 0 AND decides = 1 "
            "AND item > 0");
  of_study(query, "study || ''", study);
  return query.add(") AS parts WHERE class <> '' GROUP BY class, person HAVING SUM(answers) > 0 "
                   "ORDER BY class, person");
}

// The items of several people come first, then their answers.
Query shared_query(const std::string& study) {
  Query query("SELECT item, '', person, class FROM ("
              "SELECT item AS several FROM people_answers WHERE undone_ms = 0 AND decides = 0 "
              "GROUP BY item HAVING COUNT(*) > 1) AS shared CROSS JOIN people_answers "
              "WHERE item = several AND undone_ms = 0 AND decides = 0 AND class <> ''");
  of_study(query, "study || ''", study);
  return query.add(" ORDER BY item, id");
}

Query again_query(const std::string& study) {
  Query query("SELECT item, clip_key, person, people_answers.class FROM ("
              "SELECT clip_key AS twice FROM items GROUP BY clip_key HAVING COUNT(*) > 1) AS clips "
              "CROSS JOIN items CROSS JOIN people_answers WHERE clip_key = twice "
              "AND item = items.id AND undone_ms = 0 AND decides = 0 "
              "AND people_answers.class <> ''");
  of_study(query, "people_answers.study || ''", study);
  return query.add(" ORDER BY people_answers.id");
}

}  // namespace

PeopleStore::Compared PeopleStore::compared(const std::string& study) {
  return state_->db.read([&](soci::session& sql) {
    return Compared{shared_query(study).all<SaidRow>(sql), again_query(study).all<SaidRow>(sql),
                    counts_query(study).all<CountRow>(sql)};
  });
}

}  // namespace distal
