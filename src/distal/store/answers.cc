#include <algorithm>
#include <cmath>
#include <random>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/json.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// JSON text: readable in any client, and nlohmann-json writes the shortest digits that read back to the same double.
std::string to_text(const std::vector<double>& probabilities) {
  for (const double p : probabilities) expect(std::isfinite(p), "the probabilities of an answer are finite");
  return nlohmann::json(probabilities).dump();
}

std::vector<double> from_text(const std::string& probabilities, const std::string& clip) {
  const std::string place = fmt::format("store: the answer about clip {}", clip);
  const auto list = parse_json(probabilities, place);
  const auto is_number = [](const nlohmann::json& item) { return item.is_number(); };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_number)) fail("{}: no list of probabilities; the database was changed by another program, put back a copy", place);
  return list.get<std::vector<double>>();
}

std::string random_key() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

bool any(soci::session& sql, const char* count, int64_t clip, const std::string& oracle, const std::string& version) {
  int64_t rows = 0;
  sql << count, use(clip), use(oracle), use(version), into(rows);
  return rows > 0;
}

// Answered, asked and not yet answered, or answered unusably.
bool taken(soci::session& sql, int64_t clip, const std::string& oracle, const std::string& version) {
  return any(sql, "SELECT COUNT(*) FROM answers WHERE clip = :c AND oracle = :o AND version = :v", clip, oracle, version) ||
         any(sql, "SELECT COUNT(*) FROM request_clips JOIN request_groups ON request_groups.id = request_clips.request "
                  "WHERE clip = :c AND oracle = :o AND version = :v AND state = 'open'", clip, oracle, version) ||
         any(sql, "SELECT COUNT(*) FROM refusals JOIN request_groups ON request_groups.id = refusals.request "
                  "WHERE clip = :c AND oracle = :o AND version = :v AND asked_again = ''", clip, oracle, version);
}

void insert_request(soci::session& sql, const std::string& key, const std::string& oracle, const std::string& version,
                    const std::vector<int64_t>& clips) {
  int64_t id = 0, position = 0;
  sql << "SELECT COALESCE(MAX(id), 0) + 1 FROM request_groups", into(id);
  sql << "INSERT INTO request_groups (id, oracle, version, idempotency_key, state) VALUES (:i, :o, :v, :k, 'open')", use(id), use(oracle),
      use(version), use(key);
  for (const int64_t clip : clips) {
    ++position;
    sql << "INSERT INTO request_clips (request, position, clip) VALUES (:r, :p, :c)", use(id), use(position), use(clip);
  }
}

void insert_answer(soci::session& sql, const StoredAnswer& answer, const std::string& probabilities, const std::string& now) {
  const int64_t clip = clip_row(sql, answer.clip);
  sql << "INSERT INTO answers (clip, oracle, version, probabilities, price, seconds, answered) VALUES (:c, :o, :v, :p, :m, :s, :t) "
         "ON CONFLICT (clip, oracle, version) DO NOTHING",
      use(clip), use(answer.oracle), use(answer.version), use(probabilities), use(answer.price), use(answer.seconds), use(now);
}

void insert_refusal(soci::session& sql, const std::string& request, const StoredRefusal& refusal, const std::string& now) {
  const int64_t clip = clip_row(sql, refusal.clip);
  sql << "INSERT INTO refusals (request, clip, reason, price, refused) SELECT id, :c, :r, :m, :t FROM request_groups WHERE idempotency_key = :k "
         "ON CONFLICT (request, clip) DO NOTHING",
      use(clip), use(refusal.reason), use(refusal.price), use(now), use(request);
}

}  // namespace

std::optional<StoredAnswer> Store::find_answer(const std::string& clip, const std::string& oracle, const std::string& version) {
  return state_->db.read([&](soci::session& sql) -> std::optional<StoredAnswer> {
    StoredAnswer answer{clip, oracle, version};
    std::string probabilities;
    sql << "SELECT probabilities, price, seconds FROM answers JOIN clips ON clips.id = answers.clip "
           "WHERE clip_key = :c AND oracle = :o AND version = :v",
        use(clip), use(oracle), use(version), into(probabilities), into(answer.price), into(answer.seconds);
    if (!sql.got_data()) return std::nullopt;
    answer.probabilities = from_text(probabilities, clip);
    return answer;
  });
}

void Store::put_answers(const std::vector<StoredAnswer>& answers, const std::string& request, const std::vector<StoredRefusal>& refused) {
  expect(refused.empty() || !request.empty(), "an answer is refused as that of a request");
  std::vector<std::string> texts;
  for (const StoredAnswer& answer : answers) texts.push_back(to_text(answer.probabilities));
  const std::string now = utc_now();
  state_->db.write_paid([&](soci::session& sql) {
    for (size_t i = 0; i < answers.size(); ++i) insert_answer(sql, answers[i], texts[i], now);
    for (const StoredRefusal& refusal : refused) insert_refusal(sql, request, refusal, now);
    if (!request.empty()) sql << "UPDATE request_groups SET state = 'paid' WHERE idempotency_key = :k", use(request);
  });
}

Store::Request Store::open_request(const std::string& oracle, const std::string& version, const std::vector<std::string>& clips) {
  return state_->db.write([&](soci::session& sql) {
    Request request;
    std::vector<int64_t> rows;
    for (const std::string& clip : clips) {
      const int64_t row = clip_row(sql, clip);
      if (taken(sql, row, oracle, version) || std::find(rows.begin(), rows.end(), row) != rows.end()) continue;
      rows.push_back(row);
      request.clips.push_back(clip);
    }
    if (rows.empty()) return request;
    request.key = random_key();
    insert_request(sql, request.key, oracle, version, rows);
    return request;
  });
}

std::vector<Store::Request> Store::open_requests(const std::string& oracle, const std::string& version) {
  return state_->db.read([&](soci::session& sql) {
    std::vector<Request> all;
    std::string key, clip;
    soci::statement rows = (sql.prepare << "SELECT idempotency_key, clip_key FROM request_groups "
                                           "JOIN request_clips ON request_clips.request = request_groups.id "
                                           "JOIN clips ON clips.id = request_clips.clip "
                                           "WHERE oracle = :o AND version = :v AND state = 'open' ORDER BY request_groups.id, position",
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
    soci::statement rows = (sql.prepare << "SELECT clip_key, reason, refusals.price, refused FROM refusals "
                                           "JOIN request_groups ON request_groups.id = refusals.request JOIN clips ON clips.id = refusals.clip "
                                           "WHERE oracle = :o AND version = :v AND asked_again = '' ORDER BY request, refusals.clip",
                            use(oracle), use(version), into(one.clip), into(one.reason), into(one.price), into(one.refused));
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
    sql << "UPDATE request_groups SET state = 'lost' WHERE idempotency_key = :k AND state = 'open'", use(request);
  });
}

}  // namespace distal
