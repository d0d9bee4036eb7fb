// Who is asked what next, and that nobody else is.

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <set>
#include <thread>

#include "distal/base/random.h"
#include "distal/store/people_state.h"
#include "distal/store/people_test_helpers.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<int64_t> give(PeopleStore& store, const PeopleStore::Next& next) {
  return ids_of(store.lease_next(next));
}

TEST_F(PeopleTest, HandsOutItemsInTheStrategysOrder) {
  PeopleStore store(url());
  auto items = clips_of("r", 4);
  items[0].position = 5;
  items[2].position = -1;
  items[3].position = 1;  // as items[1]: the first added comes first
  items[3].study = "another";
  const auto id = store.add_items(items, kNow);
  auto next = next_for("ann", 3);
  const auto given = store.lease_next(next);
  EXPECT_THAT(ids_of(given), ElementsAre(id[2], id[1], id[3]));
  EXPECT_EQ(given[0].until_ms, kNow + 2 * kMinute);
  EXPECT_EQ(given[0].item.clip, items[2].clip);
  next = next_for("bob", 3);
  next.study = "another";
  EXPECT_THAT(give(store, next), IsEmpty());
  EXPECT_THAT(give(store, next_for("bob", 3)), ElementsAre(id[0]));
}

TEST_F(PeopleTest, AsksNobodyTwice) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 3, 2), kNow);
  store.put(says("u", id[0], "ann", "bow"), kNow);
  EXPECT_THAT(give(store, next_for("ann", 3)), ElementsAre(id[1], id[2]));
  EXPECT_THAT(give(store, next_for("bob", 3)), ElementsAre(id[0], id[1], id[2]));
  EXPECT_THAT(give(store, next_for("cyd", 3)), IsEmpty());
  store.undo("u", "ann", kNow);
  EXPECT_THAT(give(store, next_for("cyd", 3)), ElementsAre(id[0]));
}

TEST_F(PeopleTest, GivesAPageWhatItHoldsOnlyWhenItHasLostIt) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 5), kNow);
  auto next = next_for("ann", 2);
  EXPECT_THAT(give(store, next), ElementsAre(id[0], id[1]));
  next.held = {id[0], id[1]};
  EXPECT_THAT(give(store, next), ElementsAre(id[2], id[3]));
  next.held = {};  // loaded anew
  EXPECT_THAT(give(store, next), ElementsAre(id[0], id[1]));
  next.session = "a second tab";
  EXPECT_THAT(give(store, next), ElementsAre(id[4]));
  store.put(says("u", id[0], "ann", "bow"), kNow);
  next = next_for("ann", 2);
  next.held = {id[0], id[1]};  // one was answered since
  EXPECT_THAT(give(store, next), ElementsAre(id[2], id[3]));
  store.release_all("ann", "a second tab");
  EXPECT_THAT(give(store, next_for("bob", 9)), ElementsAre(id[4]));
}

TEST_F(PeopleTest, HandsOutAnItemAgainWhenItsLeaseHasEnded) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 1), kNow)[0];
  give(store, next_for("ann"));
  EXPECT_THAT(give(store, next_for("bob", 1, kNow + 2 * kMinute - 1)), IsEmpty());
  EXPECT_THAT(give(store, next_for("bob", 1, kNow + 2 * kMinute)), ElementsAre(id));
  const auto late = says("u", id, "ann", "bow");
  EXPECT_EQ(refusal_of([&] { store.put(late, kNow + 3 * kMinute); }), Why::lease_lost);
  EXPECT_FALSE(store.answer("u"));
  // bob's lease has ended too, and nobody has taken the item: nothing of ann's is lost.
  EXPECT_EQ(store.put(late, kNow + 4 * kMinute).state, "settled");
  EXPECT_EQ(refusal_of([&] { store.put(says("v", id, "bob", "bow"), kNow + 4 * kMinute); }),
            Why::lease_lost);
}

