#pragma once
// One exchange with an HTTP server that ends within bounds, whatever the server does: in time (an
// endless body, a drip of bytes, a name that nobody resolves) and in bytes (of headers, of the
// body, also of one that was compressed). SIGINT and SIGTERM end it within a second. Redirects are
// not followed, so no other host sees the token.

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace distal {

constexpr int64_t kMostErrorBytes = 64
                                    << 10;  // read of a body that is no 200's: enough for a reason
constexpr int64_t kMostHeaderBytes = 64 << 10;

struct HttpRequest {
  std::string method, path;  // GET, POST or PUT; from / on
  int64_t most_bytes = 0;    // of the body of a 200, decompressed
  std::string body, type;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpReply {
  int status = 0;  // 0: none came, see `trouble`
  std::string
      body;  // decompressed, at most HttpRequest::most_bytes of a 200, kMostErrorBytes of others
  bool cut_off = false;  // there is more of it
  std::vector<std::pair<std::string, std::string>> headers;
  std::string trouble;  // why none came: a clause
  bool broke_while_sending = false;
  bool has(const std::string& name) const;
  std::string header(
      const std::string& name) const;  // its first value, the name in any case; empty where absent
};

class HttpServer {
 public:
  /// `address`: scheme://host:port. `timeout_s` is of a whole exchange, from the connection to the
  /// last byte; `option` sets it, in messages (empty: none does). Throws Error for an address that
  /// is none.
  HttpServer(const std::string& address, double timeout_s, const std::string& token,
             const std::string& option = "oracle.timeout_s");
  ~HttpServer();
  /// Throws Interrupted. One thread at a time; the connection is kept for the next.
  HttpReply exchange(HttpRequest request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
