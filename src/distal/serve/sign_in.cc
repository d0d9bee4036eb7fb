#include "distal/serve/sign_in.h"

#include "distal/base/text.h"
#include "distal/serve/refusal.h"
#include "distal/serve/secrets.h"

namespace distal::serve {
namespace {

constexpr int64_t kLinkLives_ms = 24LL * 3600 * 1000;
constexpr const char* kLinkOwner = "owner";
constexpr size_t kLongestName = 128;

void require_user_name(const std::string& name) {
  const bool fits =
      !name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, [](char letter) {
        return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
               std::string_view("._-@").find(letter) != std::string_view::npos;
      });
  if (!fits)
    refuse_content("name: it has other signs than letters, digits and . _ - @; choose another");
}

Caller caller_from(const PeopleStore::Session& session) {
  return {session.person, session.role, session.csrf, session.token_hash};
}

}  // namespace

void SignIn::refuse_hasty(const std::string& user, const std::string& address) const {
  const int64_t now = now_();
  const int64_t wait = std::max(users_.wait_s(user, now), addresses_.wait_s(address, now));
  if (wait > 0) {
    throw Refusal(429, "too_many_requests",
                  fmt::format("log-in: too many tries failed; try again in {} s", wait), wait);
  }
}

bool SignIn::is_right(const std::optional<PeopleStore::User>& user, const std::string& password) {
  return is_password(user && !user->disabled ? user->password : "", password);
}

SignIn::Opened SignIn::log_in(const std::string& user, const std::string& password,
                              const std::string& address, const std::string& old_token) {
  refuse_hasty(user, address);
  const auto known = store_.borrow()->user(user);  // no connection is kept while others are hashed
  if (!is_right(known, password)) {
    users_.failed(user, now_());
    addresses_.failed(address, now_());
    throw Refusal(401, "unauthenticated", "log-in: name or password is wrong; try again");
  }
  users_.succeeded(user);
  addresses_.succeeded(address);
  return opened(user, old_token);
}

SignIn::Opened SignIn::log_in_by_link(const std::string& token, const std::string& address,
                                      const std::string& old_token) {
  const int64_t wait = addresses_.wait_s(address, now_());
  if (wait > 0) {
    throw Refusal(429, "too_many_requests",
                  fmt::format("log-in: too many tries failed; try again in {} s", wait), wait);
  }
  const std::string session = new_token();
  try {
    const auto opened =
        store_.borrow()->use_link(token_hash(token), token_hash(session), new_token(), now_());
    end(old_token);
    return {caller_from(opened), session};
  } catch (const PeopleRefused&) {
    addresses_.failed(address, now_());
    throw Refusal(401, "unauthenticated",
                  "log-in: the link was used, is old or unknown; log in by name and password, or "
                  "start distal serve again for another link");
  }
}

SignIn::Opened SignIn::log_in_by_proxy(const std::string& user, const std::string& old_token) {
  const auto found = store_.borrow()->user(user);
  if (!found || found->disabled) {
    throw Refusal(401, "unauthenticated",
                  fmt::format("log-in: {} is no user here; an owner adds users on the page",
                              excerpt(user, 60)));
  }
  return opened(user, old_token);
}

SignIn::Opened SignIn::opened(const std::string& user, const std::string& old_token) {
  const std::string token = new_token();
  const std::string hash = token_hash(token);
  const auto store = store_.borrow();
  store->open_session(hash, user, new_token(), now_());
  end(old_token);
  const auto session = store->session(hash, now_());
  if (!session)
    throw Refusal(401, "unauthenticated", "log-in: the user was disabled; ask an owner");
  return {caller_from(*session), token};
}

void SignIn::end(const std::string& token) {
  if (!token.empty()) store_.borrow()->end_session(token_hash(token));
}

std::optional<Caller> SignIn::caller_of(const std::string& token) {
  if (token.empty()) return std::nullopt;
  const auto session = store_.borrow()->session(token_hash(token), now_());
  if (!session) return std::nullopt;
  return caller_from(*session);
}

void SignIn::log_out(const std::string& token) {
  if (const auto caller = caller_of(token))
    store_.borrow()->release_all(caller->name, caller->session);
  end(token);
}

std::string SignIn::link(const std::string& user, const std::string& role) {
  require_user_name(user);
  const std::string token = new_token();
  store_.borrow()->add_link({token_hash(token), user, role, now_() + kLinkLives_ms});
  return token;
}

std::string SignIn::owner_link() { return link(kLinkOwner, "owner"); }

bool SignIn::has_owner() {
  return std::ranges::any_of(store_.borrow()->users(), [](const PeopleStore::User& user) {
    return user.role == "owner" && !user.disabled && !user.password.empty();
  });
}

PeopleStore::User SignIn::add_user(const std::string& name, const std::string& role,
                                   const std::string& password) {
  require_user_name(name);
  PeopleStore::User user;
  user.name = name;
  user.role = role;
  user.password = hash_password(password);
  const auto store = store_.borrow();
  store->add_user(user, now_());
  return store->user(name).value();
}

}  // namespace distal::serve
