#include "distal/serve/dispatch.h"

#include <algorithm>
#include <charconv>

#include "distal/base/json.h"
#include "distal/base/text.h"
#include "distal/serve/file_reply.h"
#include "distal/serve/page_files.h"
#include "distal/serve/refusal.h"
#include "distal/serve/routes.h"
#include "distal/serve/secrets.h"

namespace distal::serve {
namespace {

constexpr const char* kJsonType = "application/json";

bool is_api(const std::string& path) { return path.starts_with(std::string(kApi) + "/"); }

std::string cookie_of(const httplib::Request& request) {
  std::string_view rest;
  const std::string header = request.get_header_value("Cookie");
  const std::string name = std::string(kCookie) + "=";
  for (rest = header; !rest.empty();) {
    const size_t end = std::min(rest.find(';'), rest.size());
    std::string_view pair = rest.substr(0, end);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.starts_with(name)) return std::string(pair.substr(name.size()));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "";
}

// The last one that a proxy of ours added.
std::string forwarded_address(const httplib::Request& request) {
  const std::string all = request.get_header_value("X-Forwarded-For");
  std::string last = all.substr(all.rfind(',') == std::string::npos ? 0 : all.rfind(',') + 1);
  std::erase(last, ' ');
  return last.empty() ? request.remote_addr : excerpt(last, 60);
}

void add_sender(const ServeOptions& options, const httplib::Request& request, Call& call) {
  call.address = request.remote_addr;
  if (std::ranges::find(options.trusted_proxies, request.remote_addr) ==
      options.trusted_proxies.end())
    return;
  call.address = forwarded_address(request);
  call.proxy_user = request.get_header_value("X-Forwarded-User");
  call.secure = request.get_header_value("X-Forwarded-Proto") == "https";
}

Call call_of(Services& services, const httplib::Request& request, const std::string& body) {
  Call call;
  call.method = request.method;
  call.path = request.path.substr(std::string(kApi).size());
  call.head = request.method == "HEAD";
  for (const auto& [name, value] : request.params) call.query.emplace(name, value);
  call.range = request.get_header_value("Range");
  call.token = cookie_of(request);
  add_sender(services.options, request, call);
  call.caller = services.sign_in.caller_of(call.token);
  if (!body.empty()) call.body = parse_json(body, "body");
  return call;
}

void check_rights(const Route& route, const Call& call, const httplib::Request& request) {
  if (route.least == Role::nobody) return;
  if (!call.caller) throw Refusal(401, "unauthenticated", "session: nobody is logged in; log in");
  if (!call.proxy_user.empty() && call.proxy_user != call.caller->name)
    throw Refusal(401, "unauthenticated", "session: it is another user's; load the page again");
  if (!call.may(route.least)) {
    throw Refusal(403, "forbidden",
                  fmt::format("{}: the role {} does not suffice; ask an owner",
                              excerpt(call.path, 100), call.caller->role));
  }
  if (route.csrf && !is_same_secret(call.caller->csrf, request.get_header_value("X-CSRF-Token"))) {
    throw Refusal(403, "csrf", "X-CSRF-Token: it is missing or wrong; send csrf of GET session");
  }
}

Reply reply_to(Services& services, const httplib::Request& request, const std::string& body,
               Call& call) {
  if (!is_api(request.path)) {
    if (request.method != "GET" && request.method != "HEAD")
      throw Refusal(405, "method_not_allowed", "page: it takes GET alone");
    return page_reply(request.path);
  }
  const Found found = find_route(request.method, request.path.substr(std::string(kApi).size()));
  try {
    call = call_of(services, request, body);
  } catch (const Refusal&) {
    throw;
  } catch (const PeopleRefused&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    if (body.empty()) throw;
    refuse_request(error.what());  // the JSON is none
  }
  call.parts = found.parts;
  check_rights(*found.route, call, request);
  return found.route->handler(services, call);
}

void write(Reply reply, const Call& call, httplib::Response& response) {
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
  if (!response.has_header("Cache-Control")) response.set_header("Cache-Control", "no-store");
  if (!reply.file.empty())
    return answer_with_file(reply.file, reply.type, call.range, call.head, response);
  response.status = reply.status;
  if (reply.next) {
    response.set_header("X-Accel-Buffering", "no");
    return response.set_chunked_content_provider(
        reply.type, [next = reply.next](size_t, httplib::DataSink& sink) {
          std::string piece;
          if (next(piece)) return sink.write(piece.data(), piece.size());
          sink.done();
          return true;
        });
  }
  if (reply.status != 204) response.set_content(reply.body, reply.type);
}

void answer_with(const Refusal& refusal, httplib::Response& response) {
  response.headers.erase("Set-Cookie");
  response.status = refusal.status;
  if (refusal.retry_after_s > 0)
    response.set_header("Retry-After", fmt::format("{}", refusal.retry_after_s));
  response.headers.erase("Cache-Control");
  response.set_header("Cache-Control", "no-store");
  response.set_content(error_json(refusal.code, refusal.what()), kJsonType);
}

}  // namespace

bool has_body(const httplib::Request& request) {
  if (request.has_header("Transfer-Encoding")) return true;
  return request.has_header("Content-Length") && request.get_header_value("Content-Length") != "0";
}

size_t most_of_body(const httplib::Request& request) {
  const std::string path = request.path;
  if (!is_api(path)) throw Refusal(405, "method_not_allowed", "page: it takes GET alone");
  find_route(request.method, path.substr(std::string(kApi).size()));
  const std::string type = request.get_header_value("Content-Type");
  if (type.substr(0, type.find(';')) != kJsonType || request.has_header("Content-Encoding"))
    throw Refusal(415, "unsupported_type", "body: it is not application/json; send that");
  const size_t most = request.method == "PUT" ? kMostOfAnswer : kMostOfBody;
  const std::string length = request.get_header_value("Content-Length");
  size_t announced = 0;
  const auto [rest, trouble] =
      std::from_chars(length.data(), length.data() + length.size(), announced);
  if (!length.empty() &&
      (trouble != std::errc() || rest != length.data() + length.size() || announced > most)) {
    throw Refusal(413, "too_large",
                  fmt::format("body: it is too large; send at most {} bytes", most));
  }
  return most;
}

void dispatch(Services& services, const httplib::Request& request, const std::string& body,
              httplib::Response& response) {
  Call call;
  try {
    Reply reply = reply_to(services, request, body, call);
    write(std::move(reply), call, response);
  } catch (...) {
    answer_with_error(response);
  }
}

void answer_with_error(httplib::Response& response) {
  try {
    throw;
  } catch (const Refusal& refusal) {
    answer_with(refusal, response);
  } catch (const PeopleRefused& refused) {
    answer_with(refusal_of(refused), response);
  } catch (const Interrupted&) {
    answer_with(Refusal(503, "unavailable", "server: it stops; ask again later", 5), response);
  } catch (const Error& error) {
    answer_with(Refusal(500, "internal", excerpt(error.what(), 1000)), response);
  } catch (const std::exception&) {
    answer_with(Refusal(500, "internal",
                        "server: it failed in a way that nobody foresaw, which is a bug of distal; "
                        "please report what was asked"),
                response);
  }
}

void answer_with_status(httplib::Response& response) {
  if (!response.body.empty() || response.status < 400) return;
  answer_with(Refusal(response.status, code_of(response.status),
                      fmt::format("request: it cannot be served (HTTP {}); openapi.json says what "
                                  "is taken",
                                  response.status)),
              response);
}

}  // namespace distal::serve
