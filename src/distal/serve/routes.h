#pragma once
// What the server answers, as a table. openapi.json describes the same; a test compares them.

#include <map>
#include <string>
#include <vector>

#include "distal/serve/call.h"
#include "distal/serve/services.h"

namespace distal::serve {

inline constexpr const char* kApi = "/api/v1";

struct Route {
  const char* method;
  const char* path;  // behind kApi; {name} stands for one part
  Role least;        // who may ask; nobody: also who is not logged in
  bool csrf;         // needs the header X-CSRF-Token
  Reply (*handler)(Services&, const Call&);
};

/// All of them.
const std::vector<Route>& routes();

// By what they are about.
std::vector<Route> session_routes();
std::vector<Route> user_routes();
std::vector<Route> study_routes();
std::vector<Route> map_routes();
std::vector<Route> item_routes();
std::vector<Route> answer_routes();
std::vector<Route> media_routes();
std::vector<Route> review_routes();

struct Found {
  const Route* route = nullptr;
  std::map<std::string, std::string> parts;
};
/// The route of a path behind kApi; HEAD is answered as GET. Throws Refusal: 404, 405.
Found find_route(const std::string& method, const std::string& path);

/// Where the answer is a cookie.
void set_cookie(Reply& reply, const std::string& token, bool secure);

}  // namespace distal::serve
