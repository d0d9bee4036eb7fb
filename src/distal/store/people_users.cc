// Users, sessions, one-time links.

#include <algorithm>
#include <array>

#include "distal/base/utc.h"
#include "distal/store/people_state.h"

namespace distal {
namespace {

using soci::into;
using soci::use;
using Why = PeopleRefused::Why;

constexpr std::array<std::string_view, 3> kRoles = {"annotator", "adjudicator", "owner"};

struct UserRow {
  PeopleStore::User user;
  int64_t disabled = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(user.name));
    row.exchange(into(user.role));
    row.exchange(into(user.password));
    row.exchange(into(user.created));
    row.exchange(into(disabled));
  }
  PeopleStore::User value() {
    user.disabled = disabled != 0;
    return user;
  }
};

struct SessionRow {
  PeopleStore::Session session;

  void exchange(soci::statement& row) {
    row.exchange(into(session.token_hash));
    row.exchange(into(session.person));
    row.exchange(into(session.csrf));
    row.exchange(into(session.created_ms));
    row.exchange(into(session.seen_ms));
    row.exchange(into(session.expires_ms));
    row.exchange(into(session.role));
  }
  PeopleStore::Session value() const { return session; }
};

struct LinkRow {
  PeopleStore::Link link;
  int64_t used_ms = 0;

  void exchange(soci::statement& row) {
    row.exchange(into(link.token_hash));
    row.exchange(into(link.person));
    row.exchange(into(link.role));
    row.exchange(into(link.expires_ms));
    row.exchange(into(used_ms));
  }
  LinkRow value() const { return *this; }
};

constexpr const char* kUserColumns = "SELECT name, role, password, created, disabled FROM users ";

std::optional<PeopleStore::User> find_user(soci::session& sql, const std::string& name) {
  const auto found = Query(kUserColumns).add("WHERE name = ", name).all<UserRow>(sql);
  if (found.empty()) return std::nullopt;
  return found.front();
}

// Nothing where the session has ended by `now_ms` or its user is disabled.
std::optional<PeopleStore::Session> find_session(soci::session& sql, const std::string& token_hash,
                                                 int64_t now_ms) {
  const auto found =
      Query("SELECT token_hash, person, csrf, created_ms, seen_ms, expires_ms, role "
            "FROM sessions JOIN users ON users.name = person WHERE disabled = 0 AND token_hash = ")
          .add("", token_hash)
          .add(" AND expires_ms > ", now_ms)
          .all<SessionRow>(sql);
  if (found.empty()) return std::nullopt;
  return found.front();
}

std::optional<LinkRow> find_link(soci::session& sql, const std::string& token_hash) {
  const auto found =
      Query("SELECT token_hash, person, role, expires_ms, used_ms FROM links WHERE token_hash = ")
          .add("", token_hash)
          .all<LinkRow>(sql);
  if (found.empty()) return std::nullopt;
  return found.front();
}

void check_person(const std::string& name, const std::string& role) {
  if (name.empty()) refuse(Why::invalid, "user: the name is empty");
  if (std::ranges::find(kRoles, role) == kRoles.end()) {
    refuse(Why::invalid,
           "user {}: there is no role {}; it would be annotator, adjudicator or owner", name, role);
  }
}

void insert_user(soci::session& sql, const PeopleStore::User& user, int64_t now_ms) {
  const std::string created = utc_text(now_ms);
  const int64_t disabled = user.disabled ? 1 : 0;
  sql << "INSERT INTO users (name, role, password, created, disabled) VALUES (:n, :r, :p, :c, :d)",
      use(user.name), use(user.role), use(user.password), use(created), use(disabled);
}

int64_t end_of(int64_t created_ms, int64_t now_ms, const SessionTimes& times) {
  return std::min(now_ms + times.idle_ms, created_ms + times.longest_ms);
}

void start_session(soci::session& sql, const std::string& token_hash, const std::string& person,
                   const std::string& csrf, int64_t now_ms, const SessionTimes& times) {
  const auto user = find_user(sql, person);
  if (!user || user->disabled) refuse(Why::not_found, "user {}: there is no such user", person);
  sql << "DELETE FROM sessions WHERE expires_ms <= :n", use(now_ms);
  if (find_session(sql, token_hash, now_ms)) {
    refuse(Why::conflict, "session of {}: the token is taken; draw another", person);
  }
  const int64_t expires_ms = end_of(now_ms, now_ms, times);
  sql << "INSERT INTO sessions (token_hash, person, csrf, created_ms, seen_ms, expires_ms) "
         "VALUES (:t, :p, :x, :c, :s, :e)",
      use(token_hash), use(person), use(csrf), use(now_ms), use(now_ms), use(expires_ms);
}

