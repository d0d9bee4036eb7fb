#pragma once
// Items and answers for the tests of PeopleStore.

#include <optional>
#include <string>
#include <vector>

#include <sqlite3.h>

#include "distal/store/people_store.h"
#include "distal/store/store_test_helpers.h"

namespace distal {

using Why = PeopleRefused::Why;

inline constexpr int64_t kNow = 1'760'000'000'000;
inline constexpr int64_t kMinute = 60'000;

class PeopleTest : public StoreTest {
 protected:
  /// What a statement yields, columns joined by a blank, read by another connection.
  std::vector<std::string> rows(const std::string& sql) const {
    sqlite3* db = nullptr;
    std::vector<std::string> all;
    EXPECT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
    const auto take = [](void* into, int columns, char** fields, char**) {
      std::string row;
      for (int i = 0; i < columns; ++i) {
        row += i == 0 ? "" : " ";
        row += fields[i] ? fields[i] : "NULL";
      }
      static_cast<std::vector<std::string>*>(into)->push_back(row);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), take, &all, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    return all;
  }
};

/// `count` clips of one request, in the strategy's order.
inline std::vector<PeopleStore::NewItem> clips_of(const std::string& request, int64_t count,
                                                  int64_t wanted = 1) {
  std::vector<PeopleStore::NewItem> all;
  for (int64_t i = 0; i < count; ++i) {
    PeopleStore::NewItem item;
    item.request = request;
    item.clip = fmt::format("{}.{}@0-2500", request, i);
    item.video = fmt::format("{}.mp4", i);
    item.end_s = 2.5;
    item.study = "study";
    item.version = "v";
    item.position = i;
    item.wanted = wanted;
    all.push_back(item);
  }
  return all;
}

inline PeopleStore::NewAnswer says(const std::string& uuid, int64_t item, const std::string& person,
                                   const std::string& class_name) {
  PeopleStore::NewAnswer answer;
  answer.uuid = uuid;
  answer.item = item;
  answer.person = person;
  answer.class_name = class_name;
  answer.began_ms = kNow - 3000;
  answer.answered_ms = kNow;
  answer.seconds = 3;
  return answer;
}

inline PeopleStore::NewAnswer skips(const std::string& uuid, int64_t item,
                                    const std::string& person) {
  auto answer = says(uuid, item, person, "");
  answer.skipped = true;
  return answer;
}

/// Why `work` was refused; nothing where it was not.
template <class Work>
std::optional<Why> refusal_of(Work&& work) {
  try {
    work();
  } catch (const PeopleRefused& refused) {
    return refused.why;
  }
  return std::nullopt;
}

inline std::vector<int64_t> ids_of(const std::vector<PeopleStore::Leased>& leased) {
  std::vector<int64_t> ids;
  for (const auto& one : leased) ids.push_back(one.item.id);
  return ids;
}

inline std::vector<int64_t> ids_of(const std::vector<PeopleStore::Item>& items) {
  std::vector<int64_t> ids;
  for (const auto& item : items) ids.push_back(item.id);
  return ids;
}

/// What the person's page is given next, 1 item where nothing else is said.
inline PeopleStore::Next next_for(const std::string& person, int64_t count = 1,
                                  int64_t now_ms = kNow) {
  PeopleStore::Next next;
  next.person = person;
  next.session = person + "'s page";
  next.count = count;
  next.now_ms = now_ms;
  return next;
}

}  // namespace distal
