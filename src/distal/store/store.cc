#include "distal/store/store.h"

#include <regex>

#include "distal/base/error.h"
#include "distal/store/bulk.h"
#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// Clip::key() is VIDEO@START-END in milliseconds, the end -1 where it is the end of the video.
struct ClipParts {
  std::string video;
  int64_t start_ms = 0;
  int64_t end_ms = -1;
};

// A mix (base/nouns.h) stands under its first clip.
ClipParts parse(const std::string& key) {
  static const std::regex parts(R"((.*?)@(-?\d{1,15})-(-?\d{1,15})(?:[*#].*)?)");
  std::smatch part;
  if (!std::regex_match(key, part, parts)) return {key};
  return {part[1], std::stoll(part[2]), std::stoll(part[3])};
}

std::vector<std::string> without_row(soci::session& sql, const Dialect& dialect,
                                     const std::vector<std::string>& keys) {
  std::vector<std::string> missing;
  std::string key;
  Given(dialect)
      .column("clip_key", keys)
      .each(
          sql,
          "SELECT given.clip_key FROM given WHERE NOT EXISTS "
          "(SELECT 1 FROM clips WHERE clips.clip_key = given.clip_key) ORDER BY place",
          [&] { missing.push_back(key); }, into(key));
  return missing;
}

}  // namespace

void add_clip_rows(soci::session& sql, const Dialect& dialect,
                   const std::vector<std::string>& keys) {
  const std::vector<std::string> missing = without_row(sql, dialect, keys);
  std::vector<std::string> videos;
  std::vector<int64_t> starts, ends;
  for (const std::string& key : missing) {
    const ClipParts parts = parse(key);
    videos.push_back(parts.video);
    starts.push_back(parts.start_ms);
    ends.push_back(parts.end_ms);
  }
  Given(dialect)
      .column("clip_key", missing)
      .column("video", videos)
      .column("start_ms", starts)
      .column("end_ms", ends)
      .execute(sql, "INSERT INTO clips (clip_key, video, start_ms, end_ms) "
                    "SELECT clip_key, video, start_ms, end_ms FROM given WHERE TRUE ORDER BY place "
                    "ON CONFLICT (clip_key) DO NOTHING");
}

Store::State::State(const std::string& url, const LeaseTimes& times)
    : db(url), leases(url, times) {}

// What cannot be given back expires by itself.
Store::State::~State() {
  try {
    leases.close(db);
  } catch (const std::exception&) {
  }
}

Store::Store(const std::string& url, const LeaseTimes& times)
    : state_(std::make_unique<State>(url, times)) {}

Store::~Store() = default;

void Store::put_video(const Video& video) {
  state_->db.write([&](soci::session& sql) {
    sql << "INSERT INTO videos (id, path, duration_s, health, quarantined) "
           "VALUES (:i, :p, :d, :h, :q) ON CONFLICT (id) DO UPDATE "
           "SET path = excluded.path, duration_s = excluded.duration_s, "
           "health = excluded.health, quarantined = excluded.quarantined",
        use(video.id), use(video.path), use(video.duration_s), use(video.health),
        use(video.quarantined);
  });
}

std::vector<Store::Video> Store::videos() {
  return state_->db.read([](soci::session& sql) {
    std::vector<Video> all;
    Video video;
    soci::statement rows =
        (sql.prepare << "SELECT id, path, duration_s, health, quarantined FROM videos "
                        "ORDER BY path, id",
         into(video.id), into(video.path), into(video.duration_s), into(video.health),
         into(video.quarantined));
    for (rows.execute(); rows.fetch();) all.push_back(video);
    return all;
  });
}

}  // namespace distal
