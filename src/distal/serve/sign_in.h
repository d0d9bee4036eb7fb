#pragma once
// Who asks: log-in by password or link, sessions, users. Tokens are kept as hashes only.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "distal/serve/attempts.h"
#include "distal/serve/call.h"
#include "distal/serve/pool.h"
#include "distal/store/people_store.h"

namespace distal::serve {

/// Milliseconds since 1970, UTC.
using Clock = std::function<int64_t()>;

inline constexpr const char* kCookie = "distal_session";
/// Letters of a password.
inline constexpr size_t kShortestPassword = 8;
inline constexpr size_t kLongestPassword = 1024;

/// Thread-safe. After some failures a user, and an address, must wait before the next try, longer
/// each time.
class SignIn {
 public:
  SignIn(Pool<PeopleStore>& store, Clock now) : store_(store), now_(std::move(now)) {}

  struct Opened {
    Caller caller;
    std::string token;  // for the cookie
  };
  /// A new session; `old_token`'s ends. Throws Refusal: 401 (wrong), 429 (too many tries).
  Opened log_in(const std::string& user, const std::string& password, const std::string& address,
                const std::string& old_token);
  /// The same by a one-time link. Throws Refusal: 401 (unknown, used, old), 429.
  Opened log_in_by_link(const std::string& token, const std::string& address,
                        const std::string& old_token);
  /// The same for whom a trusted proxy has logged in. Throws Refusal: 401, no such user.
  Opened log_in_by_proxy(const std::string& user, const std::string& old_token);
  /// Whose session it is. The use moves its end.
  std::optional<Caller> caller_of(const std::string& token);
  void log_out(const std::string& token);

  /// The token of a link that logs in as the user once, within a day. One who is not there becomes
  /// a user with that role. Throws Refusal: 422.
  std::string link(const std::string& user, const std::string& role);
  /// The same for `owner`.
  std::string owner_link();
  /// Whether an owner can log in by a password.
  bool has_owner();

  /// Throws Refusal: 409, 422.
  PeopleStore::User add_user(const std::string& name, const std::string& role,
                             const std::string& password);

 private:
  Opened opened(const std::string& user, const std::string& old_token);
  void end(const std::string& token);
  void refuse_hasty(const std::string& user, const std::string& address) const;
  bool is_right(const std::optional<PeopleStore::User>& user, const std::string& password);

  Pool<PeopleStore>& store_;
  Clock now_;
  Attempts users_{5, 60};  // short, so that nobody locks out another for long
  Attempts addresses_{20, 900};
};

}  // namespace distal::serve
