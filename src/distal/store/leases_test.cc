// Who is at work on a run, and who gets the next.

#include "distal/store/leases.h"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "distal/base/in_use.h"
#include "distal/store/store_test_helpers.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void sleep_s(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// It never renews: what it holds it loses after 50 ms.
constexpr LeaseTimes kBrief{0.05, 3600};

int64_t begin(Store& store) { return store.begin_or_continue("k", "arm", 0, "", "").id; }

std::vector<Store::Trial> trials(int64_t count) {
  std::vector<Store::Trial> all;
  for (int64_t i = 0; i < count; ++i) {
    all.push_back({fmt::format("key{}", i), fmt::format("arm{}", i), i, "recipe: 1", "abc"});
  }
  return all;
}

void execute(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
}

// Writes who has the run, in place of whoever has it.
void lease_to(const std::string& path, const Owner& owner, double for_s) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  const auto until_ms = static_cast<int64_t>(1000 * (now.count() + for_s));
  execute(path, fmt::format("INSERT OR REPLACE INTO leases "
                            "SELECT id, 'somebody', '{}', '{}', {}, {}, {} FROM runs",
                            owner.host, owner.boot, owner.pid, owner.started, until_ms));
}

TEST_F(StoreTest, RenewsALeaseWhileNobodyCallsTheStore) {
  Store first(url(), {2, 0.1});
  Store second(url());
  const int64_t run = begin(first);
  sleep_s(3);
  EXPECT_THROW(begin(second), InUse);
  EXPECT_EQ(error_of([&] { first.put_round(run, {0, 1, 1, 0, "{}", "[]"}); }), "");
}

TEST_F(StoreTest, WritesNoRoundOfARunThatOthersTookOver) {
  Store first(url(), kBrief);
  Store second(url());
  const int64_t run = begin(first);
  first.put_round(run, {0, 1, 1, 0, "{}", "[]"});
  sleep_s(0.1);
  first.put_round(run, {1, 1, 1, 0, "{}", "[]"});  // it expired, and nobody took it
  EXPECT_EQ(begin(second), run);
  const auto late = [&] { first.put_round(run, {2, 1, 1, 0, "{}", "[]"}); };
  EXPECT_THAT(error_of(late), AllOf(HasSubstr("run arm: this process"), HasSubstr("took it over"),
                                    HasSubstr("0.05 s"), HasSubstr("repeat this command")));
  first.finish(run, "failed");
  EXPECT_EQ(second.runs()[0].status, "running");
  second.put_round(run, {2, 1, 1, 0, "{}", "[]"});
  second.finish(run, "done");
  EXPECT_EQ(second.rounds(run).size(), 3u);
  EXPECT_EQ(second.runs()[0].status, "done");
}

TEST_F(StoreTest, SaysThatARunIsLostAlsoWhenWhoTookItHasFinished) {
  Store first(url(), kBrief);
  Store second(url());
  const int64_t run = begin(first);
  sleep_s(0.1);
  begin(second);
  second.finish(run, "done");
  EXPECT_THAT(error_of([&] {
                first.put_round(run, {0, 1, 1, 0, "{}", "[]"});
              }),
              HasSubstr("another process took it over"));
  first.finish(run, "stopped");
  EXPECT_EQ(second.runs()[0].status, "done");
  EXPECT_EQ(first.begin_or_continue("k", "", 0, "", "").status, "done");  // it may come back
}

TEST_F(StoreTest, KeepsOffARunThatAnotherMachineIsAtWorkOn) {
  {
    Store store(url());
    begin(store);
  }
  lease_to(path(), {"elsewhere", "another boot", 77, 1}, 30);
  Store store(url());
  EXPECT_THAT(error_of([&] { begin(store); }),
              HasSubstr("run arm: process 77 on elsewhere is at work here; wait for it, stop it, "
                        "or use another --store"));
  EXPECT_THROW(store.put_round(1, {0, 1, 1, 0, "{}", "[]"}), InUse);
  EXPECT_EQ(store.standing({{"k"}}).leased, 1);
  lease_to(path(), {"elsewhere", "another boot", 77, 1}, -1);
  EXPECT_EQ(store.standing({{"k"}}).free, 1);
  EXPECT_EQ(error_of([&] { begin(store); }), "");
}

