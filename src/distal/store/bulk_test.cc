// Many clips at once: what comes back, and in how many statements.

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <atomic>
#include <limits>

#include "distal/store/store_test_helpers.h"

namespace distal {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();
constexpr int64_t kMany = 20'000;

// What every connection executes while this lives.
class StatementCount {
 public:
  StatementCount() { sqlite3_auto_extension(reinterpret_cast<void (*)()>(listen)); }
  ~StatementCount() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(listen)); }

  /// Since the last call.
  static int64_t take() { return statements_.exchange(0); }

 private:
  static int listen(sqlite3* db, char**, const void*) {
    const auto count = [](unsigned, void*, void*, void*) {
      ++statements_;
      return 0;
    };
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, count, nullptr);
  }
  inline static std::atomic<int64_t> statements_{0};
};

std::vector<std::string> many_clips(const std::string& name) {
  std::vector<std::string> clips;
  for (int64_t i = 0; i < kMany; ++i) clips.push_back(fmt::format("{}{}@0-{}", name, i, i));
  return clips;
}

TEST_F(StoreTest, TakesAHandfulOfStatementsForManyClips) {
  const StatementCount count;
  // Its lease is given back: renewals would count too.
  const int64_t run = Store(url()).begin_or_continue("k", "arm", 0, "", "").id;
  Store store(url());
  const auto clips = many_clips("v");
  std::vector<double> seconds, prices(clips.size(), 0.1);
  std::vector<StoredAnswer> answers;
  for (int64_t i = 0; i < kMany; ++i) {
    seconds.push_back(1 + 1.0 / static_cast<double>(i + 3));
    answers.push_back({clips[i], "o", "v", {seconds.back(), 0.5}, 0.1, seconds.back()});
  }
  count.take();

  EXPECT_EQ(store.find_answers(clips, "o", "v").size(), clips.size());
  EXPECT_LE(count.take(), 2);
  store.reserve(run, kOracle, 0, clips, seconds, prices, kNoLimit, kNoLimit, kNoLimit);
  EXPECT_LE(count.take(), 15);
  const auto request = store.open_request("o", "v", clips);
  EXPECT_LE(count.take(), 15);
  store.put_answers(answers, request.key);
  EXPECT_LE(count.take(), 15);
  const auto found = store.find_answers(clips, "o", "v");
  EXPECT_LE(count.take(), 2);

  EXPECT_EQ(request.clips, clips);
  EXPECT_EQ(store.reserved(run, 0), clips);
  ASSERT_EQ(found.size(), clips.size());
  double sum = 0;
  for (int64_t i = 0; i < kMany; ++i) {
    ASSERT_TRUE(found[i]) << i;
    ASSERT_EQ(found[i]->clip, clips[i]);
    ASSERT_EQ(found[i]->probabilities[0], seconds[i]);
    ASSERT_EQ(found[i]->seconds, seconds[i]);
    sum += seconds[i];
  }
  EXPECT_EQ(store.spent(run, kOracle).seconds, sum) << "in the order of reservation";
  EXPECT_EQ(store.spent(run, kOracle).answers, kMany);
}

TEST_F(StoreTest, FindsTheAnswersOfManyClipsAtTheirPlaces) {
  Store store(url());
  store.put_answers({{"a", "o", "v", {1, 0}, 2, 3},
                     {"b'@\"", "o", "v", {0, 1}, 4, 5},
                     {"c", "o", "w", {1}, 0, 0}});
  const auto found = store.find_answers({"c", "b'@\"", "unknown", "a", "b'@\""}, "o", "v");
  ASSERT_EQ(found.size(), 5u);
  EXPECT_FALSE(found[0]);
  ASSERT_TRUE(found[1] && found[3] && found[4]);
  EXPECT_FALSE(found[2]);
  EXPECT_EQ(found[1]->clip, "b'@\"");
  EXPECT_EQ(found[1]->oracle, "o");
  EXPECT_EQ(found[1]->version, "v");
  EXPECT_THAT(found[1]->probabilities, ::testing::ElementsAre(0, 1));
  EXPECT_EQ(found[3]->price, 2);
  EXPECT_EQ(found[3]->seconds, 3);
  EXPECT_EQ(found[4]->price, 4);
  EXPECT_TRUE(store.find_answers({}, "o", "v").empty());
}

TEST_F(StoreTest, AsksForManyClipsOnceAndInTheirOrder) {
  Store store(url());
  auto clips = many_clips("v");
  std::reverse(clips.begin(), clips.end());
  store.put_answer({clips[7], "o", "v", {1}, 0, 0});
  auto twice = clips;
  twice.insert(twice.end(), clips.begin(), clips.end());
  const auto request = store.open_request("o", "v", twice);
  auto wanted = clips;
  wanted.erase(wanted.begin() + 7);
  EXPECT_EQ(request.clips, wanted);
  ASSERT_EQ(store.open_requests("o", "v").size(), 1u);
  EXPECT_EQ(store.open_requests("o", "v")[0].clips, wanted);
}

TEST_F(StoreTest, KeepsClipsWhoseNamesAreNoUtf8) {
  Store store(url());
  const std::string clip = "a\xff\xfe.mp4@0-1";
  store.put_answer({clip, "o", "v", {1}, 0, 0});
  EXPECT_TRUE(store.find_answers({clip}, "o", "v")[0]);
}

}  // namespace
}  // namespace distal
