// Logging in and out, and users.

#include "distal/base/utc.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"
#include "distal/serve/secrets.h"

namespace distal::serve {
namespace {

using Json = nlohmann::ordered_json;

Reply session_reply(const Caller& caller) {
  return json_reply(
      {{"user", caller.name}, {"role", caller.role}, {"csrf", caller.csrf}, {"language", nullptr}});
}

Reply opened_reply(const SignIn::Opened& opened, const Call& call) {
  Reply reply = session_reply(opened.caller);
  set_cookie(reply, opened.token, call.secure);
  return reply;
}

// Whom a trusted proxy has logged in gets a session here.
Reply get_session(Services& services, const Call& call) {
  const bool is_other =
      call.caller && !call.proxy_user.empty() && call.caller->name != call.proxy_user;
  if (call.caller && !is_other) return session_reply(*call.caller);
  if (!call.proxy_user.empty())
    return opened_reply(services.sign_in.log_in_by_proxy(call.proxy_user, call.token), call);
  throw Refusal(401, "unauthenticated", "session: nobody is logged in; log in");
}

Reply log_in(Services& services, const Call& call) {
  const Fields fields(call.body, {"user", "password"}, /*rule_status=*/400);
  const std::string user = fields.text("user", 1, 128);
  return opened_reply(
      services.sign_in.log_in(user, fields.text("password", 1, 1024), call.address, call.token),
      call);
}

Reply log_in_by_link(Services& services, const Call& call) {
  const Fields fields(call.body, {"token"}, /*rule_status=*/400);
  return opened_reply(
      services.sign_in.log_in_by_link(fields.text("token", 16, 256), call.address, call.token),
      call);
}

Reply log_out(Services& services, const Call& call) {
  services.sign_in.log_out(call.token);
  Reply reply = empty_reply();
  set_cookie(reply, "", call.secure);
  return reply;
}

Json user_json(PeopleStore& store, const PeopleStore::User& user) {
  return {{"name", user.name},
          {"role", user.role},
          {"created_ms", utc_ms(user.created).value_or(0)},
          {"disabled", user.disabled},
          {"answered", store.count_answers({.person = user.name})}};
}

Reply get_users(Services& services, const Call&) {
  const auto store = services.people.borrow();
  Json users = Json::array();
  for (const auto& user : store->users()) users.push_back(user_json(*store, user));
  return json_reply({{"users", users}});
}

std::string role_in(const Fields& fields) {
  const std::string role = fields.text("role", 1, 40);
  if (role_of(role) == Role::nobody)
    refuse_content("role: there is no such role; take annotator, adjudicator or owner");
  return role;
}

Reply add_user(Services& services, const Call& call) {
  const Fields fields(call.body, {"name", "role", "password"});
  const auto user =
      services.sign_in.add_user(fields.text("name", 1, 128), role_in(fields),
                                fields.text("password", kShortestPassword, kLongestPassword));
  return json_reply(user_json(*services.people.borrow(), user), 201);
}

Reply change_user(Services& services, const Call& call) {
  const Fields fields(call.body, {"role", "password", "disabled"});
  PeopleStore::UserChange change;
  if (fields.has("role")) change.role = role_in(fields);
  if (fields.has("password"))
    change.password = hash_password(fields.text("password", kShortestPassword, kLongestPassword));
  if (fields.has("disabled")) change.disabled = fields.truth("disabled");
  const auto store = services.people.borrow();
  store->change_user(call.part("name"), change);
  return json_reply(user_json(*store, store->user(call.part("name")).value()));
}

}  // namespace

std::vector<Route> session_routes() {
  return {{"GET", "/session", Role::nobody, false, get_session},
          {"POST", "/session", Role::nobody, false, log_in},
          {"DELETE", "/session", Role::annotator, true, log_out},
          {"POST", "/session/link", Role::nobody, false, log_in_by_link}};
}

std::vector<Route> user_routes() {
  return {{"GET", "/users", Role::adjudicator, false, get_users},
          {"POST", "/users", Role::owner, true, add_user},
          {"PATCH", "/users/{name}", Role::owner, true, change_user}};
}

}  // namespace distal::serve
