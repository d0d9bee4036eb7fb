#include <algorithm>
#include <cmath>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/store/bulk.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// JSON text: readable in any client, and nlohmann-json writes the shortest digits that read back to
// the same double.
std::string to_text(const std::vector<double>& probabilities) {
  for (const double p : probabilities) {
    expect(std::isfinite(p), "the probabilities of an answer are finite");
  }
  return nlohmann::json(probabilities).dump();
}

std::vector<double> from_text(const std::string& probabilities, const std::string& clip) {
  const std::string place = fmt::format("store: the answer about clip {}", clip);
  const auto list = parse_json(probabilities, place);
  const auto is_number = [](const nlohmann::json& item) { return item.is_number(); };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_number)) {
    fail("{}: no list of probabilities; the database was changed by another program, put back a "
         "copy",
         place);
  }
  return list.get<std::vector<double>>();
}

// Each once, where it stands first. Left out is what is answered, asked and not yet answered, or
// answered unusably.
std::vector<std::string> not_taken(soci::session& sql, const Dialect& dialect,
                                   const std::vector<std::string>& clips, const std::string& oracle,
                                   const std::string& version) {
  std::vector<std::string> open;
  std::unordered_set<std::string> seen;
  std::string clip;
  const auto keep = [&] {
    if (seen.insert(clip).second) open.push_back(clip);
  };
  Given(dialect)
      .column("clip_key", clips)
      .each(sql,
            "SELECT given.clip_key FROM given CROSS JOIN clips "
            "WHERE clips.clip_key = given.clip_key "
            "AND NOT EXISTS (SELECT 1 FROM answers "
            "  WHERE answers.clip = clips.id AND oracle = :o1 AND version = :v1) "
            "AND NOT EXISTS (SELECT 1 FROM request_clips "
            "  JOIN request_groups ON request_groups.id = request_clips.request "
            "  WHERE request_clips.clip = clips.id AND oracle = :o2 AND version = :v2 "
            "  AND state = 'open') "
            "AND NOT EXISTS (SELECT 1 FROM refusals "
            "  JOIN request_groups ON request_groups.id = refusals.request "
            "  WHERE refusals.clip = clips.id AND oracle = :o3 AND version = :v3 "
            "  AND asked_again = '') "
            "ORDER BY place",
            keep, into(clip), use(oracle), use(version), use(oracle), use(version), use(oracle),
            use(version));
  return open;
}

void insert_request(soci::session& sql, const Dialect& dialect, const std::string& oracle,
                    const std::string& version, const Store::Request& request) {
  int64_t id = 0;
  sql << "INSERT INTO request_groups (oracle, version, idempotency_key, state) "
         "VALUES (:o, :v, :k, 'open') RETURNING id",
      use(oracle), use(version), use(request.key), into(id);
  Given(dialect)
      .column("clip_key", request.clips)
      .execute(sql,
               "INSERT INTO request_clips (request, position, clip) "
               "SELECT CAST(:r AS BIGINT), place + 1, clips.id FROM given CROSS JOIN clips "
               "WHERE clips.clip_key = given.clip_key",
               use(id));
}

void insert_answers(soci::session& sql, const Dialect& dialect,
                    const std::vector<StoredAnswer>& answers,
                    const std::vector<std::string>& probabilities, const std::string& now) {
  std::vector<std::string> clips, oracles, versions;
  std::vector<double> prices, seconds;
  for (const StoredAnswer& answer : answers) {
    clips.push_back(answer.clip);
    oracles.push_back(answer.oracle);
    versions.push_back(answer.version);
    prices.push_back(answer.price);
    seconds.push_back(answer.seconds);
  }
  add_clip_rows(sql, dialect, clips);
  Given(dialect)
      .column("clip_key", clips)
      .column("oracle", oracles)
      .column("version", versions)
      .column("probabilities", probabilities)
      .column("price", prices)
      .column("seconds", seconds)
      .execute(sql,
               "INSERT INTO answers "
               "(clip, oracle, version, probabilities, price, seconds, answered) "
               "SELECT clips.id, oracle, version, probabilities, price, seconds, :t "
               "FROM given CROSS JOIN clips WHERE clips.clip_key = given.clip_key ORDER BY place "
               "ON CONFLICT (clip, oracle, version) DO NOTHING",
               use(now));
}

void insert_refusals(soci::session& sql, const Dialect& dialect, const std::string& request,
                     const std::vector<StoredRefusal>& refused, const std::string& now) {
  std::vector<std::string> clips, reasons;
  std::vector<double> prices;
  for (const StoredRefusal& refusal : refused) {
    clips.push_back(refusal.clip);
    reasons.push_back(refusal.reason);
    prices.push_back(refusal.price);
  }
  add_clip_rows(sql, dialect, clips);
  Given(dialect)
      .column("clip_key", clips)
      .column("reason", reasons)
      .column("price", prices)
      .execute(sql,
               "INSERT INTO refusals (request, clip, reason, price, refused) "
               "SELECT request_groups.id, clips.id, given.reason, given.price, :t "
               "FROM given CROSS JOIN clips CROSS JOIN request_groups "
               "WHERE clips.clip_key = given.clip_key AND idempotency_key = :k ORDER BY place "
               "ON CONFLICT (request, clip) DO NOTHING",
               use(now), use(request));
}

}  // namespace

