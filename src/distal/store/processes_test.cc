#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

#include "distal/base/interrupted.h"
#include "distal/base/random.h"
#include "distal/store/store_test_helpers.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// Counters that a killed child leaves behind.
struct Shared {
  std::atomic<int64_t> reserved{0};
  std::atomic<int64_t> answered{0};
  std::atomic<int64_t> keyed{0};
  char key[64] = {};
};

class SharedMemory {
 public:
  SharedMemory()
      : value_(new(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared) {}
  ~SharedMemory() { ::munmap(value_, sizeof(Shared)); }
  Shared* operator->() { return value_; }

 private:
  Shared* value_;
};

std::string integrity(const std::string& path) {
  sqlite3* db = nullptr;
  std::string result;
  sqlite3_open(path.c_str(), &db);
  const auto take = [](void* into, int, char** fields, char**) {
    *static_cast<std::string*>(into) += fields[0];
    return 0;
  };
  sqlite3_exec(db, "PRAGMA integrity_check; PRAGMA foreign_key_check", take, &result, nullptr);
  sqlite3_close(db);
  return result;
}

// Holds the lock of a store without taking time: where a Store would sleep until it is let go, the
// sleep is counted, and ends at once.
class LockHolder {
 public:
  explicit LockHolder(const std::string& path) {
    static sqlite3_vfs hasty = *sqlite3_vfs_find(nullptr);
    hasty.zName = "hasty";
    hasty.pNext = nullptr;
    hasty.xSleep = [](sqlite3_vfs*, int microseconds) {
      if (++sleeps == lets_go_in) sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr);
      return microseconds;
    };
    sqlite3_vfs_register(&hasty, /*makeDflt=*/1);
    sqlite3_open(path.c_str(), &db);
    sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  }
  ~LockHolder() { sqlite3_close(db); }

  inline static sqlite3* db = nullptr;
  inline static int sleeps = 0;
  inline static int lets_go_in = 0;  // number of the sleep; 0: none
};

int64_t make_run(const std::string& url) {
  return Store(url).begin_or_continue("k", "arm", 0, "", "").id;
}

TEST_F(StoreTest, NeverOverspendsWhenFourProcessesRace) {
  const int64_t run = make_run(url());
  constexpr int64_t kBudget = 101;
  std::vector<pid_t> children;
  for (int who = 0; who < 4; ++who) {
    children.push_back(child([&] {
      Store store(url());
      int taken = 0;
      for (int i = 0; i < 50; ++i) {
        // every third attempt asks for two clips, every tenth for one that another process asks for
        // too
        std::vector<std::string> clips = {i % 10 == 0 ? fmt::format("common{}", i)
                                                      : fmt::format("{}.{}", who, i)};
        if (i % 3 == 0) clips.push_back(fmt::format("{}.{}b", who, i));
        const std::vector<double> ones(clips.size(), 1);
        if (error_of([&] {
              store.reserve(run, kOracle, i, clips, ones, ones, kBudget, kNoLimit, kNoLimit);
            }).empty())
          ++taken;
        if (store.spent(run, kOracle).answers > kBudget) return 98;
      }
      return taken;
    }));
  }
  int taken = 0;
  for (const pid_t pid : children) {
    const int code = wait_for(pid);
    ASSERT_LE(code, 50);
    taken += code;
  }
  Store store(url());
  EXPECT_EQ(store.spent(run, kOracle).answers, kBudget);  // single clips fill the last place
  EXPECT_EQ(store.spent(run, kOracle).seconds, kBudget);
  EXPECT_GT(taken, 60);
}

TEST_F(StoreTest, OpensANewStoreFromManyProcessesAtOnce) {
  std::vector<pid_t> children;
  for (int who = 0; who < 6; ++who)
    children.push_back(child([&] {
      Store store(url());
      store.put_video({std::to_string(who), "p", 1});
      return 0;
    }));
  for (const pid_t pid : children) EXPECT_EQ(wait_for(pid), 0);
  EXPECT_EQ(Store(url()).videos().size(), 6u);
}

