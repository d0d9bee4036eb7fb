#include "distal/serve/refusal.h"

#include <map>

#include <nlohmann/json.hpp>

#include "distal/base/json.h"

namespace distal::serve {

std::string code_of(int status) {
  static const std::map<int, std::string> codes = {{400, "bad_request"},
                                                   {401, "unauthenticated"},
                                                   {403, "forbidden"},
                                                   {404, "not_found"},
                                                   {405, "method_not_allowed"},
                                                   {409, "conflict"},
                                                   {413, "too_large"},
                                                   {414, "too_large"},
                                                   {415, "unsupported_type"},
                                                   {416, "bad_range"},
                                                   {422, "invalid"},
                                                   {429, "too_many_requests"},
                                                   {503, "unavailable"}};
  const auto found = codes.find(status);
  return found != codes.end() ? found->second : status < 500 ? "bad_request" : "internal";
}

Refusal refusal_of(const PeopleRefused& refused) {
  using Why = PeopleRefused::Why;
  switch (refused.why) {
    case Why::not_found: return {404, "not_found", refused.what()};
    case Why::conflict: return {409, "conflict", refused.what()};
    case Why::used: return {409, "used", refused.what()};
    case Why::lease_lost: return {409, "lease_lost", refused.what()};
    case Why::expired: return {401, "unauthenticated", refused.what()};
    case Why::invalid: return {422, "invalid", refused.what()};
  }
  return {500, "internal", refused.what()};
}

std::string error_json(const std::string& code, const std::string& message) {
  const nlohmann::ordered_json body = {{"error", {{"code", code}, {"message", message}}}};
  return json_text(body);
}

}  // namespace distal::serve
