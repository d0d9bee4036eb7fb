#pragma once
// What a server is told.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distal/serve/sign_in.h"

namespace distal::serve {

/// Milliseconds since 1970 by the system's clock.
int64_t system_now_ms();

/// The study that is run here.
struct ServedStudy {
  std::string name;
  std::vector<std::string> classes;  // in their order
  std::vector<std::string> arms;     // names
  int64_t seeds = 1;
  int64_t rounds = 0;
};

struct ServeOptions {
  std::string store;                         // `sqlite:PATH`
  std::optional<ServedStudy> study;          // nothing: people answer what lies in the store
  std::string probes_folder;                 // where the study keeps its probes
  std::string proxies_folder;                // of what browsers play
  std::string bind = "127.0.0.1";            // address
  int port = 8080;                           // 0: a free one
  std::vector<std::string> trusted_proxies;  // addresses whose X-Forwarded-User is believed
  std::vector<std::string> run_command;      // words behind the program's name; empty: nobody runs
  std::string run_log;                       // file for what the run prints
  Clock now = system_now_ms;
};

}  // namespace distal::serve
