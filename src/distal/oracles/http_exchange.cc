#include "distal/oracles/http_exchange.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <future>
#include <mutex>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <httplib.h>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"

namespace distal {
namespace {

using ExchangeClock = std::chrono::steady_clock;
constexpr double kLongestConnect_s = 10;
constexpr double kLongestExchange_s = 1e6;
constexpr auto kLook = std::chrono::milliseconds(10);
constexpr auto kLookAtHeaders = std::chrono::milliseconds(1);
constexpr auto kFarewell = std::chrono::milliseconds(500);
constexpr int kReceiveBuffer = 64 << 10;
// httplib matches the status line with std::regex, which recurses for each letter; a line of
// kMostHeaderBytes and what is under way needs more than the usual 8 MB. Only what is touched costs
// memory.
constexpr size_t kStack = size_t{1} << 30;

/// A server that hangs up while it is written to must not end this process; the signal goes to the
/// thread that writes.
void block_sigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::string in_words(httplib::Error error) {
  switch (error) {
    case httplib::Error::Read: return "connection failed: it broke before the answer was whole";
    case httplib::Error::Write:
      return "connection failed: it broke while the request was being sent";
    case httplib::Error::SSLConnection:
      return "connection failed: the server speaks no TLS; should the address begin with http://?";
    case httplib::Error::SSLServerVerification:
      return "connection failed: the server's certificate is not valid";
    default: return "connection failed: nobody listens there, or the name is unknown";
  }
}

/// What the thread that talks and the one that waits share; it outlives whichever ends first.
struct Exchange {
  std::shared_ptr<httplib::Client> client;
  httplib::Request request;
  int64_t most_bytes = 0;
  HttpReply reply;  // of the talking thread until `ended`
  std::atomic<bool> headers_there = false;
  std::atomic<int64_t> taken = 0;  // of the body, decompressed
  std::promise<void> ended;

  int64_t most() const { return reply.status == 200 ? most_bytes : kMostErrorBytes; }

  bool take_headers(const httplib::Response& response) {
    reply.status = response.status;
    reply.headers.assign(response.headers.begin(), response.headers.end());
    headers_there = true;
    reply.cut_off = std::strtoull(reply.header("Content-Length").c_str(), nullptr, 10) >
                        static_cast<uint64_t>(most()) &&
                    response.status == 200;
    return !reply.cut_off;
  }

  bool take_body(const char* data, size_t bytes) {
    const size_t room = static_cast<size_t>(most()) - reply.body.size();
    reply.body.append(data, std::min(bytes, room));
    reply.cut_off = bytes > room;
    taken += static_cast<int64_t>(bytes);
    return !reply.cut_off;
  }

  void talk() {
    block_sigpipe();
    request.response_handler = [this](const httplib::Response& response) {
      return take_headers(response);
    };
    request.content_receiver = [this](const char* data, size_t bytes, uint64_t, uint64_t) {
      return take_body(data, bytes);
    };
    httplib::Response response;
    auto error = httplib::Error::Success;
    client->send(request, response, error);
    if (error == httplib::Error::Success && reply.status == 0)
      take_headers(response);  // a status that has no body
    // An error's status stands though its words broke off.
    if (error != httplib::Error::Success && !reply.cut_off &&
        (reply.status == 0 || reply.status == 200)) {
      reply = {};
      reply.trouble = in_words(error);
      reply.broke_while_sending = error == httplib::Error::Write;
    }
    ended.set_value();
  }
};

void* talk_of(void* exchange) {
  const std::unique_ptr<std::shared_ptr<Exchange>> held(
      static_cast<std::shared_ptr<Exchange>*>(exchange));
  (*held)->talk();
  return nullptr;
}

/// std::thread has no say in the size of its stack.
pthread_t start_talking(const std::shared_ptr<Exchange>& exchange) {
  auto held = std::make_unique<std::shared_ptr<Exchange>>(exchange);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_t thread{};
  int failed = pthread_create(&thread, &attributes, talk_of, held.get());
  if (failed != 0)
    failed = pthread_create(&thread, nullptr, talk_of, held.get());  // a limit on memory
  pthread_attr_destroy(&attributes);
  if (failed != 0) fail("no thread can be started ({}); end some programs", std::strerror(failed));
  held.release();
  return thread;
}

std::chrono::microseconds microseconds(double seconds) {
  return std::chrono::microseconds(
      static_cast<int64_t>(std::min(seconds, kLongestExchange_s) * 1e6));
}

}  // namespace

/// The socket in use, as its own descriptor: another thread may count its bytes and close the line
/// whatever httplib does to its own.
class HttpLine {
 public:
  ~HttpLine() { drop(); }

  void take(int socket) {
    const std::lock_guard lock(mutex_);
    drop();
    socket_ = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer,
                 sizeof kReceiveBuffer);  // little is under way when it is closed
    before_ = 0;
  }

  void begin_to_count() {
    const std::lock_guard lock(mutex_);
    before_ = total();
  }

  int64_t received() const {
    const std::lock_guard lock(mutex_);
    return total() - before_;
  }

