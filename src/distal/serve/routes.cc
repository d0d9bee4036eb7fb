#include "distal/serve/routes.h"

#include <optional>

#include "distal/base/text.h"
#include "distal/serve/refusal.h"

namespace distal::serve {
namespace {

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t at = 0; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    parts.push_back(path.substr(begin, at - begin));
    begin = at + 1;
  }
  return parts;
}

using Parts = std::map<std::string, std::string>;

std::optional<Parts> matched(const std::string& pattern, const std::vector<std::string>& given) {
  const std::vector<std::string> wanted = split_path(pattern);
  if (wanted.size() != given.size()) return std::nullopt;
  Parts parts;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with("{")) {
      if (given[i].empty()) return std::nullopt;
      parts[wanted[i].substr(1, wanted[i].size() - 2)] = given[i];
    } else if (wanted[i] != given[i]) {
      return std::nullopt;
    }
  }
  return parts;
}

}  // namespace

const std::vector<Route>& routes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> rows;
    for (const auto& some : {session_routes(), user_routes(), study_routes(), map_routes(),
                             item_routes(), answer_routes(), media_routes(), review_routes()})
      rows.insert(rows.end(), some.begin(), some.end());
    return rows;
  }();
  return all;
}

// A path without a variable part comes before one with: /answers/mine before /answers/{uuid}.
Found find_route(const std::string& method, const std::string& path) {
  const std::string wanted = method == "HEAD" ? "GET" : method;
  const auto given = split_path(path);
  bool is_path = false;
  Found found;
  for (const Route& route : routes()) {
    const auto parts = matched(route.path, given);
    if (!parts) continue;
    is_path = true;
    if (wanted != route.method) continue;
    if (found.route == nullptr || parts->size() < found.parts.size()) found = {&route, *parts};
  }
  if (found.route != nullptr) return found;
  if (is_path) {
    throw Refusal(405, "method_not_allowed",
                  fmt::format("{}: it takes no {}; openapi.json says what it takes",
                              excerpt(path, 100), excerpt(method, 20)));
  }
  refuse_unknown(
      fmt::format("{}: there is no such path; openapi.json lists them", excerpt(path, 100)));
}

void set_cookie(Reply& reply, const std::string& token, bool secure) {
  const std::string end = token.empty() ? "; Max-Age=0" : "";
  reply.headers.emplace_back(
      "Set-Cookie", fmt::format("{}={}; HttpOnly; SameSite=Strict; Path=/{}{}", kCookie, token,
                                secure ? "; Secure" : "", end));
}

}  // namespace distal::serve
