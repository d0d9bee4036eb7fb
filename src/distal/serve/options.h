#pragma once
// What a server is told.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "distal/serve/sign_in.h"

namespace distal::serve {

/// Milliseconds since 1970 by the system's clock.
int64_t system_now_ms();

/// A study that is run here.
struct ServedStudy {
  std::string name;
  std::vector<std::string> classes;  // in their order
  std::vector<std::string> arms;     // names
  int64_t seeds = 1;
  int64_t rounds = 0;
  double share = 1;        // of a round's answers that it goes on with
  int64_t rank_again = 0;  // answers after which what is open of a round is ranked again; 0: never
  std::string folder;      // of its results; empty: nobody runs it
  std::vector<std::string> run_command;  // words behind the program's name; empty: nobody runs it
  std::string branch_of;                 // the study that it was made from; empty: none
  std::string run_log() const { return folder + "/serve.log"; }  // for what the run prints
};

/// An option of a recipe, and its value as YAML on one line.
struct RecipeOption {
  std::string key, value;
};

/// A new study that differs from another one in some options.
struct BranchWish {
  std::string of, name;
  std::vector<RecipeOption> options;
};

/// Who makes branches. Called by one thread at a time.
struct BranchMaker {
  /// What a branch may change, with the values that hold now.
  std::function<std::vector<RecipeOption>(const std::string& study)> options;
  /// Writes the recipe. Throws UsageError: the options are none of a recipe, or not to be changed;
  /// Error: it cannot be written; InUse: the name is taken.
  std::function<ServedStudy(const BranchWish& wish)> make;
};

struct ServeOptions {
  std::string store;                          // `sqlite:PATH`
  std::optional<ServedStudy> study;           // nothing: people answer what lies in the store
  std::string probes_folder;                  // where the study keeps its probes
  std::string proxies_folder;                 // of what browsers play
  int64_t most_proxy_bytes = 20'000'000'000;  // in it
  std::string bind = "127.0.0.1";             // address
  int port = 8080;                            // 0: a free one
  std::vector<std::string> trusted_proxies;   // addresses whose X-Forwarded-User is believed
  std::vector<ServedStudy> branches;          // of `study`, made earlier
  std::optional<BranchMaker> branch_maker;    // nothing: none can be made
  Clock now = system_now_ms;
};

}  // namespace distal::serve
