#include <cmath>
#include <random>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// JSON text: readable in any client, and nlohmann-json writes the shortest digits that read back to the same double.
std::string to_text(const std::vector<double>& probabilities) {
  for (const double p : probabilities) expect(std::isfinite(p), "the probabilities of an answer are finite");
  return nlohmann::json(probabilities).dump();
}

std::string random_key() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
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
    answer.probabilities = nlohmann::json::parse(probabilities).get<std::vector<double>>();
    return answer;
  });
}

void Store::put_answer(const StoredAnswer& answer) {
  const std::string probabilities = to_text(answer.probabilities), now = utc_now();
  state_->db.write([&](soci::session& sql) {
    const int64_t clip = clip_row(sql, answer.clip);
    sql << "INSERT INTO answers (clip, oracle, version, probabilities, price, seconds, answered) VALUES (:c, :o, :v, :p, :m, :s, :t) "
           "ON CONFLICT (clip, oracle, version) DO NOTHING",
        use(clip), use(answer.oracle), use(answer.version), use(probabilities), use(answer.price), use(answer.seconds), use(now);
    sql << "UPDATE requests SET state = 'paid' WHERE clip = :c AND oracle = :o AND version = :v", use(clip), use(answer.oracle),
        use(answer.version);
  });
}

std::string Store::request_key(const std::string& clip, const std::string& oracle, const std::string& version) {
  return state_->db.write([&](soci::session& sql) {
    const int64_t row = clip_row(sql, clip);
    std::string key;
    sql << "SELECT idempotency_key FROM requests WHERE clip = :c AND oracle = :o AND version = :v", use(row), use(oracle), use(version),
        into(key);
    if (sql.got_data()) return key;
    key = random_key();
    sql << "INSERT INTO requests (clip, oracle, version, idempotency_key, state) VALUES (:c, :o, :v, :k, 'open')", use(row), use(oracle),
        use(version), use(key);
    return key;
  });
}

}  // namespace distal