TEST_F(StoreTest, KnowsADeadProcessOfThisMachineAtOnce) {
  {
    Store store(url());
    begin(store);
  }
  Owner other = this_process();
  ASSERT_NE(other.boot, "");
  ++other.started;  // an earlier process of this id
  lease_to(path(), other, 30);
  EXPECT_EQ(error_of([&] { Store(url()).begin_or_continue("k", "", 0, "", ""); }), "");
  lease_to(path(), this_process(), 30);
  EXPECT_NE(error_of([&] { Store(url()).begin_or_continue("k", "", 0, "", ""); }), "");

  const pid_t pid = child([&] {
    Store store(url());
    execute(path(), "DELETE FROM leases");
    begin(store);
    return ::raise(SIGKILL);
  });
  siginfo_t info{};
  // It is not collected yet.
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(error_of([&] { Store(url()).begin_or_continue("k", "", 0, "", ""); }), "");
  EXPECT_EQ(wait_for(pid), 1000 + SIGKILL);
}

TEST_F(StoreTest, ClaimsInTheOrderGivenWhatIsNeitherDoneNorLeased) {
  auto all = trials(4);
  std::swap(all[0], all[2]);  // 2 1 0 3
  Store first(url());
  Store second(url());
  first.finish(first.begin_or_continue("key1", "arm1", 1, "", "").id, "done");
  EXPECT_EQ(first.standing(all).open(), 3);
  const auto a = first.claim(all);
  ASSERT_TRUE(a);
  EXPECT_EQ(a->key, "key2");
  EXPECT_EQ(a->name, "arm2");
  EXPECT_EQ(a->seed, 2);
  EXPECT_EQ(a->recipe, "recipe: 1");
  EXPECT_EQ(a->revision, "abc");
  EXPECT_EQ(a->status, "queued");
  EXPECT_EQ(second.claim(all)->key, "key0");
  EXPECT_EQ(first.claim(all)->key, "key3");
  EXPECT_FALSE(second.claim(all));
  EXPECT_FALSE(first.claim(all));
  EXPECT_FALSE(first.claim({}));
  EXPECT_EQ(first.standing(all).done, 1);
  EXPECT_EQ(first.standing(all).leased, 3);
  first.finish(a->id, "stopped");
  EXPECT_EQ(first.standing(all).free, 1);
  const auto again = second.claim(all);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, a->id);
  EXPECT_EQ(again->status, "stopped");
  EXPECT_EQ(second.runs().size(), 4u);
}

TEST_F(StoreTest, CountsATrialThatWaitsForAnswersApart) {
  const auto all = trials(2);
  Store store(url());
  store.finish(store.claim(all)->id, "waiting");
  EXPECT_EQ(store.standing(all).waiting, 1);
  EXPECT_EQ(store.standing(all).free, 1);
  const auto run = store.claim({all[0]});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->status, "waiting");
  EXPECT_EQ(store.standing(all).waiting, 0);
  EXPECT_EQ(store.standing(all).leased, 1);
}

constexpr int64_t kTrials = 12;

struct Claims {
  std::atomic<bool> killed{false};
  std::atomic<int> given[kTrials] = {};
  std::atomic<int> done[kTrials] = {};
};

TEST_F(StoreTest, GivesEachTrialToOneProcessAndThatOfAKilledOneToAnother) {
  const auto all = trials(kTrials);
  void* memory =
      ::mmap(nullptr, sizeof(Claims), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* claims = new (memory) Claims;
  std::vector<pid_t> children;
  for (int who = 0; who < 4; ++who) {
    children.push_back(child([&] {
      Store store(url());
      while (who != 0 && !claims->killed) sleep_s(0.001);
      for (int64_t taken = 0;;) {
        const auto run = store.claim(all);
        if (!run && store.standing(all).open() == 0) return 0;
        sleep_s(0.002);
        if (!run) continue;
        ++claims->given[run->seed];
        if (who == 0 && ++taken == 2) {
          claims->killed = true;
          ::raise(SIGKILL);
        }
        store.put_round(run->id, {0, 1, 1, 0, "{}", "[]"});
        store.finish(run->id, "done");
        ++claims->done[run->seed];
      }
    }));
  }
  EXPECT_EQ(wait_for(children[0]), 1000 + SIGKILL);
  for (int who = 1; who < 4; ++who) EXPECT_EQ(wait_for(children[who]), 0);
  for (int64_t i = 0; i < kTrials; ++i) {
    EXPECT_EQ(claims->given[i], i == 1 ? 2 : 1) << i;
    EXPECT_EQ(claims->done[i], 1) << i;
  }
  ::munmap(claims, sizeof(Claims));
  Store store(url());
  EXPECT_EQ(store.standing(all).done, kTrials);
  for (const auto& run : store.runs()) EXPECT_EQ(store.rounds(run.id).size(), 1u);
}

}  // namespace
}  // namespace distal
