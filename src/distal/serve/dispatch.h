#pragma once
// From an HTTP request to its handler and back.

#include <string>

#include <httplib.h>

#include "distal/serve/services.h"

namespace distal::serve {

/// Most bytes of a body: of an answer, which may have many ranges, and of all else.
inline constexpr size_t kMostOfAnswer = 8 << 20;
inline constexpr size_t kMostOfBody = 64 << 10;
/// Longest path and query.
inline constexpr size_t kLongestTarget = 4096;

/// Whether the request announces a body.
bool has_body(const httplib::Request& request);
/// Before the body is read. Throws Refusal: 404, 405, 413, 415.
size_t most_of_body(const httplib::Request& request);

/// Answers a request whose body was read. Never throws: what goes wrong is an error of
/// openapi.json.
void dispatch(Services& services, const httplib::Request& request, const std::string& body,
              httplib::Response& response);

/// Makes what is thrown at the moment the answer.
void answer_with_error(httplib::Response& response);
/// Of a status that cpp-httplib set itself.
void answer_with_status(httplib::Response& response);

}  // namespace distal::serve