TEST_F(StoreTest, LosesNothingItReturnedWhenKilledAtARandomMoment) {
  const int64_t run = make_run(url());
  SharedMemory shared;
  Random random(20240801);
  for (int time = 0; time < 20; ++time) {
    const pid_t pid = child([&] {
      Store store(url());
      store.begin_or_continue("k", "arm", 0, "", "");
      for (int64_t i = shared->answered;; ++i) {
        const std::string clip = fmt::format("c{}", i);
        store.reserve(run, kOracle, i / 10, {clip}, {1}, {2}, kNoLimit, kNoLimit, kNoLimit);
        shared->reserved = i + 1;
        const auto open = store.open_requests("o", "v");
        const auto key = open.empty() ? store.open_request("o", "v", {clip}).key : open[0].key;
        if (shared->keyed < i + 1) {
          std::copy(key.begin(), key.end(), shared->key);
          shared->keyed = i + 1;
        }
        store.put_answers({{clip, "o", "v", {1.0 / (i + 3), 1 - 1.0 / (i + 3)}, 2, 1}}, key);
        shared->answered = i + 1;
      }
      return 0;
    });
    const int64_t before = shared->answered;
    while (shared->answered < before + 2 && ::waitpid(pid, nullptr, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(20000)));
    ::kill(pid, SIGKILL);
    ASSERT_EQ(wait_for(pid), 1000 + SIGKILL);

    Store store(url());
    const auto spent = store.spent(run, kOracle);
    ASSERT_GE(spent.answers, shared->reserved);
    ASSERT_LE(spent.answers,
              shared->reserved + 1);  // one call may have been committed without returning
    ASSERT_EQ(spent.seconds, spent.answers);
    ASSERT_EQ(spent.price, 2 * spent.answers);
    for (int64_t i = before; i < shared->answered; ++i) {
      const auto answer = store.find_answer(fmt::format("c{}", i), "o", "v");
      ASSERT_TRUE(answer) << i;
      ASSERT_EQ(answer->probabilities[0], 1.0 / (i + 3));
    }
    const std::string last = fmt::format("c{}", shared->keyed - 1);
    if (!store.find_answer(last, "o", "v")) {  // asked, and killed before the answer was stored
      const auto open = store.open_requests("o", "v");
      ASSERT_EQ(open.size(), 1u);
      ASSERT_EQ(open[0].key, shared->key);
      ASSERT_EQ(open[0].clips, std::vector<std::string>{last});
    }
  }
  EXPECT_EQ(integrity(path()), "ok");
  Store store(url());
  int64_t total = 0;
  for (int64_t round = 0; round <= shared->reserved / 10; ++round)
    total += store.reserved(run, round).size();
  EXPECT_EQ(total, store.spent(run, kOracle).answers);  // no clip twice, none without a round
}

