#pragma once
// The server of `distal serve`: the page, and the REST interface of openapi.json.

#include <memory>
#include <string>

#include "distal/serve/options.h"

namespace distal::serve {

class Server {
 public:
  /// Opens the store and binds the address; with a command the study is started. Throws UsageError:
  /// an address other than this machine's own while no owner has a password; Error: the port is
  /// taken.
  explicit Server(const ServeOptions& options);
  ~Server();
  Server(const Server&) = delete;

  int port() const;
  /// Where to begin: with a one-time link of the owner where none has a password yet.
  std::string address();
  /// Serves until stop(), or until a signal has come (base/interrupted.h).
  void listen();
  /// From another thread.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal::serve
