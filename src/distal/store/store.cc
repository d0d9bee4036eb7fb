#include "distal/store/store.h"

#include <regex>
#include <string_view>

#include "distal/store/state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;

// Clip::key() is VIDEO@START-END in milliseconds, the end -1 where it is the end of the video.
struct ClipParts {
  std::string video;
  int64_t start_ms = 0, end_ms = -1;
};

// A mix (base/nouns.h) stands under its first clip.
ClipParts parse(const std::string& key) {
  static const std::regex parts(R"((.*?)@(-?\d{1,15})-(-?\d{1,15})(?:[*#].*)?)");
  std::smatch part;
  if (!std::regex_match(key, part, parts)) return {key};
  return {part[1], std::stoll(part[2]), std::stoll(part[3])};
}

}  // namespace

int64_t clip_row(soci::session& sql, const std::string& key) {
  int64_t row = 0;
  sql << "SELECT id FROM clips WHERE clip_key = :k", use(key), into(row);
  if (sql.got_data()) return row;
  const ClipParts parts = parse(key);
  sql << "SELECT COALESCE(MAX(id), 0) + 1 FROM clips", into(row);
  sql << "INSERT INTO clips (id, clip_key, video, start_ms, end_ms) VALUES (:i, :k, :v, :s, :e)", use(row), use(key),
      use(parts.video), use(parts.start_ms), use(parts.end_ms);
  return row;
}

Store::Store(const std::string& url) : state_(std::make_unique<State>(url)) {}

Store::~Store() = default;

void Store::put_video(const Video& video) {
  state_->db.write([&](soci::session& sql) {
    sql << "INSERT INTO videos (id, path, duration_s, health, quarantined) VALUES (:i, :p, :d, :h, :q) ON CONFLICT (id) DO UPDATE "
           "SET path = excluded.path, duration_s = excluded.duration_s, health = excluded.health, quarantined = excluded.quarantined",
        use(video.id), use(video.path), use(video.duration_s), use(video.health), use(video.quarantined);
  });
}

std::vector<Store::Video> Store::videos() {
  return state_->db.read([](soci::session& sql) {
    std::vector<Video> all;
    Video video;
    soci::statement rows = (sql.prepare << "SELECT id, path, duration_s, health, quarantined FROM videos ORDER BY path, id", into(video.id),
                            into(video.path), into(video.duration_s), into(video.health), into(video.quarantined));
    for (rows.execute(); rows.fetch();) all.push_back(video);
    return all;
  });
}

}  // namespace distal
