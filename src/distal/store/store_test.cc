#include "distal/store/store.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "distal/store/store_test_helpers.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

int64_t begin(Store& store, const std::string& key = "k") {
  return store.begin_or_continue(key, "arm", 7, "recipe: 1", "abc").id;
}

void reserve(Store& store, int64_t run, int64_t round, const std::vector<std::string>& clips,
             double max_answers, double max_seconds = kNoLimit, double max_price = kNoLimit) {
  store.reserve(run, kOracle, round, clips, std::vector<double>(clips.size(), 2.5),
                std::vector<double>(clips.size(), 0.1), max_answers, max_seconds, max_price);
}

TEST_F(StoreTest, KeepsTheLastRankingOfARound) {
  Store store(url());
  const int64_t run = begin(store);
  EXPECT_EQ(store.ranking(run, 1), 0);
  store.put_ranking(run, 1, 5);
  store.put_ranking(run, 1, 9);
  EXPECT_EQ(store.ranking(run, 1), 9);
  EXPECT_EQ(store.ranking(run, 2), 0);
}

TEST_F(StoreTest, KeepsVideosAcrossReopenAndReplacesByIdentity) {
  {
    Store store(url());
    store.put_video({"h2", "b.mp4", 3.25});
    store.put_video({"h1", "c.mp4", 1});
    store.put_video({"h1", "a.mp4", 1.5, 0.25, "no key frame: 'damaged'"});
  }
  const auto videos = Store(url()).videos();
  ASSERT_EQ(videos.size(), 2u);
  EXPECT_EQ(videos[0].id, "h1");
  EXPECT_EQ(videos[0].path, "a.mp4");
  EXPECT_EQ(videos[0].duration_s, 1.5);
  EXPECT_EQ(videos[0].health, 0.25);
  EXPECT_EQ(videos[0].quarantined, "no key frame: 'damaged'");
  EXPECT_EQ(videos[1].health, 1);
  EXPECT_EQ(videos[1].quarantined, "");
}

TEST_F(StoreTest, ContinuesARunInsteadOfDuplicatingIt) {
  int64_t id = 0;
  {
    Store store(url());
    const auto run = store.begin_or_continue("key", "entropy", -3, "recipe: 1", "abc");
    id = run.id;
    EXPECT_EQ(run.status, "running");
    EXPECT_THAT(run.created, MatchesRegex("20..-..-..T..:..:......Z"));
    EXPECT_NE(store.begin_or_continue("other", "random", -3, "recipe: 1", "abc").id, id);
  }
  Store store(url());
  const auto again = store.begin_or_continue("key", "renamed", 5, "recipe: 2", "def");
  EXPECT_EQ(again.id, id);
  EXPECT_EQ(again.name, "entropy");
  EXPECT_EQ(again.seed, -3);
  EXPECT_EQ(again.recipe, "recipe: 1");
  EXPECT_EQ(again.revision, "abc");
  EXPECT_EQ(again.status, "running");
  EXPECT_EQ(store.runs().size(), 2u);
}

TEST_F(StoreTest, KeepsADoneRunDoneAndSetsAStoppedOneRunning) {
  Store store(url());
  store.finish(begin(store, "a"), "done");
  store.finish(begin(store, "b"), "stopped");
  EXPECT_EQ(store.begin_or_continue("a", "", 0, "", "").status, "done");
  EXPECT_EQ(store.begin_or_continue("b", "", 0, "", "").status, "stopped");
  const auto runs = store.runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].status, "done");
  EXPECT_EQ(runs[1].status, "running");
  EXPECT_THAT(error_of([&] { store.finish(99, "done"); }), HasSubstr("no run 99"));
}