TEST_F(PeopleTest, RenewsALeaseThatStandsOrThatNobodyElseTook) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 1), kNow)[0];
  give(store, next_for("ann"));
  EXPECT_EQ(store.renew(id, "ann", "ann's page", kNow + kMinute, kMinute), kNow + 2 * kMinute);
  EXPECT_EQ(store.leases(kNow).at(0).until_ms, kNow + 2 * kMinute);
  EXPECT_THAT(store.leases(kNow + 2 * kMinute), IsEmpty());
  EXPECT_EQ(refusal_of([&] { store.renew(id, "bob", "b", kNow + kMinute); }), Why::lease_lost);
  EXPECT_EQ(store.renew(id, "ann", "a", kNow + 5 * kMinute), kNow + 7 * kMinute);
  EXPECT_EQ(store.leases(kNow + 5 * kMinute).at(0).session, "a");
  store.release(id, "ann");
  store.release(id, "ann");
  EXPECT_EQ(store.renew(id, "bob", "b", kNow), kNow + 2 * kMinute);
  EXPECT_EQ(refusal_of([&] { store.renew(id, "ann", "a", kNow); }), Why::lease_lost);
  store.put(says("u", id, "bob", "bow"), kNow);
  EXPECT_THAT(store.leases(kNow), IsEmpty());
  EXPECT_EQ(refusal_of([&] { store.renew(id, "bob", "b", kNow); }), Why::conflict);
  EXPECT_EQ(refusal_of([&] { store.renew(99, "bob", "b", kNow); }), Why::not_found);
  store.undo("u", "bob", kNow);
  EXPECT_EQ(store.renew(id, "bob", "b", kNow), kNow + 2 * kMinute);
}

TEST_F(PeopleTest, KeepsTheLeaseOfOnePageForAnotherOfThePerson) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 1), kNow)[0];
  give(store, next_for("ann"));
  EXPECT_EQ(store.put(says("u", id, "ann", "bow"), kNow).state, "settled");
}

TEST_F(PeopleTest, AsksOneWhomItIsForAlone) {
  PeopleStore store(url());
  auto items = clips_of("r", 2);
  items[0].purpose = "repeat";
  items[0].for_person = "ann";
  const auto id = store.add_items(items, kNow);
  EXPECT_THAT(give(store, next_for("bob", 9)), ElementsAre(id[1]));
  EXPECT_EQ(refusal_of([&] { store.renew(id[0], "bob", "b", kNow); }), Why::conflict);
  EXPECT_EQ(refusal_of([&] { store.put(says("u", id[0], "bob", "bow"), kNow); }), Why::conflict);
  EXPECT_EQ(store.left("bob"), 1);
  EXPECT_EQ(store.left("ann"), 2);
  EXPECT_THAT(give(store, next_for("ann", 9)), ElementsAre(id[0]));
  EXPECT_EQ(store.put(says("u", id[0], "ann", "bow"), kNow).state, "settled");
}

TEST_F(PeopleTest, CountsWhatIsLeftForAPerson) {
  PeopleStore store(url());
  auto items = clips_of("r", 4, 2);
  items[3].study = "another";
  const auto id = store.add_items(items, kNow);
  store.put(says("a", id[0], "ann", "bow"), kNow);
  store.put(says("b", id[1], "bob", "bow"), kNow);
  store.put(says("c", id[1], "cyd", "bow"), kNow);
  EXPECT_EQ(store.left("ann"), 2);
  EXPECT_EQ(store.left("bob"), 3);
  EXPECT_EQ(store.left("bob", "study"), 2);
  EXPECT_EQ(store.left("bob", "none"), 0);
}

constexpr int64_t kItems = 60;

struct GivenTo {
  std::atomic<int> people[kItems + 1] = {};
};