std::vector<std::optional<StoredAnswer>> Store::find_answers(const std::vector<std::string>& clips,
                                                             const std::string& oracle,
                                                             const std::string& version) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<std::optional<StoredAnswer>> found(clips.size());
    int64_t place = 0;
    StoredAnswer answer{"", oracle, version};
    std::string probabilities;
    const auto keep = [&] {
      answer.clip = clips.at(place);
      answer.probabilities = from_text(probabilities, answer.clip);
      found.at(place) = answer;
    };
    Given(state_->db.dialect())
        .column("clip_key", clips)
        .each(sql,
              "SELECT place, probabilities, price, seconds "
              "FROM given CROSS JOIN clips CROSS JOIN answers "
              "WHERE clips.clip_key = given.clip_key AND answers.clip = clips.id "
              "AND oracle = :o AND version = :v",
              keep, into(place), into(probabilities), into(answer.price), into(answer.seconds),
              use(oracle), use(version));
    return found;
  });
}

std::optional<StoredAnswer> Store::find_answer(const std::string& clip, const std::string& oracle,
                                               const std::string& version) {
  return find_answers({clip}, oracle, version).front();
}

void Store::put_answers(const std::vector<StoredAnswer>& answers, const std::string& request,
                        const std::vector<StoredRefusal>& refused) {
  expect(refused.empty() || !request.empty(), "an answer is refused as that of a request");
  std::vector<std::string> texts;
  for (const StoredAnswer& answer : answers) texts.push_back(to_text(answer.probabilities));
  const std::string now = utc_now();
  const Dialect& dialect = state_->db.dialect();
  state_->db.write_paid([&](soci::session& sql) {
    insert_answers(sql, dialect, answers, texts, now);
    insert_refusals(sql, dialect, request, refused, now);
    if (request.empty()) return;
    sql << "UPDATE request_groups SET state = 'paid' WHERE idempotency_key = :k", use(request);
  });
}

Store::Request Store::open_request(const std::string& oracle, const std::string& version,
                                   const std::vector<std::string>& clips) {
  const Dialect& dialect = state_->db.dialect();
  return state_->db.write([&](soci::session& sql) {
    add_clip_rows(sql, dialect, clips);
    Request request;
    request.clips = not_taken(sql, dialect, clips, oracle, version);
    if (request.clips.empty()) return request;
    request.key = random_key();
    insert_request(sql, dialect, oracle, version, request);
    return request;
  });
}

std::vector<Store::Request> Store::open_requests(const std::string& oracle,
                                                 const std::string& version) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<Request> all;
    std::string key, clip;
    soci::statement rows =
        (sql.prepare << "SELECT idempotency_key, clip_key FROM request_groups "
                        "JOIN request_clips ON request_clips.request = request_groups.id "
                        "JOIN clips ON clips.id = request_clips.clip "
                        "WHERE oracle = :o AND version = :v AND state = 'open' "
                        "ORDER BY request_groups.id, position",
         use(oracle), use(version), into(key), into(clip));
    for (rows.execute(); rows.fetch();) {
      if (all.empty() || all.back().key != key) all.push_back({key, {}});
      all.back().clips.push_back(clip);
    }
    return all;
  });
}

std::vector<StoredRefusal> Store::refused(const std::string& oracle, const std::string& version) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<StoredRefusal> all;
    StoredRefusal one;
    soci::statement rows =
        (sql.prepare << "SELECT clip_key, reason, refusals.price, refused FROM refusals "
                        "JOIN request_groups ON request_groups.id = refusals.request "
                        "JOIN clips ON clips.id = refusals.clip "
                        "WHERE oracle = :o AND version = :v AND asked_again = '' "
                        "ORDER BY request, refusals.clip",
         use(oracle), use(version), into(one.clip), into(one.reason), into(one.price),
         into(one.refused));
    for (rows.execute(); rows.fetch();) all.push_back(one);
    return all;
  });
}

void Store::ask_again(const std::string& oracle, const std::string& version) {
  const std::string now = utc_now();
  state_->db.write([&](soci::session& sql) {
    sql << "UPDATE refusals SET asked_again = :t WHERE asked_again = '' AND "
           "request IN (SELECT id FROM request_groups WHERE oracle = :o AND version = :v)",
        use(now), use(oracle), use(version);
  });
}

void Store::give_up(const std::string& request) {
  state_->db.write([&](soci::session& sql) {
    sql << "UPDATE request_groups SET state = 'lost' "
           "WHERE idempotency_key = :k AND state = 'open'",
        use(request);
  });
}

}  // namespace distal