TEST_F(StoreTest, ReturnsAnswersToTheLastBit) {
  const StoredAnswer answer{"hash@0-2000", "teacher",
                            "v1",          {1.0 / 3, 0.1 + 0.2, 5e-324, 0, 1, 0.99999999999999989},
                            0.07,          2.0000000000000004};
  {
    Store store(url());
    EXPECT_FALSE(store.find_answer(answer.clip, "teacher", "v1"));
    store.put_answer(answer);
  }
  Store store(url());
  const auto found = store.find_answer(answer.clip, "teacher", "v1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->clip, answer.clip);
  EXPECT_EQ(found->probabilities, answer.probabilities);
  EXPECT_EQ(found->price, answer.price);
  EXPECT_EQ(found->seconds, answer.seconds);
  EXPECT_FALSE(store.find_answer(answer.clip, "teacher", "v2"));
  EXPECT_FALSE(store.find_answer(answer.clip, "person", "v1"));
}

TEST_F(StoreTest, KeepsTheFirstOfTwoAnswers) {
  Store store(url());
  store.put_answer({"c", "o", "v", {1, 0}, 1, 2});
  store.put_answer({"c", "o", "v", {0, 1}, 3, 4});
  const auto found = store.find_answer("c", "o", "v");
  EXPECT_THAT(found->probabilities, ElementsAre(1, 0));
  EXPECT_EQ(found->price, 1);
}

TEST_F(StoreTest, KeepsARequestAsItWasUntilItsAnswersAreStored) {
  Store::Request first, second;
  {
    Store store(url());
    first = store.open_request("o", "v", {"z", "a", "z", "m"});
    EXPECT_THAT(first.key, MatchesRegex("[0-9a-f]+"));
    EXPECT_EQ(first.key.size(), 32u);
    EXPECT_THAT(first.clips, ElementsAre("z", "a", "m"));
    second = store.open_request("o", "v", {"b"});
    EXPECT_NE(second.key, first.key);
  }
  Store store(url());  // the process died before it stored an answer
  const auto open = store.open_requests("o", "v");
  ASSERT_EQ(open.size(), 2u);
  EXPECT_EQ(open[0].key, first.key);
  EXPECT_EQ(open[0].clips, first.clips);
  EXPECT_EQ(open[1].key, second.key);
  EXPECT_THAT(store.open_requests("o", "v2"), IsEmpty());
  EXPECT_THAT(store.open_requests("p", "v"), IsEmpty());
  store.put_answers(
      {{"z", "o", "v", {1}, 0, 0}, {"a", "o", "v", {1}, 0, 0}, {"m", "o", "v", {1}, 0, 0}},
      first.key);
  ASSERT_EQ(store.open_requests("o", "v").size(), 1u);
  EXPECT_EQ(store.open_requests("o", "v")[0].key, second.key);
}

TEST_F(StoreTest, NeverAsksForAClipTwice) {
  Store store(url());
  store.put_answer({"answered", "o", "v", {1}, 0, 0});
  const auto first = store.open_request("o", "v", {"a", "answered", "b"});
  EXPECT_THAT(first.clips, ElementsAre("a", "b"));
  EXPECT_THAT(store.open_request("o", "v", {"c", "b"}).clips, ElementsAre("c"));
  const auto none = store.open_request("o", "v", {"a", "answered"});
  EXPECT_EQ(none.key, "");
  EXPECT_THAT(none.clips, IsEmpty());
  EXPECT_EQ(store.open_requests("o", "v").size(), 2u);
  EXPECT_THAT(store.open_request("o", "v2", {"a", "answered"}).clips, ElementsAre("a", "answered"));
}

TEST_F(StoreTest, AsksAnewForTheClipsOfARequestThatWasGivenUp) {
  Store store(url());
  const auto lost = store.open_request("o", "v", {"a", "b"});
  store.give_up(lost.key);
  EXPECT_THAT(store.open_requests("o", "v"), IsEmpty());
  const auto anew = store.open_request("o", "v", {"b"});
  EXPECT_THAT(anew.clips, ElementsAre("b"));
  EXPECT_NE(anew.key, lost.key);
  store.put_answers({{"b", "o", "v", {1}, 0, 0}}, anew.key);
  store.give_up(anew.key);  // answered by now: stays as it is
  EXPECT_TRUE(store.find_answer("b", "o", "v"));
}

TEST_F(StoreTest, AsksAgainAboutWhatWasRefusedOnlyWhenToldTo) {
  Store store(url());
  const auto request = store.open_request("o", "v", {"a", "b", "c"});
  store.put_answers({{"b", "o", "v", {1}, 2, 0}}, request.key,
                    {{"c", "value 1 is nan", 2, ""}, {"a", "value 0 is nan", 2, ""}});
  EXPECT_THAT(store.open_requests("o", "v"), IsEmpty());
  const auto refused = Store(url()).refused("o", "v");
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(refused[0].clip, "a");
  EXPECT_EQ(refused[0].reason, "value 0 is nan");
  EXPECT_EQ(refused[0].price, 2);
  EXPECT_THAT(refused[0].refused, MatchesRegex("20..-..-..T..:..:......Z"));
  EXPECT_THAT(store.refused("o", "v2"), IsEmpty());
  EXPECT_THAT(store.open_request("o", "v", {"a", "b", "c", "d"}).clips, ElementsAre("d"));
  EXPECT_THAT(store.open_request("o", "v2", {"a"}).clips, ElementsAre("a"));
  store.ask_again("o", "v2");
  EXPECT_EQ(store.refused("o", "v").size(), 2u);
  store.ask_again("o", "v");
  EXPECT_THAT(store.refused("o", "v"), IsEmpty());
  EXPECT_THAT(store.open_request("o", "v", {"a", "b", "c"}).clips, ElementsAre("a", "c"));
}

TEST_F(StoreTest, KeepsTheFirstOfTwoRefusalsOfOneRequest) {
  // two runs: the second found the first's request open and sent it too
  Store first(url());
  Store second(url());
  const auto request = first.open_request("o", "v", {"a", "b"});
  ASSERT_EQ(second.open_requests("o", "v").size(), 1u);
  first.put_answers({{"b", "o", "v", {1}, 2, 0}}, request.key, {{"a", "value 0 is nan", 2, ""}});
  EXPECT_EQ(error_of([&] {
              second.put_answers({{"b", "o", "v", {1}, 2, 0}}, request.key,
                                 {{"a", "value 1 is nan", 2, ""}});
            }),
            "");
  ASSERT_EQ(second.refused("o", "v").size(), 1u);
  EXPECT_EQ(second.refused("o", "v")[0].reason, "value 0 is nan");
}

TEST_F(StoreTest, CountsWhatWasAskedAgainAsSpentOnceMore) {
  Store store(url());
  const int64_t run = begin(store);
  const int64_t other = begin(store, "other");
  reserve(store, run, 0, {"a", "b"}, 10);
  reserve(store, other, 0, {"b"}, 10);
  const auto first = store.open_request("o", "v", {"a", "b"});
  store.put_answers({{"b", "o", "v", {1}, 0.1, 0}}, first.key, {{"a", "nan", 0.1, ""}});
  EXPECT_DOUBLE_EQ(store.spent(run, kOracle).price, 0.2) << "reserved, and paid, once";
  store.ask_again("o", "v");
  EXPECT_DOUBLE_EQ(store.spent(run, kOracle).price, 0.3);
  EXPECT_EQ(store.spent(run, kOracle).answers, 2);
  EXPECT_DOUBLE_EQ(store.spent(other, kOracle).price, 0.1);
}

TEST_F(StoreTest, CountsNothingForClipsWhoseLabelsAreGiven) {
  Store store(url());
  const int64_t first = begin(store);
  const int64_t second = begin(store, "second");
  reserve(store, first, 1, {"a", "b"}, 10);
  store.reserve(second, kOracle, 0, {"a"}, {2.5}, {0}, kNoLimit, kNoLimit, kNoLimit);
  store.put_answers({}, store.open_request("o", "v", {"a", "b"}).key,
                    {{"a", "nan", 0.1, ""}, {"b", "nan", 0.1, ""}});
  store.ask_again("o", "v");
  EXPECT_DOUBLE_EQ(store.spent(first, kOracle).price, 0.4);
  EXPECT_EQ(store.spent(second, kOracle).price, 0);
  EXPECT_EQ(error_of([&] { reserve(store, second, 1, {"c"}, 10, kNoLimit, 0.1); }), "");
}

TEST_F(StoreTest, CountsNothingThatAnotherOracleWasAskedAgain) {
  Store store(url());
  const int64_t run = begin(store);
  reserve(store, run, 0, {"a", "b"}, 10);
  for (const auto& [oracle, version] : {std::pair{"other", "v"}, {"o", "another"}}) {
    const auto request = store.open_request(oracle, version, {"a", "b"});
    store.put_answers({{"b", oracle, version, {1}, 2, 0}}, request.key, {{"a", "nan", 2, ""}});
    store.ask_again(oracle, version);
  }
  EXPECT_DOUBLE_EQ(store.spent(run, kOracle).price, 0.2);
  EXPECT_DOUBLE_EQ(store.spent(run, {"other", "v"}).price, 2.2);
}

TEST_F(StoreTest, HoldsWhatWasAskedAgainAgainstTheLimitToo) {
  Store store(url());
  const int64_t run = begin(store);
  reserve(store, run, 0, {"a", "b"}, 10);
  store.put_answers({}, store.open_request("o", "v", {"a", "b"}).key,
                    {{"a", "nan", 0.1, ""}, {"b", "nan", 0.1, ""}});
  reserve(store, run, 1, {"c"}, 10, kNoLimit, 0.3);
  store.ask_again("o", "v");
  EXPECT_THAT(
      error_of([&] { reserve(store, run, 2, {"d"}, 10, kNoLimit, 0.5); }),
      HasSubstr("0.5 units of money are spent and 0.1 more were asked for, 0.1 above the 0.5"));
  EXPECT_THAT(store.reserved(run, 2), IsEmpty());
  reserve(store, run, 2, {"d"}, 10, kNoLimit, 0.6);
  EXPECT_DOUBLE_EQ(store.spent(run, kOracle).price, 0.6);
}

TEST_F(StoreTest, StoresTheAnswersOfARequestAllOrNone) {
  Store store(url());
  const auto request = store.open_request("o", "v", {"a", "b"});
  EXPECT_THROW(
      store.put_answers({{"a", "o", "v", {1}, 0, 0}, {"b", "o", "v", {std::nan("")}, 0, 0}},
                        request.key),
      std::logic_error);
  EXPECT_FALSE(store.find_answer("a", "o", "v"));
  EXPECT_EQ(store.open_requests("o", "v").size(), 1u);
}

TEST_F(StoreTest, ReservesInOrderAndSums) {
  Store store(url());
  const int64_t run = begin(store);
  const int64_t other = begin(store, "other");
  reserve(store, run, 0, {"z", "a"}, 10);
  reserve(store, run, 1, {"m", "b", "m"}, 10);
  reserve(store, other, 0, {"a"}, 10);
  EXPECT_THAT(store.reserved(run, 0), ElementsAre("z", "a"));
  EXPECT_THAT(store.reserved(run, 1), ElementsAre("m", "b"));
  EXPECT_THAT(store.reserved(run, 2), IsEmpty());
  const auto spent = store.spent(run, kOracle);
  EXPECT_EQ(spent.answers, 4);
  EXPECT_EQ(spent.seconds, 10);
  EXPECT_DOUBLE_EQ(spent.price, 0.4);
  EXPECT_EQ(store.spent(other, kOracle).answers, 1);
}

TEST_F(StoreTest, ReservesAllClipsOrNone) {
  Store store(url());
  const int64_t run = begin(store);
  reserve(store, run, 0, {"a", "b"}, 3);
  EXPECT_THAT(error_of([&] {
                reserve(store, run, 1, {"c", "d"}, 3);
              }),
              HasSubstr("2 answers are spent and 2 more were asked for, 1 above the 3"));
  EXPECT_EQ(store.spent(run, kOracle).answers, 2);
  EXPECT_THAT(store.reserved(run, 1), IsEmpty());
  EXPECT_THAT(error_of([&] { reserve(store, run, 1, {"c"}, 9, 7.4); }),
              HasSubstr("seconds of video"));
  EXPECT_THAT(error_of([&] { reserve(store, run, 1, {"c"}, 9, 9, 0.29); }),
              HasSubstr("units of money"));
  EXPECT_EQ(store.spent(run, kOracle).answers, 2);
  reserve(store, run, 1, {"c"}, 3, 7.5, 0.3);  // 0.1 + 0.1 + 0.1 is more than 0.3 in binary
  EXPECT_EQ(store.spent(run, kOracle).answers, 3);
}

TEST_F(StoreTest, ChangesNothingWhenAReservationIsRepeated) {
  Store store(url());
  const int64_t run = begin(store);
  reserve(store, run, 0, {"a", "b"}, 2);
  reserve(store, run, 0, {"a", "b"}, 2);
  reserve(store, run, 0, {"b", "a"}, 0);
  reserve(store, run, 5, {"a"}, 2);
  EXPECT_THAT(store.reserved(run, 0), ElementsAre("a", "b"));
  EXPECT_THAT(store.reserved(run, 5), IsEmpty());
  reserve(store, run, 1, {"a", "c"}, 3);
  EXPECT_THAT(store.reserved(run, 1), ElementsAre("c"));
  EXPECT_EQ(store.spent(run, kOracle).answers, 3);
  EXPECT_THAT(error_of([&] { reserve(store, 99, 0, {"a"}, 3); }), HasSubstr("no run 99"));
}

TEST_F(StoreTest, RaisesThePriceOfWhatIsReservedOnce) {
  Store store(url());
  const int64_t run = begin(store);
  const int64_t other = begin(store, "other");
  reserve(store, run, 0, {"a", "b", "c"}, 10);  // .1 each
  reserve(store, other, 0, {"a", "b"}, 10);
  for (int twice = 0; twice < 2; ++twice) store.raise_price(run, {"b", "c", "unreserved"}, 2);
  store.raise_price(run, {"c"}, 0.5);
  EXPECT_DOUBLE_EQ(store.spent(run, kOracle).price, 0.1 + 2 + 2);
  EXPECT_EQ(store.spent(run, kOracle).answers, 3);
  EXPECT_DOUBLE_EQ(store.spent(other, kOracle).price, 0.2) << "each run pays for itself";
  EXPECT_THAT(store.reserved(run, 0), ElementsAre("a", "b", "c"));
  EXPECT_THAT(error_of([&] { store.raise_price(99, {"a"}, 1); }), HasSubstr("no run 99"));
}

TEST_F(StoreTest, NeverReplacesARound) {
  Store store(url());
  const int64_t run = begin(store);
  const StoredRound second{1, 20, 40.5, 0.1, "{\"accuracy\":0.5}", "[\"b\"]"};
  store.put_round(run, second);
  store.put_round(run, {0, 10, 20, 0, "{}", "[\"a\"]"});
  store.put_round(run, second);
  StoredRound changed = second;
  changed.metrics_json = "{}";
  EXPECT_THAT(error_of([&] { store.put_round(run, changed); }), HasSubstr("round 1 of run"));
  const auto rounds = store.rounds(run);
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_EQ(rounds[0].round, 0);
  EXPECT_EQ(rounds[1].answers, 20);
  EXPECT_EQ(rounds[1].seconds, 40.5);
  EXPECT_EQ(rounds[1].price, 0.1);
  EXPECT_EQ(rounds[1].metrics_json, second.metrics_json);
  EXPECT_EQ(rounds[1].picks_json, second.picks_json);
  EXPECT_THAT(error_of([&] { store.put_round(99, second); }), HasSubstr("no run 99"));
}

TEST_F(StoreTest, KeepsEventsPerRunInOrder) {
  Store store(url());
  const int64_t run = begin(store);
  store.event(run, "bad video", "a.mp4: no frames");
  store.event(0, "import", "12 videos");
  store.event(run, "round", "0 done");
  const auto events = store.events(run);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, "bad video");
  EXPECT_EQ(events[0].text, "a.mp4: no frames");
  EXPECT_LE(events[0].time, events[1].time);
  ASSERT_EQ(store.events(0).size(), 1u);
  EXPECT_THAT(error_of([&] { store.event(99, "a", "b"); }), HasSubstr("no run 99"));
}

