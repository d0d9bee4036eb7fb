#pragma once
// What the server refuses: one JSON object for a program and a sentence for a person.

#include <string>

#include "distal/base/error.h"
#include "distal/store/people_store.h"

namespace distal::serve {

/// An answer that is an error: its HTTP status, the word of openapi.json for programs, and
/// `place: what; cure` for people.
class Refusal : public Error {
 public:
  Refusal(int status, std::string code, const std::string& message, int64_t retry_after_s = 0)
      : Error(message), status(status), code(std::move(code)), retry_after_s(retry_after_s) {}
  int status;
  std::string code;
  int64_t retry_after_s;  // header Retry-After; 0: none
};

/// The word of openapi.json for a status that says all there is to say.
std::string code_of(int status);

/// What the store refused, as an answer.
Refusal refusal_of(const PeopleRefused& refused);

/// `{"error": {"code": ..., "message": ...}}`
std::string error_json(const std::string& code, const std::string& message);

[[noreturn]] inline void refuse_request(const std::string& message) {
  throw Refusal(400, "bad_request", message);
}
[[noreturn]] inline void refuse_content(const std::string& message) {
  throw Refusal(422, "invalid", message);
}
[[noreturn]] inline void refuse_unknown(const std::string& message) {
  throw Refusal(404, "not_found", message);
}

}  // namespace distal::serve