bool has_owner(soci::session& sql) {
  return Query("SELECT COUNT(*) FROM users WHERE role = 'owner' AND disabled = 0")
             .all<OneColumn<int64_t>>(sql)
             .at(0) > 0;
}

}  // namespace

void PeopleStore::add_user(const User& user, int64_t now_ms) {
  check_person(user.name, user.role);
  state_->db.write([&](soci::session& sql) {
    if (find_user(sql, user.name)) {
      refuse(Why::conflict, "user {}: the name is taken; choose another", user.name);
    }
    insert_user(sql, user, now_ms);
  });
}

std::optional<PeopleStore::User> PeopleStore::user(const std::string& name) {
  return state_->db.read([&](soci::session& sql) { return find_user(sql, name); });
}

std::vector<PeopleStore::User> PeopleStore::users() {
  return state_->db.read([&](soci::session& sql) {
    return Query(kUserColumns).add("ORDER BY name").all<UserRow>(sql);
  });
}

void PeopleStore::change_user(const std::string& name, const UserChange& change) {
  state_->db.write([&](soci::session& sql) {
    const auto before = find_user(sql, name);
    if (!before) refuse(Why::not_found, "user {}: there is no such user", name);
    User user = *before;
    user.role = change.role.value_or(user.role);
    user.password = change.password.value_or(user.password);
    user.disabled = change.disabled.value_or(user.disabled);
    check_person(name, user.role);
    const int64_t disabled = user.disabled ? 1 : 0;
    sql << "UPDATE users SET role = :r, password = :p, disabled = :d WHERE name = :n",
        use(user.role), use(user.password), use(disabled), use(name);
    const bool was_owner = before->role == "owner" && !before->disabled;
    if (was_owner && !has_owner(sql)) {
      refuse(Why::conflict, "user {}: nobody else is an owner; make one first", name);
    }
    if (user.role == before->role && user.password == before->password && !user.disabled) return;
    sql << "DELETE FROM sessions WHERE person = :n", use(name);
  });
}

void PeopleStore::open_session(const std::string& token_hash, const std::string& person,
                               const std::string& csrf, int64_t now_ms, const SessionTimes& times) {
  state_->db.write(
      [&](soci::session& sql) { start_session(sql, token_hash, person, csrf, now_ms, times); });
}

std::optional<PeopleStore::Session> PeopleStore::session(const std::string& token_hash,
                                                         int64_t now_ms,
                                                         const SessionTimes& times) {
  const auto read = [&](soci::session& sql) { return find_session(sql, token_hash, now_ms); };
  const auto found = state_->db.read(read);
  if (!found || now_ms - found->seen_ms < times.step_ms) return found;
  return state_->db.write([&](soci::session& sql) {
    const int64_t expires_ms = end_of(found->created_ms, now_ms, times);
    sql << "UPDATE sessions SET seen_ms = :s, expires_ms = :e WHERE token_hash = :t", use(now_ms),
        use(expires_ms), use(token_hash);
    return read(sql);  // it may have been ended meanwhile
  });
}

void PeopleStore::end_session(const std::string& token_hash) {
  state_->db.write([&](soci::session& sql) {
    sql << "DELETE FROM sessions WHERE token_hash = :t", use(token_hash);
  });
}

void PeopleStore::add_link(const Link& link) {
  check_person(link.person, link.role);
  state_->db.write([&](soci::session& sql) {
    if (find_link(sql, link.token_hash)) {
      refuse(Why::conflict, "link for {}: the token is taken; draw another", link.person);
    }
    sql << "INSERT INTO links (token_hash, person, role, expires_ms, used_ms) "
           "VALUES (:t, :p, :r, :e, 0)",
        use(link.token_hash), use(link.person), use(link.role), use(link.expires_ms);
  });
}

PeopleStore::Session PeopleStore::use_link(const std::string& link_hash,
                                           const std::string& token_hash, const std::string& csrf,
                                           int64_t now_ms, const SessionTimes& times) {
  return state_->db.write([&](soci::session& sql) {
    const auto found = find_link(sql, link_hash);
    if (!found) refuse(Why::not_found, "link: there is no such link; ask an owner for one");
    const Link& link = found->link;
    if (found->used_ms != 0) {
      refuse(Why::used, "link for {}: it was used; ask an owner for another", link.person);
    }
    if (link.expires_ms <= now_ms) {
      refuse(Why::expired, "link for {}: it has expired; ask an owner for another", link.person);
    }
    sql << "UPDATE links SET used_ms = :n WHERE token_hash = :t", use(now_ms), use(link_hash);
    if (!find_user(sql, link.person)) insert_user(sql, {link.person, link.role}, now_ms);
    start_session(sql, token_hash, link.person, csrf, now_ms, times);
    return find_session(sql, token_hash, now_ms).value();
  });
}

}  // namespace distal
