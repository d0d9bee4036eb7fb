// store/store.h: what a database holds, when others have written to it. The input is the text of an
// answer, of a round and of an event.
#include "distal/store/store.h"

#include <filesystem>

#include <sqlite3.h>

#include "distal/evaluation/results.h"
#include "target.h"

using namespace distal;

namespace {

/// A store with a run of one round, one answer and one event, and a second connection that spoils
/// them.
class Spoiled {
 public:
  Spoiled() : path_(fmt::format("/dev/shm/distal_fuzz_{}.db", getpid())) {
    remove();
    store_.emplace("sqlite:" + path_);
    run_ = store_->begin_or_continue("key", "name", 1, "recipe: 1", "revision").id;
    store_->put_answer({"clip", "oracle", "1", {0.5, 0.5}});
    store_->put_round(run_, {0, 1, 1, 1, "{}", "[]"});
    store_->event(run_, "kind", "text");
    fuzz::require(sqlite3_open(path_.c_str(), &other_) == SQLITE_OK, "a second connection opens");
    sqlite3_exec(other_, "PRAGMA synchronous = OFF", nullptr, nullptr, nullptr);
  }
  ~Spoiled() {
    sqlite3_close(other_);
    store_.reset();
    remove();
  }
  void spoil(std::string_view text) {
    for (const char* statement :
         {"UPDATE answers SET probabilities = ?",
          "UPDATE rounds SET metrics_json = ?, picks_json = ?1", "UPDATE events SET text = ?"}) {
      sqlite3_stmt* prepared = nullptr;
      sqlite3_prepare_v2(other_, statement, -1, &prepared, nullptr);
      sqlite3_bind_text(prepared, 1, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
      fuzz::require(sqlite3_step(prepared) == SQLITE_DONE, "a row is replaced");
      sqlite3_finalize(prepared);
    }
  }
  Store& store() { return *store_; }
  int64_t run() const { return run_; }

 private:
  void remove() {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end);
    std::filesystem::remove(fmt::format("{}.run-{}.lock", path_, run_));
  }
  std::string path_;
  std::optional<Store> store_;
  sqlite3* other_ = nullptr;
  int64_t run_ = 0;
};

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  static Spoiled spoiled;
  spoiled.spoil(input);
  Store& store = spoiled.store();
  fuzz::attempt(input, [&] { store.find_answer("clip", "oracle", "1"); });
  fuzz::attempt(input, [&] {
    for (const auto& round : store.rounds(spoiled.run())) round_from_json(round.metrics_json);
  });
  fuzz::attempt(input, [&] { store.events(spoiled.run()); });
}