TEST_F(PeopleTest, GivesNoItemToTwoOfFourProcesses) {
  PeopleStore(url()).add_items(clips_of("r", kItems), kNow);
  void* memory =
      ::mmap(nullptr, sizeof(GivenTo), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* given = new (memory) GivenTo;
  std::vector<pid_t> children;
  for (int who = 0; who < 4; ++who) {
    children.push_back(child([&] {
      PeopleStore store(url());
      auto next = next_for(fmt::format("person{}", who), 2);
      for (;;) {
        const auto ids = give(store, next);
        if (ids.empty()) return 0;
        for (const int64_t id : ids) {
          ++given->people[id];
          next.held.push_back(id);
        }
      }
    }));
  }
  for (const pid_t pid : children) EXPECT_EQ(wait_for(pid), 0);
  for (int64_t i = 1; i <= kItems; ++i) EXPECT_EQ(given->people[i], 1) << i;
  ::munmap(memory, sizeof(GivenTo));
  EXPECT_EQ(PeopleStore(url()).leases(kNow).size(), static_cast<size_t>(kItems));
}

TEST_F(PeopleTest, GivesAnItemToAsManyThreadsAsAreWanted) {
  PeopleStore(url()).add_items(clips_of("r", 20, 2), kNow);
  std::vector<std::vector<int64_t>> given(4);
  std::vector<std::thread> threads;
  for (int64_t who = 0; who < 4; ++who) {
    threads.emplace_back([&, who] {
      PeopleStore store(url());
      auto next = next_for(fmt::format("person{}", who), 1);
      for (auto ids = give(store, next); !ids.empty(); ids = give(store, next)) {
        given[who].push_back(ids[0]);
        next.held.push_back(ids[0]);
      }
    });
  }
  std::map<int64_t, int> times;
  for (auto& thread : threads) thread.join();
  for (const auto& ids : given) {
    EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()).size(), ids.size());
    for (const int64_t id : ids) ++times[id];
  }
  for (int64_t id = 1; id <= 20; ++id) EXPECT_EQ(times[id], 2) << id;
}

TEST_F(PeopleTest, LosesNoAnswerThatItTookWhenItIsKilled) {
  PeopleStore(url()).add_items(clips_of("r", 400, 2), kNow);
  void* memory = ::mmap(nullptr, sizeof(std::atomic<int64_t>), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* acknowledged = new (memory) std::atomic<int64_t>{0};
  Random random(20261130);
  for (int time = 0; time < 8; ++time) {
    const int64_t before = *acknowledged;
    const pid_t pid = child([&] {
      PeopleStore store(url());
      for (int64_t i = *acknowledged;; ++i) {
        const std::string person = i % 2 == 0 ? "ann" : "bob";
        const auto ids = give(store, next_for(person));
        if (store.answer(fmt::format("u{}", i))) {  // committed, and killed before it was said
          ++*acknowledged;
          continue;
        }
        if (ids.empty()) return 1;
        store.put(says(fmt::format("u{}", i), ids[0], person, "bow"), kNow);
        ++*acknowledged;
      }
    });
    while (*acknowledged < before + 4 && ::waitpid(pid, nullptr, WNOHANG) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(10000)));
    ::kill(pid, SIGKILL);
    ASSERT_EQ(wait_for(pid), 1000 + SIGKILL);

    PeopleStore store(url());
    for (int64_t i = 0; i < *acknowledged; ++i) {
      ASSERT_TRUE(store.answer(fmt::format("u{}", i))) << i;
    }
    const auto standing = store.standing("r");
    ASSERT_GE(standing.answers, *acknowledged);
    ASSERT_LE(standing.answers, *acknowledged + 1);
    ASSERT_THAT(rows("SELECT id FROM items WHERE places <> CASE state WHEN 'open' THEN wanted - "
                     "(SELECT COUNT(*) FROM people_answers WHERE item = items.id) ELSE 0 END"),
                IsEmpty());
  }
  ::munmap(memory, sizeof(std::atomic<int64_t>));
  EXPECT_THAT(rows("PRAGMA integrity_check; PRAGMA foreign_key_check"), ElementsAre("ok"));
}