TEST_F(StoreTest, LetsOneProcessWorkOnARunAndNamesIt) {
  make_run(url());
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t pid = child([&] {
    Store store(url());
    store.begin_or_continue("k", "arm", 0, "", "");
    if (::write(ready[1], "x", 1) != 1) return 1;
    for (;;) ::pause();
  });
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  Store store(url());
  EXPECT_THAT(error_of([&] { store.begin_or_continue("k", "arm", 0, "", ""); }),
              HasSubstr(fmt::format("process {} is at work", pid)));
  store.begin_or_continue("another", "arm", 0, "", "");
  ::kill(pid, SIGKILL);
  ASSERT_EQ(wait_for(pid), 1000 + SIGKILL);
  EXPECT_EQ(error_of([&] { store.begin_or_continue("k", "arm", 0, "", ""); }), "");
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(StoreTest, LetsOneStoreOfAProcessWorkOnARun) {
  Store second(url());
  {
    Store first(url());
    first.begin_or_continue("k", "arm", 0, "", "");
    first.begin_or_continue("k", "arm", 0, "", "");  // it has the lock
    EXPECT_THAT(error_of([&] { second.begin_or_continue("k", "arm", 0, "", ""); }),
                HasSubstr(fmt::format("this process ({})", ::getpid())));
  }
  const auto run = second.begin_or_continue("k", "arm", 0, "", "");
  second.finish(run.id, "done");
  EXPECT_EQ(error_of([&] { Store(url()).begin_or_continue("k", "arm", 0, "", ""); }), "");
}

TEST_F(StoreTest, SaysDiskFullAndStaysUsable) {
  const int64_t run = make_run(url());
  const auto code = wait_for(child([&] {
    Store store(url());
    store.reserve(run, kOracle, 0, {"before"}, {1}, {1}, kNoLimit, kNoLimit, kNoLimit);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit small{200 << 10, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const std::string text(5000, 'x');
    std::string said;
    int stored = 0;
    for (; stored < 1000 && said.empty(); ++stored)
      said = error_of([&] { store.event(run, "fill", text); });
    if (said.find(path()) == std::string::npos || said.find("disk full") == std::string::npos) {
      std::fprintf(stderr, "said: %s\n", said.c_str());
      return 1;
    }
    ::setrlimit(RLIMIT_FSIZE, &limit);
    store.event(run, "after", "space again");
    return static_cast<int>(store.events(run).size()) == stored
               ? 0
               : 2;  // the one that failed is not there, "after" is
  }));
  EXPECT_EQ(code, 0);
  EXPECT_EQ(Store(url()).spent(run, kOracle).answers, 1);
  EXPECT_EQ(Store(url()).events(run).back().kind, "after");
  EXPECT_EQ(integrity(path()), "ok");
}

TEST_F(StoreTest, SaysDiskFullAlsoAfterASignal) {
  const int64_t run = make_run(url());
  EXPECT_EQ(wait_for(child([&] {
              Store store(url());
              catch_signals();
              std::raise(SIGINT);
              std::signal(SIGXFSZ, SIG_IGN);
              rlimit limit{};
              ::getrlimit(RLIMIT_FSIZE, &limit);
              limit.rlim_cur = 200 << 10;
              ::setrlimit(RLIMIT_FSIZE, &limit);
              const std::string text(5000, 'x');
              std::string said;
              for (int i = 0; i < 1000 && said.empty(); ++i)
                said = error_of([&] { store.event(run, "fill", text); });
              if (said.find("disk full") != std::string::npos ||
                  said.find("disk is full") != std::string::npos)
                return 0;
              std::fprintf(stderr, "said: %s\n", said.c_str());
              return 1;
            })),
            0);
}

TEST_F(StoreTest, WritesAPaidAnswerAlthoughASignalCameWhileAnotherProcessWrote) {
  EXPECT_EQ(
      wait_for(child([&] {
        Store store(url());
        const auto request = store.open_request("o", "v", {"a", "b"});
        const LockHolder holder(path());
        catch_signals();
        std::raise(SIGINT);
        const auto answer = [&] {
          store.put_answers({{"a", "o", "v", {1}, 2, 1}}, request.key, {{"b", "nan", 2, ""}});
        };
        const std::string stopped = "stopped by signal 2";
        if (error_of([&] { store.event(0, "kind", "free"); }) != stopped || holder.sleeps != 0)
          return 1;
        if (error_of(answer) != stopped || holder.sleeps != 50 ||
            store.open_requests("o", "v").size() != 1)
          return 2;  // a second
        holder.sleeps = 0;
        holder.lets_go_in = 3;
        if (!error_of(answer).empty() || holder.sleeps != 3) return 3;
        if (!store.find_answer("a", "o", "v") || store.refused("o", "v").size() != 1 ||
            !store.open_requests("o", "v").empty())
          return 4;
        return 0;
      })),
      0);
}

TEST_F(StoreTest, SaysWhenItMayNotWrite) {
  { Store store(url()); }
  ::chmod(path().c_str(), 0444);
  ::chmod(folder_.path().c_str(), 0555);
  const auto code = wait_for(child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 77;  // root may write everything
    const std::string said = error_of([&] { Store(url()).put_video({"h", "p", 1}); });
    const bool good = said.find(path()) != std::string::npos &&
                      said.find("may write") + said.find("chmod") != 2 * std::string::npos;
    if (!good) std::fprintf(stderr, "said: %s\n", said.c_str());
    return good ? 0 : 1;
  }));
  ::chmod(folder_.path().c_str(), 0755);
  if (code == 77) GTEST_SKIP() << "cannot become a user without rights";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace distal
