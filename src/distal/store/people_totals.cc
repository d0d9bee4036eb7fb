// Totals over items and answers.

#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;

struct ProgressRow {
  PeopleStore::Progress progress;
  std::string state;
  int64_t conflict = 0;
  int64_t items = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(progress.study));
    row.exchange(into(progress.purpose));
    row.exchange(into(state));
    row.exchange(into(conflict));
    row.exchange(into(items));
  }
  // One state's part of it.
  PeopleStore::Progress value() const {
    PeopleStore::Progress part{progress.study, progress.purpose};
    part.open = state == "open" ? items : 0;
    part.settled = state == "settled" ? items : 0;
    part.left_out = state == "left_out" ? items : 0;
    part.withdrawn = state == "withdrawn" ? items : 0;
    part.conflicts = conflict != 0 ? items : 0;
    return part;
  }
};

struct BatchRow {
  PeopleStore::Batch batch;

  void exchange(soci::statement& row) {
    row.exchange(into(batch.purpose));
    row.exchange(into(batch.round));
    row.exchange(into(batch.open));
    row.exchange(into(batch.answered));
  }
  PeopleStore::Batch value() const { return batch; }
};

struct ClassRow {
  PeopleStore::ClassTotal total;

  void exchange(soci::statement& row) {
    row.exchange(into(total.class_name));
    row.exchange(into(total.answers));
    row.exchange(into(total.ranges));
  }
  PeopleStore::ClassTotal value() const { return total; }
};

struct PersonRow {
  PeopleStore::PersonTotal total;

  void exchange(soci::statement& row) {
    row.exchange(into(total.person));
    row.exchange(into(total.answers));
    row.exchange(into(total.skipped));
    row.exchange(into(total.unsure));
    row.exchange(into(total.seconds));
  }
  PeopleStore::PersonTotal value() const { return total; }
};

// ` WHERE ...`, with the study where one is named.
void of_standing(Query& query, const std::string& study) {
  query.add(" WHERE undone_ms = 0");
  if (!study.empty()) query.add(" AND study = ", study);
}

}  // namespace

std::vector<PeopleStore::Progress> PeopleStore::progress(const std::string& study) {
  Query query("SELECT study, purpose, state, conflict, COUNT(*) FROM items");
  if (!study.empty()) query.add(" WHERE study = ", study);
  query.add(" GROUP BY study, purpose, state, conflict ORDER BY study, purpose, state, conflict");
  return state_->db.read([&](soci::session& sql) {
    std::vector<Progress> all;
    for (const Progress& part : query.all<ProgressRow>(sql)) {
      if (all.empty() || all.back().study != part.study || all.back().purpose != part.purpose) {
        all.push_back({part.study, part.purpose});
      }
      Progress& sum = all.back();
      sum.open += part.open;
      sum.settled += part.settled;
      sum.left_out += part.left_out;
      sum.withdrawn += part.withdrawn;
      sum.conflicts += part.conflicts;
    }
    return all;
  });
}

std::vector<PeopleStore::Batch> PeopleStore::open_batches(const std::string& study) {
  Query query("SELECT purpose, round, COUNT(CASE WHEN state = 'open' THEN 1 END), "
              "COUNT(CASE WHEN state IN ('settled', 'left_out') THEN 1 END) FROM items");
  query.add(" WHERE study = ", study)
      .add(" GROUP BY purpose, round HAVING COUNT(CASE WHEN state = 'open' THEN 1 END) > 0 "
           "ORDER BY purpose, round");
  return state_->db.read([&](soci::session& sql) { return query.all<BatchRow>(sql); });
}

std::vector<PeopleStore::ClassTotal> PeopleStore::class_totals(const std::string& study) {
  Query query("SELECT class, CAST(SUM(answers) AS BIGINT), CAST(SUM(ranges) AS BIGINT) FROM ("
              "SELECT class, COUNT(*) AS answers, 0 AS ranges FROM people_answers");
  of_standing(query, study);
  query.add(" GROUP BY class UNION ALL SELECT answer_ranges.class, 0, COUNT(*) FROM answer_ranges "
            "CROSS JOIN people_answers");
  of_standing(query, study);
  query.add(" AND people_answers.id = answer GROUP BY answer_ranges.class) AS parts "
            "WHERE class <> '' GROUP BY class ORDER BY class");
  return state_->db.read([&](soci::session& sql) { return query.all<ClassRow>(sql); });
}

// Sums by class first: that is the order of the index, which alone is read.
std::vector<PeopleStore::PersonTotal> PeopleStore::person_totals(const std::string& study) {
  Query query("SELECT person, CAST(SUM(answers) AS BIGINT), CAST(SUM(skipped) AS BIGINT), "
              "CAST(SUM(unsure) AS BIGINT), SUM(seconds) FROM ("
              "SELECT class, person, COUNT(*) AS answers, SUM(skipped) AS skipped, "
              "SUM(unsure) AS unsure, SUM(seconds) AS seconds FROM people_answers");
  of_standing(query, study);
  query.add(" GROUP BY class, person) AS parts GROUP BY person ORDER BY person");
  return state_->db.read([&](soci::session& sql) { return query.all<PersonRow>(sql); });
}

std::optional<double> PeopleStore::median_seconds(const std::string& study) {
  Query counted("SELECT COUNT(*) FROM people_answers");
  of_standing(counted, study);
  counted.add(" AND seconds > 0");
  return state_->db.read([&](soci::session& sql) -> std::optional<double> {
    const int64_t count = counted.all<OneColumn<int64_t>>(sql).at(0);
    if (count == 0) return std::nullopt;
    Query middle("SELECT seconds FROM people_answers");
    of_standing(middle, study);
    middle.add(" AND seconds > 0 ORDER BY seconds LIMIT ", 2 - count % 2)
        .add(" OFFSET ", (count - 1) / 2);
    const auto seconds = middle.all<OneColumn<double>>(sql);  // one, or two
    if (seconds.empty()) return std::nullopt;                 // undone meanwhile
    return (seconds.front() + seconds.back()) / 2;
  });
}

}  // namespace distal
