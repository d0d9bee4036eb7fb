#include "distal/serve/server.h"

#include <arpa/inet.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"
#include "distal/serve/connection.h"
#include "distal/serve/dispatch.h"
#include "distal/serve/refusal.h"
#include "distal/serve/workers.h"

namespace distal::serve {
namespace {

constexpr size_t kMostThreads = 256;  // of which events take up to Events::kMostListeners
constexpr int kRequestsAConnection = 1000;
constexpr auto kLookForSignals = std::chrono::milliseconds(100);
constexpr const char* kAnything = ".*";

// The connection that this thread serves.
thread_local Connection* current = nullptr;

httplib::Headers security_headers() {
  return {{"Content-Security-Policy",
           "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src "
           "'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cross-Origin-Resource-Policy", "same-origin"}};
}

bool is_loopback(const std::string& address) {
  in_addr v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return address == "::1" || address == "localhost";
}

// The library would let a second server listen at the same port, and each have half of the clients.
void allow_no_second(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

// What the client still sends is no request.
void hang_up(httplib::Response& response) {
  current->close_after_answer();
  response.set_header("Connection", "close");
}

/// Reads a body within its limits.
std::string read_body(const httplib::ContentReader& reader, size_t most) {
  std::string body;
  const bool whole = reader([&](const char* bytes, size_t count) {
    if (body.size() + count > most) return false;
    body.append(bytes, count);
    return true;
  });
  if (whole) return body;
  throw Refusal(413, "too_large",
                fmt::format("body: it is too large, broke off or came too slowly; send at most {} "
                            "bytes at once",
                            most));
}

/// cpp-httplib's server with connections and threads of our own.
class HttpServer final : public httplib::Server {
 public:
  explicit HttpServer(Services& services) : services_(services) {
    new_task_queue = [this] { return workers_ = new Workers(kMostThreads); };
    set_default_headers(security_headers());
    set_payload_max_length(kMostOfAnswer);
    set_keep_alive_max_count(kRequestsAConnection);
    set_tcp_nodelay(true);
    set_socket_options(allow_no_second);
    set_pre_routing_handler(
        [this](const auto& request, auto& response) { return before_body(request, response); });
    const HandlerWithContentReader with_body = [this](const auto& request, auto& response,
                                                      const auto& reader) {
      after_headers(request, response, reader);
    };
    Post(kAnything, with_body).Put(kAnything, with_body).Patch(kAnything, with_body);
    Delete(kAnything, with_body);
    set_error_handler(Handler([](const auto&, auto& response) {
      // The library refused what it could not read: nobody knows where the next request begins.
      if (response.body.empty()) hang_up(response);
      answer_with_status(response);
    }));
    set_exception_handler([](const auto&, auto& response, std::exception_ptr thrown) {
      try {
        std::rethrow_exception(thrown);
      } catch (...) {
        answer_with_error(response);
      }
    });
  }

 private:
  // What needs no body is answered here; so is what is refused before its body is read.
  HandlerResponse before_body(const httplib::Request& request, httplib::Response& response) {
    // Ranges are answered here, not by cpp-httplib: the request is that of the caller, not const.
    const_cast<httplib::Request&>(request).ranges.clear();
    if (request.target.size() > kLongestTarget) {
      response.status = 414;
      answer_with_status(response);
      hang_up(response);
      return HandlerResponse::Handled;
    }
    if (!has_body(request)) {
      dispatch(services_, request, "", response);
      return HandlerResponse::Handled;
    }
    try {
      const bool takes_none = request.method == "GET" || request.method == "HEAD";
      if (takes_none) refuse_request("body: a GET has none; send it without");
      most_of_body(request);
      return HandlerResponse::Unhandled;
    } catch (...) {
      answer_with_error(response);
      hang_up(response);
      return HandlerResponse::Handled;
    }
  }

  void after_headers(const httplib::Request& request, httplib::Response& response,
                     const httplib::ContentReader& reader) {
    std::string body;
    try {
      body = read_body(reader, most_of_body(request));
    } catch (...) {
      answer_with_error(response);
      return hang_up(response);
    }
    dispatch(services_, request, body, response);
  }

  bool process_and_close_socket(socket_t socket) override {
    Connection connection(socket, {});
    current = &connection;
    const auto leave = [this] { return !is_running() || workers_->is_crowded(); };
    for (int left = kRequestsAConnection; left > 0 && connection.wait_for_request(leave); --left) {
      bool closed = false;
      const bool served =
          process_request(connection, /*close_connection=*/left == 1, closed, nullptr);
      if (!served || closed || connection.is_closing()) break;
    }
    current = nullptr;
    return true;
  }

  Services& services_;
  Workers* workers_ = nullptr;  // of the server that listens
};

}  // namespace

struct Server::State {
  explicit State(const ServeOptions& options)
      : services(options), http(std::make_unique<HttpServer>(services)) {}

  Services services;
  std::unique_ptr<httplib::Server> http;
  int port = 0;
};

namespace {

void require_password(const ServeOptions& options) {
  if (is_loopback(options.bind)) return;
  PeopleStore store(options.store);
  for (const auto& user : store.users()) {
    if (user.role == "owner" && !user.disabled && !user.password.empty()) return;
  }
  throw UsageError(fmt::format(
      "--bind {}: others could reach the page, and no owner has a password yet; start without "
      "--bind, log in by the link, add an owner with a password, then start again",
      options.bind));
}

}  // namespace

Server::Server(const ServeOptions& options) {
  require_password(options);
  state_ = std::make_unique<State>(options);
  state_->port = options.port;
  if (options.port == 0)
    state_->port = state_->http->bind_to_any_port(options.bind);
  else if (!state_->http->bind_to_port(options.bind, options.port))
    state_->port = -1;
  if (state_->port < 0) {
    fail("--bind {} --port {}: the address is not this machine's, or the port is taken; choose "
         "another, --port 0 takes a free one",
         options.bind, options.port);
  }
  state_->services.served.begin();
}

Server::~Server() { stop(); }

int Server::port() const { return state_->port; }

std::string Server::address() {
  const std::string& bound = state_->services.options.bind;
  const std::string host = bound.find(':') == std::string::npos ? bound : "[" + bound + "]";
  const std::string address = fmt::format("http://{}:{}/", host, state_->port);
  if (state_->services.sign_in.has_owner()) return address;
  return fmt::format("{}#link={}", address, state_->services.sign_in.owner_link());
}

void Server::listen() {
  std::atomic<bool> ended = false;
  std::thread watch([&] {
    while (!ended && !interrupted()) std::this_thread::sleep_for(kLookForSignals);
    if (!ended) stop();
  });
  state_->http->listen_after_bind();
  ended = true;
  watch.join();
}

void Server::stop() {
  state_->services.events.close();
  state_->http->stop();
}

}  // namespace distal::serve