TEST_F(StoreTest, KeepsWhatARunFindsOutOnceAndInOrder) {
  int64_t run = 0;
  int64_t other = 0;
  {
    Store store(url());
    run = begin(store);
    other = begin(store, "other");
    store.put_passes(run, 1, 100);
    store.put_passes(run, 1, 120);
    store.put_passes(run, 1, 120);
    for (int time = 0; time < 2; ++time) {
      store.put_quarantined(run,
                            {{"b.mp4", "no frames"}, {"a.mp4", "no index"}, {"b.mp4", "again"}});
      store.put_notes(run, {"second", "first", "second"});
      store.put_unseen(run, {"jump", "bow"});
      store.put_student(run, {3, "abc", "/x/arm.safetensors"});
    }
    store.put_quarantined(run, {});
    store.put_notes(run, {"third"});
    store.put_student(run, {3, "abc", "/y/arm.safetensors"});
    store.put_student(run, {4, "def", "/x/arm.safetensors"});
  }
  Store store(url());
  EXPECT_EQ(store.passes(run, 1), 120);
  EXPECT_FALSE(store.passes(run, 2));
  EXPECT_FALSE(store.passes(other, 1));
  ASSERT_EQ(store.quarantined(run).size(), 2u);
  EXPECT_EQ(store.quarantined(run)[0].path, "b.mp4");
  EXPECT_EQ(store.quarantined(run)[0].reason, "no frames");
  EXPECT_EQ(store.quarantined(run)[1].path, "a.mp4");
  EXPECT_THAT(store.notes(run), ElementsAre("second", "first", "third"));
  EXPECT_THAT(store.notes(other), IsEmpty());
  EXPECT_THAT(store.unseen(run), ElementsAre("jump", "bow"));
  ASSERT_EQ(store.students(run).size(), 3u);
  EXPECT_EQ(store.students(run)[1].path, "/y/arm.safetensors");
  EXPECT_EQ(store.students(run)[2].round, 4);
  EXPECT_EQ(store.students(run)[2].weights, "def");
  EXPECT_THAT(store.events(run), IsEmpty());
  EXPECT_THAT(error_of([&] { store.put_notes(99, {"note"}); }), HasSubstr("no run 99"));
  EXPECT_THAT(error_of([&] { store.put_student(99, {}); }), HasSubstr("no run 99"));
}

