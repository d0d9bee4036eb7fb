#pragma once
// A request and its answer as plain values: handlers know nothing of sockets.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace distal::serve {

/// What a person may do; each role may do what those before it may.
enum class Role { nobody, annotator, adjudicator, owner };
Role role_of(const std::string& name);

/// Who asks.
struct Caller {
  std::string name;
  std::string role;     // as the store has it
  std::string csrf;     // what the header X-CSRF-Token must be
  std::string session;  // hash of the token
};

struct Call {
  std::string method, path;
  std::map<std::string, std::string> parts;  // of the path, by their names in the route
  std::map<std::string, std::string> query;
  nlohmann::json body;  // null: there was none
  std::optional<Caller> caller;
  std::string token;       // of the cookie; empty: none
  std::string address;     // of who asks, behind trusted proxies
  std::string proxy_user;  // whom a trusted proxy has logged in; empty: nobody
  std::string range;       // header Range
  bool head = false;       // only the headers are wanted
  bool secure = false;     // a trusted proxy says that the browser speaks https

  const std::string& part(const std::string& name) const { return parts.at(name); }
  /// A part that is a whole number above 0. Throws Refusal: 404.
  int64_t id() const;
  /// A part that is a whole number of 0 or more. Throws Refusal: 404.
  int64_t whole_part(const std::string& name) const;
  /// Empty where it is absent.
  std::string text(const std::string& name) const;
  /// Throws Refusal: 400, it is absent and has no `otherwise`, no number, or outside.
  double number(const std::string& name, std::optional<double> otherwise = {}) const;
  int64_t whole(const std::string& name, int64_t low, int64_t high, int64_t otherwise) const;
  /// One of `words`, the first where it is absent. Throws Refusal: 400.
  std::string word(const std::string& name, const std::vector<std::string>& words) const;
  /// Whether the caller may do what the role may.
  bool may(Role role) const;
};

struct Reply {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string file;  // the body is this file instead
  /// The body comes in pieces: the next one, or false at the end. Empty: `body` is all.
  std::function<bool(std::string& piece)> next;
};

Reply json_reply(const nlohmann::ordered_json& json, int status = 200);
/// 204.
Reply empty_reply();

/// The fields of a JSON object that a client sent, each asked for by its type. Throws Refusal: 400
/// where the body is none, has a field outside `names`, or a field has another type; `rule_status`
/// where a value is out of bounds.
class Fields {
 public:
  Fields(const nlohmann::json& body, std::vector<std::string> names, int rule_status = 422);
  bool has(const std::string& name) const;
  std::string text(const std::string& name, size_t least, size_t most) const;
  bool truth(const std::string& name) const;
  int64_t whole(const std::string& name, int64_t low, int64_t high) const;
  double number(const std::string& name, double low) const;
  const nlohmann::json& list(const std::string& name) const;
  const nlohmann::json& object(const std::string& name) const;

 private:
  const nlohmann::json& at(const std::string& name, const char* type, bool fits) const;
  const nlohmann::json& field(const std::string& name) const;
  [[noreturn]] void break_rule(const std::string& name, const std::string& rule) const;

  const nlohmann::json& body_;
  int rule_status_;
};

}  // namespace distal::serve
