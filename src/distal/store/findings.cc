// What a run finds out beside its rounds, and the log.

#include "distal/store/bulk.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// `query` has the run as its one parameter, and yields texts.
std::vector<std::string> texts(soci::session& sql, const char* query, int64_t run) {
  std::vector<std::string> all;
  std::string text;
  soci::statement rows = (sql.prepare << query, use(run), into(text));
  for (rows.execute(); rows.fetch();) all.push_back(text);
  return all;
}

}  // namespace

void Store::put_passes(int64_t run, int64_t round, int64_t passes) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    sql << "INSERT INTO passes (run, round, passes) VALUES (:r, :n, :p) "
           "ON CONFLICT (run, round) DO UPDATE SET passes = excluded.passes",
        use(run), use(round), use(passes);
  });
}

std::optional<int64_t> Store::passes(int64_t run, int64_t round) {
  return state_->db.read([&](soci::session& sql) -> std::optional<int64_t> {
    int64_t passes = 0;
    sql << "SELECT passes FROM passes WHERE run = :r AND round = :n", use(run), use(round),
        into(passes);
    if (!sql.got_data()) return std::nullopt;
    return passes;
  });
}

void Store::put_ranking(int64_t run, int64_t round, int64_t answered) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    sql << "INSERT INTO rankings (run, round, answered) VALUES (:r, :n, :a) "
           "ON CONFLICT (run, round) DO UPDATE SET answered = excluded.answered",
        use(run), use(round), use(answered);
  });
}

int64_t Store::ranking(int64_t run, int64_t round) {
  return state_->db.read([&](soci::session& sql) {
    int64_t answered = 0;
    sql << "SELECT answered FROM rankings WHERE run = :r AND round = :n", use(run), use(round),
        into(answered);
    return sql.got_data() ? answered : 0;
  });
}

void Store::put_quarantined(int64_t run, const std::vector<QuarantinedVideo>& videos) {
  std::vector<std::string> paths, reasons;
  for (const QuarantinedVideo& video : videos) {
    paths.push_back(video.path);
    reasons.push_back(video.reason);
  }
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    Given(state_->db.dialect())
        .column("path", paths)
        .column("reason", reasons)
        .execute(sql,
                 "INSERT INTO quarantined (run, path, reason) "
                 "SELECT CAST(:r AS BIGINT), path, reason FROM given WHERE TRUE ORDER BY place "
                 "ON CONFLICT (run, path) DO NOTHING",
                 use(run));
  });
}

std::vector<Store::QuarantinedVideo> Store::quarantined(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<QuarantinedVideo> all;
    QuarantinedVideo video;
    soci::statement rows =
        (sql.prepare << "SELECT path, reason FROM quarantined WHERE run = :r ORDER BY id", use(run),
         into(video.path), into(video.reason));
    for (rows.execute(); rows.fetch();) all.push_back(video);
    return all;
  });
}

void Store::put_notes(int64_t run, const std::vector<std::string>& notes) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    Given(state_->db.dialect())
        .column("text", notes)
        .execute(sql,
                 "INSERT INTO notes (run, text) SELECT CAST(:r AS BIGINT), text FROM given "
                 "WHERE TRUE ORDER BY place ON CONFLICT (run, text) DO NOTHING",
                 use(run));
  });
}

std::vector<std::string> Store::notes(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    return texts(sql, "SELECT text FROM notes WHERE run = :r ORDER BY id", run);
  });
}

void Store::put_unseen(int64_t run, const std::vector<std::string>& classes) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    Given(state_->db.dialect())
        .column("class", classes)
        .execute(sql,
                 "INSERT INTO unseen_classes (run, class) "
                 "SELECT CAST(:r AS BIGINT), class FROM given "
                 "WHERE TRUE ORDER BY place ON CONFLICT (run, class) DO NOTHING",
                 use(run));
  });
}

std::vector<std::string> Store::unseen(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    return texts(sql, "SELECT class FROM unseen_classes WHERE run = :r ORDER BY id", run);
  });
}

void Store::put_student(int64_t run, const Student& student) {
  state_->db.write([&](soci::session& sql) {
    need_run(sql, run);
    sql << "INSERT INTO students (run, round, weights, path) VALUES (:r, :n, :w, :p) "
           "ON CONFLICT (run, round, weights, path) DO NOTHING",
        use(run), use(student.round), use(student.weights), use(student.path);
  });
}

std::vector<Store::Student> Store::students(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<Student> all;
    Student student;
    soci::statement rows =
        (sql.prepare << "SELECT round, weights, path FROM students WHERE run = :r ORDER BY id",
         use(run), into(student.round), into(student.weights), into(student.path));
    for (rows.execute(); rows.fetch();) all.push_back(student);
    return all;
  });
}

void Store::put_lists_folder(const std::string& folder) {
  const std::string time = utc_now();
  state_->db.write([&](soci::session& sql) {
    sql << "INSERT INTO imports (time, lists_folder) VALUES (:t, :f)", use(time), use(folder);
  });
}

std::string Store::lists_folder() {
  return state_->db.read([&](soci::session& sql) {
    std::string folder;
    sql << "SELECT lists_folder FROM imports ORDER BY id DESC LIMIT 1", into(folder);
    return sql.got_data() ? folder : "";
  });
}

void Store::event(int64_t run, const std::string& kind, const std::string& text) {
  const std::string time = utc_now();
  state_->db.write([&](soci::session& sql) {
    if (run != 0) need_run(sql, run);
    soci::indicator whose = run == 0 ? soci::i_null : soci::i_ok;
    sql << "INSERT INTO events (run, time, kind, text) VALUES (:r, :t, :k, :x)", use(run, whose),
        use(time), use(kind), use(text);
  });
}

std::vector<Store::Event> Store::events(int64_t run) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<Event> all;
    Event event;
    soci::statement rows =
        (sql.prepare << "SELECT time, kind, text FROM events WHERE COALESCE(run, 0) = :r "
                        "ORDER BY id",
         use(run), into(event.time), into(event.kind), into(event.text));
    for (rows.execute(); rows.fetch();) all.push_back(event);
    return all;
  });
}

}  // namespace distal