TEST_F(StoreTest, KnowsWhereTheLastImportWroteItsLists) {
  Store store(url());
  EXPECT_EQ(store.lists_folder(), "");
  store.put_lists_folder("/b");
  store.put_lists_folder("/a");
  EXPECT_EQ(store.lists_folder(), "/a");
}

TEST_F(StoreTest, RefusesWhatIsNoStoreWithPathAndCure) {
  std::ofstream(path()) << "clip,label\n";
  EXPECT_THAT(error_of([&] { Store store(url()); }),
              ::testing::AllOf(HasSubstr(path()), HasSubstr("not an SQLite file")));
  std::ofstream(path()) << std::string(20000, 'x');
  EXPECT_THAT(error_of([&] { Store store(url()); }), HasSubstr("not an SQLite file"));
  EXPECT_EQ(std::filesystem::file_size(path()), 20000u);
}

TEST_F(StoreTest, RefusesUrlsItCannotServe) {
  EXPECT_THAT(error_of([] { Store store("postgresql://host/db"); }),
              HasSubstr("this build has no PostgreSQL"));
  EXPECT_THAT(error_of([] { Store store("distal.db"); }), HasSubstr("sqlite:distal.db"));
  EXPECT_THAT(error_of([] { Store store("sqlite:"); }), HasSubstr("no file named"));
  EXPECT_THAT(error_of([] { Store store("sqlite::memory:"); }), HasSubstr("no file named"));
  EXPECT_THAT(error_of([&] { Store store("sqlite:" + folder_.path()); }), HasSubstr("a directory"));
  const std::string missing = folder_ / "no/x.db";
  EXPECT_THAT(error_of([&] { Store store("sqlite:" + missing); }),
              ::testing::AllOf(HasSubstr("does not exist"), HasSubstr("mkdir -p")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "no"));
}

TEST_F(StoreTest, LeavesNothingBesideTheFileWhenClosed) {
  {
    Store store(url());
    begin(store);
  }
  int files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder_.path()))
    ++files;
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace distal
