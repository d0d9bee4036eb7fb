#include "distal/serve/connection.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace distal::serve {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kLookOut(100);
constexpr milliseconds kFarewell(1000);
constexpr size_t kMostAfterwards = 1 << 20;

// Whether the socket is ready for `events` within the time.
bool is_ready(socket_t socket, short events, milliseconds most) {
  pollfd waiting{socket, events, 0};
  for (const auto until = SteadyClock::now() + most;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - SteadyClock::now());
    const int count = ::poll(&waiting, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (count >= 0 || errno != EINTR) return count > 0;
  }
}

void set_address(const sockaddr_storage& address, socklen_t length, std::string& ip, int& port) {
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof host, service,
                    sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return;
  ip = host;
  port = static_cast<int>(std::strtol(service, nullptr, 10));
}

}  // namespace

// What was not read would make the system cut the connection before the client has the answer.
Connection::~Connection() {
  ::shutdown(socket_, SHUT_WR);
  const auto until = SteadyClock::now() + kFarewell;
  for (size_t taken = 0; closing_ && taken < kMostAfterwards && SteadyClock::now() < until;) {
    if (!is_ready(socket_, POLLIN, kLookOut)) continue;
    const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
    if (count <= 0) break;
    taken += static_cast<size_t>(count);
  }
  ::close(socket_);
}

bool Connection::wait_for_request(const std::function<bool()>& leave) {
  const auto until = SteadyClock::now() + times_.idle;
  while (begin_ == end_) {
    if (SteadyClock::now() >= until) return false;
    if (is_ready(socket_, POLLIN, kLookOut)) {
      if (!fill(kLookOut)) return false;
    } else if (leave()) {
      return false;
    }
  }
  deadline_ = SteadyClock::now() + times_.request;
  return true;
}

bool Connection::fill(milliseconds most) {
  if (!is_ready(socket_, POLLIN, most)) return false;
  const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
  if (count <= 0) return false;
  begin_ = 0;
  end_ = static_cast<size_t>(count);
  return true;
}

bool Connection::is_readable() const {
  return begin_ < end_ || is_ready(socket_, POLLIN, times_.read);
}

bool Connection::is_writable() const { return is_ready(socket_, POLLOUT, times_.write); }

ssize_t Connection::read(char* into, size_t size) {
  if (begin_ == end_) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - SteadyClock::now());
    if (left.count() <= 0 || !fill(std::min(times_.read, left))) return -1;
  }
  const size_t count = std::min(size, end_ - begin_);
  std::memcpy(into, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* bytes, size_t size) {
  if (!is_writable()) return -1;
  return ::send(socket_, bytes, size, MSG_NOSIGNAL);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0)
    set_address(address, length, ip, port);
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0)
    set_address(address, length, ip, port);
}

}  // namespace distal::serve