  void close() const {
    const std::lock_guard lock(mutex_);
    if (socket_ < 0) return;
    // A reset, not a farewell: a server whose data finds no room would else keep its end open for a
    // minute.
    const linger reset{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::shutdown(socket_, SHUT_RDWR);
  }

 private:
  // Bytes that httplib has read. It bounds the length of a header, not their number nor that of a
  // line without end. The kernel counts what came, tcpi_bytes_received (linux/tcp.h, whose tcp_info
  // is longer than glibc's; 8 bytes from 128 on), and what of it waits to be read, which is asked
  // later and so never too little. 0 where the kernel does not say.
  int64_t total() const {
    constexpr size_t kAt = 128;
    unsigned char info[kAt + sizeof(uint64_t)] = {};
    socklen_t size = sizeof info;
    if (socket_ < 0 || ::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, info, &size) != 0 ||
        size < sizeof info)
      return 0;
    uint64_t bytes = 0;
    std::memcpy(&bytes, info + kAt, sizeof bytes);
    int waiting = 0;
    ::ioctl(socket_, FIONREAD, &waiting);
    return std::max<int64_t>(0, static_cast<int64_t>(bytes) - waiting);
  }

  void drop() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  mutable std::mutex mutex_;
  int socket_ = -1;
  int64_t before_ = 0;
};

bool HttpReply::has(const std::string& name) const {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
    return ::strcasecmp(header.first.c_str(), name.c_str()) == 0;
  });
}

std::string HttpReply::header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (::strcasecmp(key.c_str(), name.c_str()) == 0) return value;
  }
  return "";
}

struct HttpServer::State {
  std::string address;
  double timeout_s;
  std::string token;
  std::string option;
  std::shared_ptr<HttpLine> line = {};
  std::shared_ptr<httplib::Client> client = {};

  void connect_anew() {
    line = std::make_shared<HttpLine>();
    client = std::make_shared<httplib::Client>(address);
    if (!client->is_valid()) fail("{}: not an address", address);
    client->set_tcp_nodelay(true);
    client->set_keep_alive(true);
    client->set_connection_timeout(microseconds(std::min(timeout_s, kLongestConnect_s)));
    client->set_read_timeout(microseconds(timeout_s));
    client->set_write_timeout(microseconds(timeout_s));
    client->set_socket_options([line = line](int socket) { line->take(socket); });
    if (!token.empty()) client->set_default_headers({{"Authorization", "Bearer " + token}});
  }

  /// Closes the line until the talking thread has seen it. One that does not, in the resolver of
  /// names say, is left to itself.
  void break_off(pthread_t talking, const std::future<void>& ended) {
    for (const auto end = ExchangeClock::now() + kFarewell; ExchangeClock::now() < end;) {
      line->close();
      if (ended.wait_for(kLook) != std::future_status::ready) continue;
      pthread_join(talking, nullptr);
      return;
    }
    pthread_detach(talking);
    connect_anew();
  }

  std::string no_answer() const {
    return fmt::format("no answer within {} s{}", timeout_s,
                       option.empty() ? "" : fmt::format(" ({})", option));
  }
};

HttpServer::HttpServer(const std::string& address, double timeout_s, const std::string& token,
                       const std::string& option)
    : state_(new State{address, timeout_s, token, option}) {
  state_->connect_anew();
}

HttpServer::~HttpServer() = default;

HttpReply HttpServer::exchange(HttpRequest wanted) {
  const auto exchange = std::make_shared<Exchange>();
  exchange->client = state_->client;
  exchange->most_bytes = wanted.most_bytes;
  exchange->request.method = wanted.method;
  exchange->request.path = wanted.path;
  exchange->request.body = std::move(wanted.body);
  exchange->request.headers.insert(wanted.headers.begin(), wanted.headers.end());
  exchange->request.set_header("Accept-Encoding", "identity");
  if (!wanted.type.empty()) exchange->request.set_header("Content-Type", wanted.type);

  state_->line->begin_to_count();
  const auto ended = exchange->ended.get_future();
  const pthread_t talking = start_talking(exchange);
  const auto began = ExchangeClock::now();
  const auto end = began + microseconds(state_->timeout_s);
  std::string trouble;
  try {
    while (trouble.empty() && ended.wait_for(exchange->headers_there ? kLook : kLookAtHeaders) !=
                                  std::future_status::ready) {
      check_interrupted();
      const int64_t read = state_->line->received();  // before it is asked what was made of it:
                                                      // else the body would count as headers
      if (ExchangeClock::now() >= end)
        trouble = state_->no_answer();
      else if (read > kMostHeaderBytes && !exchange->headers_there)
        trouble = fmt::format("its headers exceed {} kB", kMostHeaderBytes >> 10);
      else if (read > 2 * kMostHeaderBytes + 8 * exchange->taken)
        trouble = "its answer has no end";  // in chunks of one byte six come for each
    }
  } catch (...) {
    state_->break_off(talking, ended);
    throw;
  }
  if (!trouble.empty()) {
    state_->break_off(talking, ended);
    HttpReply none;
    none.trouble = trouble;
    return none;
  }
  pthread_join(talking, nullptr);
  HttpReply reply = std::move(exchange->reply);
  const bool late = std::chrono::duration<double>(ExchangeClock::now() - began).count() >=
                    0.95 * state_->timeout_s;
  if (!reply.trouble.empty() && late)
    reply.trouble = state_->no_answer();  // httplib has the same limit for each of its steps
  return reply;
}

}  // namespace distal
