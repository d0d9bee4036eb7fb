#pragma once
// A client's connection: what is read and written has limits in time, so that a slow client keeps a
// thread only for so long.

#include <array>
#include <chrono>
#include <functional>
#include <string>

#include <httplib.h>

namespace distal::serve {

struct ConnectionTimes {
  std::chrono::milliseconds request{20'000};  // for a whole request, from its first byte
  std::chrono::milliseconds read{5'000};      // without a byte
  std::chrono::milliseconds write{15'000};    // without one taken
  std::chrono::milliseconds idle{15'000};     // between requests
};

class Connection final : public httplib::Stream {
 public:
  /// Closes the socket at its end.
  Connection(socket_t socket, const ConnectionTimes& times) : socket_(socket), times_(times) {}
  ~Connection() override;
  Connection(const Connection&) = delete;

  /// Waits for the first byte of the next request. False: none came in time, the client left, or
  /// `leave` says so; it is asked every tenth of a second.
  bool wait_for_request(const std::function<bool()>& leave);
  /// After the answer no further request is read: what the client still sends is unknown.
  void close_after_answer() { closing_ = true; }
  bool is_closing() const { return closing_; }

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* into, size_t size) override;
  ssize_t write(const char* bytes, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  bool fill(std::chrono::milliseconds most);

  socket_t socket_;
  ConnectionTimes times_;
  bool closing_ = false;
  Time deadline_{};
  std::array<char, 4096> buffer_{};
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace distal::serve