// How SQLite goes about a query: which indices it uses, and whether it sorts.
std::vector<std::string> plan_of(const std::string& path, const Query& query) {
  sqlite3* db = nullptr;
  sqlite3_open(path.c_str(), &db);
  std::vector<std::string> plan;
  const auto take = [](void* into, int, char** fields, char**) {
    static_cast<std::vector<std::string>*>(into)->push_back(fields[3]);
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(db, ("EXPLAIN QUERY PLAN " + query.text()).c_str(), take, &plan, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
  return plan;
}

TEST_F(PeopleTest, HasAnIndexForEachList) {
  PeopleStore store(url());
  store.add_items(clips_of("r", 3), kNow);
  const auto uses = [&](const PeopleStore::ItemFilter& filter, const std::string& index) {
    const auto plan = plan_of(path(), items_query(filter, 5, 50));
    EXPECT_THAT(plan, Contains(HasSubstr(index)));
    EXPECT_THAT(plan, Each(Not(HasSubstr("B-TREE")))) << index;
  };
  uses({}, "PRIMARY KEY (rowid>?)");
  uses({.study = "s"}, "items_of_study (study=? AND id>?)");
  uses({.study = "s", .state = "open"}, "items_of_state (study=? AND state=? AND id>?)");
  uses({.study = "s", .purpose = "held_out", .state = "open"},
       "items_of_purpose (study=? AND purpose=? AND id>?)");
  uses({.study = "s", .purpose = "pool"}, "items_of_purpose (study=? AND purpose=? AND id>?)");
  uses({.study = "s", .purpose = "pool", .state = "open"},
       "items_of_state (study=? AND state=? AND id>?)");
  uses({.study = "s", .state = "open", .round = 1},
       "items_of_round (study=? AND round=? AND id>?)");
  uses({.study = "s", .conflict = true}, "items_in_conflict (study=? AND id>?)");
  uses({.strategy = "margin", .study = "s"}, "item_reasons_of_strategy (strategy=? AND item>?)");
  const auto of_request = plan_of(path(), items_query({.request = "r", .study = "s"}, 5, 50));
  EXPECT_THAT(of_request, Contains(HasSubstr("(request=?")));  // its items are sorted: they are few
  const auto answers = [&](const PeopleStore::AnswerFilter& filter, const std::string& index) {
    Query query = answers_query(filter);
    query.add("AND id < ", int64_t{5}).add(" ORDER BY id DESC LIMIT ", int64_t{50});
    const auto plan = plan_of(path(), query);
    EXPECT_THAT(plan, Contains(HasSubstr(index)));
    EXPECT_THAT(plan, Each(Not(HasSubstr("B-TREE")))) << index;
  };
  answers({}, "PRIMARY KEY (rowid<?)");
  answers({.person = "ann"}, "people_answers_of_person (person=? AND id<?)");
  answers({.person = "ann", .study = "s"}, "people_answers_of_person (person=? AND id<?)");
  answers({.study = "s"}, "people_answers_of_study (study=? AND id<?)");
  answers({.item = 1}, "people_answers_of_item (item=? AND id<?)");
}

TEST_F(PeopleTest, LooksForTheNextOfAHundredThousandInAnIndexAlone) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 100'000), kNow);
  ASSERT_EQ(id.size(), 100'000u);
  EXPECT_THAT(give(store, next_for("ann", 2)), ElementsAre(id[0], id[1]));
  EXPECT_EQ(store.left("ann"), 100'000);
  auto next = next_for("ann");
  for (const std::string study : {"", "study"}) {
    next.study = study;
    const auto plan = plan_of(path(), next_query(next));
    EXPECT_THAT(plan, Contains(AllOf(HasSubstr("items USING COVERING INDEX"),
                                     HasSubstr(study.empty() ? "items_to_answer"
                                                             : "items_to_answer_of_study "
                                                               "(study=?)"))));
    EXPECT_THAT(plan, Contains(HasSubstr("one_answer_a_person (item=? AND person=?)")));
    EXPECT_THAT(plan, Each(Not(HasSubstr("B-TREE"))));
    EXPECT_THAT(plan, Each(Not(HasSubstr("SCAN item_leases"))));
    EXPECT_THAT(plan, Each(Not(HasSubstr("SCAN people_answers"))));
  }
}

}  // namespace
}  // namespace distal
