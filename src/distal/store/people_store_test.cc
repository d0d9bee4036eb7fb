// What people are asked, what they answer, and what becomes of it.

#include "distal/store/people_store.h"

#include <gmock/gmock.h>

#include <functional>
#include <limits>

#include "distal/store/people_test_helpers.h"

namespace distal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> uuids(const std::vector<PeopleStore::Answer>& answers) {
  std::vector<std::string> all;
  for (const auto& answer : answers) all.push_back(answer.uuid);
  return all;
}

TEST_F(PeopleTest, KeepsAnItemAsItWasAdded) {
  PeopleStore store(url());
  PeopleStore::NewItem added;
  added.request = "r";
  added.clip = "h@333--1";
  added.video = "a folder/ü.mp4";
  added.start_s = 1.0 / 3;
  added.end_s = std::numeric_limits<double>::infinity();
  added.kind = "ranges";
  added.purpose = "held_out";
  added.study = "s";
  added.version = "v2";
  added.round = 3;
  added.position = -7;
  added.wanted = 2;
  added.for_person = "ann";
  added.reasons = {{"margin", -0.1, "[0.5,0.5]", "[]"}, {"badge", 1.0 / 7, "", ""}};
  const auto ids = store.add_items({added}, 1'700'000'000'123);
  ASSERT_EQ(ids.size(), 1u);
  const auto item = store.item(ids[0]);
  ASSERT_TRUE(item);
  EXPECT_EQ(item->id, ids[0]);
  EXPECT_EQ(item->request, "r");
  EXPECT_EQ(item->clip, "h@333--1");
  EXPECT_EQ(item->video, "a folder/ü.mp4");
  EXPECT_EQ(item->start_s, 1.0 / 3);
  EXPECT_EQ(item->end_s, std::numeric_limits<double>::infinity());
  EXPECT_EQ(item->kind, "ranges");
  EXPECT_EQ(item->purpose, "held_out");
  EXPECT_EQ(item->study, "s");
  EXPECT_EQ(item->version, "v2");
  EXPECT_EQ(item->round, 3);
  EXPECT_EQ(item->position, -7);
  EXPECT_EQ(item->wanted, 2);
  EXPECT_EQ(item->for_person, "ann");
  EXPECT_EQ(item->state, "open");
  EXPECT_EQ(item->places, 2);
  EXPECT_FALSE(item->conflict);
  EXPECT_EQ(item->class_name, "");
  EXPECT_EQ(item->created, "2023-11-14T22:13:20.123Z");
  const auto reasons = store.reasons(ids[0]);
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_EQ(reasons[0].strategy, "badge");
  EXPECT_EQ(reasons[0].score, 1.0 / 7);
  EXPECT_EQ(reasons[1].guess_json, "[0.5,0.5]");
  EXPECT_EQ(reasons[1].neighbours_json, "[]");
  EXPECT_FALSE(store.item(ids[0] + 1));
}

TEST_F(PeopleTest, AddsAnItemOfARequestOnce) {
  PeopleStore store(url());
  const auto first = store.add_items(clips_of("r", 3), kNow);
  store.put(says("u", first[1], "ann", "bow"), kNow);
  auto again = clips_of("r", 4);
  std::swap(again[0], again[3]);
  again[1].position = 99;
  const auto ids = store.add_items(again, kNow + 1);
  EXPECT_THAT(ids, ElementsAre(first[2] + 1, first[1], first[2], first[0]));
  EXPECT_EQ(store.item(first[1])->position, 1);
  EXPECT_EQ(store.item(first[1])->state, "settled");
  EXPECT_THAT(store.add_items({}, kNow), IsEmpty());
  const auto other = store.add_items(clips_of("other", 1), kNow);  // the clip of another request
  EXPECT_EQ(other[0], first[2] + 2);
}

TEST_F(PeopleTest, RanksWhatIsOpenAgain) {
  PeopleStore store(url());
  auto items = clips_of("r", 4);
  for (auto& item : items) item.reasons = {{"margin", -0.5, "{}", ""}, {"badge", {}, "", ""}};
  const auto id = store.add_items(items, kNow);
  store.put(says("u", id[1], "ann", "bow"), kNow);
  std::vector<PeopleStore::Ranked> order;
  for (const int64_t i : {3, 1, 0, 2})
    order.push_back({"r", items[i].clip, {"margin", 0.25 * static_cast<double>(i), "", "[]"}});
  order.push_back({"r", "nobody asked", {"margin", {}, "", ""}});
  EXPECT_EQ(store.rank_again(order), 3);
  const auto next = store.lease_next(next_for("ben", 9));
  EXPECT_THAT(ids_of(next), ElementsAre(id[3], id[0], id[2]));
  EXPECT_EQ(store.item(id[1])->position, 1) << "answered: it stays";
  const auto reasons = store.reasons(id[3]);
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_EQ(reasons[0].score, std::nullopt) << "another strategy's";
  EXPECT_EQ(reasons[1].score, 0.75);
  EXPECT_EQ(reasons[1].neighbours_json, "[]");
  EXPECT_EQ(store.reasons(id[1])[1].score, -0.5);
  order[0].reason.score = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(refusal_of([&] { store.rank_again(order); }), Why::invalid);
}

TEST_F(PeopleTest, CountsTheBatchesThatAreOpen) {
  PeopleStore store(url());
  auto items = clips_of("r", 7);
  items[0].purpose = "held_out";
  for (const int64_t i : {4, 5, 6}) items[i].round = 1;
  const auto id = store.add_items(items, kNow);
  store.put(says("a", id[0], "ann", "bow"), kNow);
  store.put(skips("b", id[4], "ann"), kNow);
  store.withdraw(std::vector<int64_t>{id[5]});
  std::vector<std::string> batches;
  for (const auto& batch : store.open_batches("study"))
    batches.push_back(
        fmt::format("{} {} {} {}", batch.purpose, batch.round, batch.open, batch.answered));
  EXPECT_THAT(batches, ElementsAre("pool 0 3 0", "pool 1 1 1"));
}

TEST_F(PeopleTest, RefusesAnItemThatNobodyCouldAnswer) {
  PeopleStore store(url());
  auto items = clips_of("r", 2);
  items[1].wanted = 0;
  EXPECT_EQ(refusal_of([&] { store.add_items(items, kNow); }), Why::invalid);
  items = clips_of("r", 2);
  items[1].kind = "boxes";
  EXPECT_EQ(refusal_of([&] { store.add_items(items, kNow); }), Why::invalid);
  EXPECT_THAT(rows("SELECT COUNT(*) FROM items"), ElementsAre("0"));
}

// Clips a to d reserved by two runs for round 1, and asked of people in requests of one clip.
class LateTest : public PeopleTest {
 protected:
  LateTest() {
    const std::vector<std::string> clips = {"a", "b", "c", "d"};
    for (const char* key : {"first", "second"}) {
      runs_.push_back(store_.begin_or_continue(key, "arm", 1, "recipe", "rev").id);
      store_.reserve(runs_.back(), kOracle, 1, clips, std::vector<double>(4, 2.5),
                     std::vector<double>(4, 0.5), 100, 1e9, 1e9);
    }
    for (const std::string& clip : clips) {
      PeopleStore::NewItem item = clips_of("", 1).front();
      item.request = store_.open_request("o", "v", {clip}).key;
      item.clip = clip;
      ids_.push_back(people_.add_items({item}, kNow).front());
    }
  }
  std::vector<std::string> open_clips() {
    std::vector<std::string> clips;
    for (const auto& request : store_.open_requests("o", "v")) clips.push_back(request.clips.at(0));
    return clips;
  }

  Store store_{url()};
  PeopleStore people_{url()};
  std::vector<int64_t> runs_, ids_;
};

TEST_F(LateTest, AClipThatIsLateIsNotSpentAndMayBeReservedAgain) {
  store_.put_answers({{"a", "o", "v", {1, 0}, 0.5, 2.5}});
  people_.put(says("u", ids_[1], "ann", "bow"), kNow);
  EXPECT_THAT(store_.unreserve(runs_[0], kOracle, 1, {"a", "b", "c", "x"}), ElementsAre("c"))
      << "a is answered, b is settled and will be taken, and nobody reserved x";
  EXPECT_THAT(store_.reserved(runs_[0], 1), ElementsAre("a", "b", "d"));
  EXPECT_EQ(store_.spent(runs_[0], kOracle).answers, 3);
  EXPECT_EQ(store_.spent(runs_[0], kOracle).price, 1.5);
  EXPECT_THAT(store_.unreserve(runs_[0], kOracle, 1, {"c"}), IsEmpty()) << "twice changes nothing";
  EXPECT_THAT(store_.unreserve(runs_[0], kOracle, 2, {"d"}), IsEmpty()) << "of another round";
  store_.reserve(runs_[0], kOracle, 2, {"c"}, {2.5}, {0.5}, 4, 1e9, 1e9);
  EXPECT_THAT(store_.reserved(runs_[0], 2), ElementsAre("c"));
}

TEST_F(LateTest, AnItemIsWithdrawnWithTheLastRunThatWaitsForIt) {
  people_.lease_next(next_for("ann", 9));
  EXPECT_THAT(store_.unreserve(runs_[0], kOracle, 1, {"c", "d"}), ElementsAre("c", "d"));
  EXPECT_THAT(rows("SELECT state FROM items ORDER BY id"),
              ElementsAre("open", "open", "open", "open"));
  people_.put(says("u", ids_[3], "ann", "bow"), kNow);
  EXPECT_THAT(store_.unreserve(runs_[1], kOracle, 1, {"c", "d"}), ElementsAre("c"));
  EXPECT_THAT(rows("SELECT state FROM items ORDER BY id"),
              ElementsAre("open", "open", "withdrawn", "settled"));
  EXPECT_THAT(open_clips(), ElementsAre("a", "b", "d"));
  EXPECT_THAT(rows("SELECT COUNT(*) FROM item_leases"), ElementsAre("2"));
  EXPECT_THAT(store_.unreserve(runs_[1], kOracle, 1, {"d"}, /*answered_too=*/true),
              ElementsAre("d"));
  EXPECT_THAT(rows("SELECT state FROM items WHERE clip_key = 'd'"), ElementsAre("settled"));
  EXPECT_NE(store_.open_request("o", "v", {"c"}).key, "") << "it may be asked again";
}

TEST_F(LateTest, ARunWhoseRoundIsStoredWaitsForNothing) {
  store_.put_round(runs_[1], {1, 4, 10, 2, "{}", "[]"});
  store_.unreserve(runs_[0], kOracle, 1, {"c"});
  EXPECT_THAT(rows("SELECT state FROM items WHERE clip_key = 'c'"), ElementsAre("withdrawn"));
}

TEST_F(PeopleTest, ListsWhatAFilterLeavesPageByPage) {
  PeopleStore store(url());
  auto items = clips_of("r", 6);
  items[1].purpose = "held_out";
  items[4].purpose = "held_out";
  for (const int64_t i : {2, 3, 4}) items[i].round = 1;
  for (const int64_t i : {0, 2, 4}) items[i].reasons = {{"margin", 1, "", ""}};
  items[5].study = "another";
  const auto id = store.add_items(items, kNow);
  store.put(says("u", id[2], "ann", "bow"), kNow);
  const auto list = [&](const PeopleStore::ItemFilter& filter, int64_t after = 0,
                        int64_t count = 9) { return ids_of(store.items(filter, after, count)); };
  EXPECT_EQ(list({}), id);
  EXPECT_THAT(list({}, id[1], 2), ElementsAre(id[2], id[3]));
  EXPECT_THAT(list({.study = "study"}, id[2]), ElementsAre(id[3], id[4]));
  EXPECT_THAT(list({.state = "settled"}), ElementsAre(id[2]));
  EXPECT_THAT(list({.study = "study", .state = "open"}, 0, 3), ElementsAre(id[0], id[1], id[3]));
  EXPECT_THAT(list({.purpose = "held_out"}), ElementsAre(id[1], id[4]));
  EXPECT_THAT(list({.study = "study", .purpose = "pool"}), ElementsAre(id[0], id[2], id[3]));
  EXPECT_THAT(list({.study = "study", .purpose = "pool", .state = "open"}),
              ElementsAre(id[0], id[3]));
  EXPECT_THAT(list({.study = "study", .round = 1}), ElementsAre(id[2], id[3], id[4]));
  EXPECT_THAT(list({.study = "study", .state = "open", .round = 1}), ElementsAre(id[3], id[4]));
  EXPECT_THAT(list({.strategy = "margin"}), ElementsAre(id[0], id[2], id[4]));
  EXPECT_THAT(list({.strategy = "margin"}, id[0], 1), ElementsAre(id[2]));
  EXPECT_THAT(list({.strategy = "margin", .study = "study", .round = 1}),
              ElementsAre(id[2], id[4]));
  EXPECT_THAT(list({.clip = items[3].clip}), ElementsAre(id[3]));
  EXPECT_THAT(list({.request = "r", .study = "another"}), ElementsAre(id[5]));
  EXPECT_THAT(list({.request = "none"}), IsEmpty());
  EXPECT_THAT(list({.conflict = true}), IsEmpty());
}

TEST_F(PeopleTest, ListsNumberedPagesAndCountsThem) {
  PeopleStore store(url());
  store.add_items(clips_of("r", 7), kNow);
  store.put(says("a", 2, "ann", "left"), kNow);
  store.put(says("b", 5, "ann", "right"), kNow);
  EXPECT_EQ(store.count_items({.study = "study"}), 7);
  EXPECT_EQ(store.count_items({.state = "settled"}), 2);
  EXPECT_THAT(ids_of(store.items_at({.state = "open"}, 2, 2)), ElementsAre(4, 6));
  EXPECT_THAT(ids_of(store.items_at({.state = "open"}, 5, 2)), ElementsAre());
  EXPECT_EQ(store.count_answers({.person = "ann"}), 2);
  EXPECT_EQ(store.count_answers({.person = "bob"}), 0);
  const auto older = store.answers_at({.person = "ann"}, 1, 50);
  ASSERT_EQ(older.size(), 1);
  EXPECT_EQ(older.front().uuid, "a");
}

TEST_F(PeopleTest, SaysOfEachClipWhatWasAskedAboutIt) {
  PeopleStore store(url());
  auto items = clips_of("r", 3);
  items[1].purpose = "held_out";
  items[2].study = "another";
  const auto id = store.add_items(items, kNow);
  auto again = items[0];
  again.request = "s";
  store.add_items({again}, kNow);
  store.put(says("u", id[0], "ann", "bow"), kNow);
  const auto asked = store.asked_about(
      "study", {items[1].clip, items[2].clip, items[0].clip, "nobody asked", items[1].clip});
  ASSERT_EQ(asked.size(), 5u);
  EXPECT_EQ(asked[0].item, id[1]);
  EXPECT_EQ(asked[0].purpose, "held_out");
  EXPECT_EQ(asked[0].class_name, "");
  EXPECT_EQ(asked[1].item, 0);
  EXPECT_EQ(asked[2].item, id[0]);
  EXPECT_EQ(asked[2].class_name, "bow");
  EXPECT_EQ(asked[3].item, 0);
  EXPECT_EQ(asked[4].item, id[1]);
}

TEST_F(PeopleTest, KeepsAnAnswerAndSettlesItsItem) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 1), kNow)[0];
  auto given = says("u", id, "ann", "bow");
  given.unsure = true;
  given.note = "left hand; 'quoted' <b>";
  given.seconds = 1.0 / 3;
  const auto put = store.put(given, kNow);
  EXPECT_EQ(put.state, "settled");
  EXPECT_FALSE(put.conflict);
  EXPECT_FALSE(put.repeated);
  const auto answer = store.answer("u");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->item, id);
  EXPECT_EQ(answer->study, "study");
  EXPECT_EQ(answer->person, "ann");
  EXPECT_EQ(answer->class_name, "bow");
  EXPECT_FALSE(answer->skipped);
  EXPECT_TRUE(answer->unsure);
  EXPECT_EQ(answer->note, given.note);
  EXPECT_EQ(answer->source, "page");
  EXPECT_EQ(answer->began_ms, kNow - 3000);
  EXPECT_EQ(answer->answered_ms, kNow);
  EXPECT_EQ(answer->seconds, 1.0 / 3);
  EXPECT_EQ(answer->undone_ms, 0);
  EXPECT_FALSE(answer->used);
  EXPECT_FALSE(answer->decides);
  EXPECT_EQ(store.item(id)->class_name, "bow");
  EXPECT_EQ(store.item(id)->places, 0);
  EXPECT_FALSE(store.answer("none"));
}

TEST_F(PeopleTest, TakesAnAnswerOnce) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 2), kNow);
  auto answer = says("u", id[0], "ann", "bow");
  store.put(answer, kNow);
  answer.answered_ms += 5000;  // sent once more
  EXPECT_TRUE(store.put(answer, kNow + 5000).repeated);
  EXPECT_EQ(store.answer("u")->answered_ms, kNow);
  using Change = std::function<void(PeopleStore::NewAnswer&)>;
  const std::vector<Change> changes = {[](auto& other) { other.class_name = "jump"; },
                                       [&](auto& other) { other.item = id[1]; },
                                       [](auto& other) { other.person = "bob"; },
                                       [](auto& other) { other.skipped = true; },
                                       [](auto& other) { other.unsure = true; },
                                       [](auto& other) { other.note = "late"; },
                                       [](auto& other) { other.source = "csv"; },
                                       [](auto& other) { ++other.began_ms; },
                                       [](auto& other) { other.seconds = 4; },
                                       [](auto& other) {
                                         other.ranges = {{0, 1, "bow"}};
                                       }};
  for (const Change& change : changes) {
    auto other = answer;
    change(other);
    EXPECT_EQ(refusal_of([&] { store.put(other, kNow); }), Why::conflict);
  }
  EXPECT_EQ(refusal_of([&] { store.put(says("v", id[0], "ann", "jump"), kNow); }), Why::conflict);
  EXPECT_EQ(refusal_of([&] { store.put(says("v", 99, "ann", "jump"), kNow); }), Why::not_found);
  EXPECT_THAT(rows("SELECT uuid, class FROM people_answers"), ElementsAre("u bow"));
  EXPECT_EQ(store.item(id[1])->state, "open");
}

TEST_F(PeopleTest, RefusesAnAnswerThatSaysNothingOrTwoThings) {
  PeopleStore store(url());
  auto items = clips_of("r", 2);
  items[1].kind = "ranges";
  const auto id = store.add_items(items, kNow);
  const auto why = [&](const PeopleStore::NewAnswer& answer) {
    return refusal_of([&] { store.put(answer, kNow); });
  };
  EXPECT_EQ(why(says("u", id[0], "ann", "")), Why::invalid);
  EXPECT_EQ(why(says("", id[0], "ann", "bow")), Why::invalid);
  EXPECT_EQ(why(says("u", id[0], "", "bow")), Why::invalid);
  EXPECT_EQ(why(says("u", id[1], "ann", "bow")), Why::invalid);
  auto answer = skips("u", id[0], "ann");
  answer.class_name = "bow";
  EXPECT_EQ(why(answer), Why::invalid);
  answer = says("u", id[0], "ann", "bow");
  answer.ranges = {{0, 1, "bow"}};
  EXPECT_EQ(why(answer), Why::invalid);
  answer = says("u", id[0], "ann", "bow");
  answer.seconds = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(why(answer), Why::invalid);
  answer = says("u", id[1], "ann", "");
  for (const PeopleStore::Range& range : std::vector<PeopleStore::Range>{
           {1, 1, "bow"}, {2, 1, "bow"}, {0, 1, ""}, {0, 1.0 / 0.0, "bow"}}) {
    answer.ranges = {range};
    EXPECT_EQ(why(answer), Why::invalid);
  }
  EXPECT_THAT(store.answers({}, 99, 9), IsEmpty());
}

TEST_F(PeopleTest, KeepsRangesInTheirOrder) {
  PeopleStore store(url());
  auto items = clips_of("r", 2, 2);
  for (auto& item : items) item.kind = "ranges";
  const auto id = store.add_items(items, kNow);
  auto answer = says("u", id[0], "ann", "");
  answer.ranges = {{4, 5.5, "bow"}, {0, 1.0 / 3, "jump"}};
  EXPECT_EQ(store.put(answer, kNow).state, "open");
  EXPECT_TRUE(store.put(answer, kNow).repeated);
  EXPECT_EQ(store.answer("u")->ranges, answer.ranges);
  answer.uuid = "v";
  answer.person = "bob";
  EXPECT_EQ(store.put(answer, kNow).state, "settled");
  answer.item = id[1];
  answer.uuid = "w";
  store.put(answer, kNow);
  EXPECT_TRUE(store.put(says("x", id[1], "ann", ""), kNow).conflict) << "nothing happens in it";
  const auto taken = store.take_settled("r", 0.5);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->at(0).ranges, answer.ranges);
  EXPECT_THAT(taken->at(1).ranges, IsEmpty());
}

TEST_F(PeopleTest, SettlesWhereAllWhoAreWantedSayTheSame) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 4, 2), kNow);
  EXPECT_EQ(store.put(says("a0", id[0], "ann", "bow"), kNow).state, "open");
  EXPECT_EQ(store.item(id[0])->places, 1);
  EXPECT_EQ(store.put(says("b0", id[0], "bob", "bow"), kNow).state, "settled");

  store.put(skips("a1", id[1], "ann"), kNow);
  EXPECT_EQ(store.put(skips("b1", id[1], "bob"), kNow).state, "left_out");

  store.put(says("a2", id[2], "ann", "bow"), kNow);
  const auto disagree = store.put(says("b2", id[2], "bob", "jump"), kNow);
  EXPECT_EQ(disagree.state, "open");
  EXPECT_TRUE(disagree.conflict);

  store.put(skips("a3", id[3], "ann"), kNow);
  EXPECT_TRUE(store.put(says("b3", id[3], "bob", "bow"), kNow).conflict);

  EXPECT_THAT(ids_of(store.items({.conflict = true}, 0, 9)), ElementsAre(id[2], id[3]));
  EXPECT_THAT(store.lease_next(next_for("cyd", 9)), IsEmpty());
  EXPECT_EQ(refusal_of([&] { store.put(says("c", id[2], "cyd", "bow"), kNow); }), Why::lease_lost);
  const auto standing = store.standing("r");
  EXPECT_EQ(standing.items, 4);
  EXPECT_EQ(standing.open, 2);
  EXPECT_EQ(standing.conflicts, 2);
  EXPECT_EQ(standing.settled, 1);
  EXPECT_EQ(standing.left_out, 1);
  EXPECT_EQ(standing.answers, 8);
  EXPECT_EQ(store.standing("none").items, 0);
}

TEST_F(PeopleTest, WhoSkipsDoesNotSayThatNothingHappens) {
  PeopleStore store(url());
  auto items = clips_of("r", 1, 2);
  items[0].kind = "ranges";
  const auto id = store.add_items(items, kNow)[0];
  store.put(skips("a", id, "ann"), kNow);
  EXPECT_TRUE(store.put(says("b", id, "bob", ""), kNow).conflict);
}

TEST_F(PeopleTest, ThreePeopleMayNotBeInConflictBeforeAllHaveAnswered) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 1, 3), kNow)[0];
  store.put(says("a", id, "ann", "bow"), kNow);
  EXPECT_FALSE(store.put(says("b", id, "bob", "jump"), kNow).conflict);
  EXPECT_TRUE(store.put(says("c", id, "cyd", "bow"), kNow).conflict);
}

TEST_F(PeopleTest, AnAdjudicatorDecidesAboveAllOthers) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 3, 2), kNow);
  store.put(says("a", id[0], "ann", "bow"), kNow);
  store.put(says("b", id[0], "bob", "jump"), kNow);
  const auto decision = says("d", id[0], "ann", "wave");  // who answered may decide too
  EXPECT_EQ(store.decide(decision).state, "settled");
  EXPECT_EQ(store.item(id[0])->class_name, "wave");
  EXPECT_FALSE(store.item(id[0])->conflict);
  EXPECT_TRUE(store.decide(decision).repeated);
  EXPECT_EQ(refusal_of([&] { store.put(decision, kNow); }), Why::conflict);
  EXPECT_EQ(refusal_of([&] { store.decide(says("e", id[0], "eve", "bow")); }), Why::conflict);
  store.undo("d", "ann", kNow);
  EXPECT_TRUE(store.item(id[0])->conflict);
  EXPECT_EQ(store.item(id[0])->class_name, "");
  EXPECT_EQ(store.decide(skips("e", id[0], "eve")).state, "left_out");

  ASSERT_EQ(store.lease_next(next_for("ann")).size(), 1u);
  EXPECT_EQ(store.decide(says("f", id[1], "eve", "bow")).state, "settled");  // before anybody
  EXPECT_THAT(store.leases(kNow), IsEmpty());
  EXPECT_EQ(refusal_of([&] { store.put(says("g", id[1], "ann", "bow"), kNow); }), Why::lease_lost);
  EXPECT_EQ(refusal_of([&] { store.decide(says("h", 99, "eve", "bow")); }), Why::not_found);
}

TEST_F(PeopleTest, UndoingOpensTheItemAgain) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 1), kNow)[0];
  store.put(says("u", id, "ann", "bow"), kNow);
  EXPECT_EQ(refusal_of([&] { store.undo("u", "bob", kNow); }), Why::not_found);
  EXPECT_EQ(refusal_of([&] { store.undo("none", "", kNow); }), Why::not_found);
  EXPECT_EQ(store.undo("u", "ann", kNow + 1).undone_ms, kNow + 1);
  EXPECT_EQ(store.undo("u", "ann", kNow + 2).undone_ms, kNow + 1);
  EXPECT_EQ(store.item(id)->state, "open");
  EXPECT_EQ(store.item(id)->places, 1);
  EXPECT_THAT(store.answers({}, 99, 9), IsEmpty());
  EXPECT_EQ(store.put(says("u", id, "ann", "bow"), kNow).state, "open") << "the late copy of it";
  EXPECT_EQ(store.put(says("v", id, "ann", "jump"), kNow).state, "settled");
  EXPECT_EQ(store.item(id)->class_name, "jump");
  EXPECT_THAT(uuids(store.answers({.undone = true}, 99, 9)), ElementsAre("v", "u"));
}

TEST_F(PeopleTest, GivesARequestWhenAllOfItIsDone) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 3), kNow);
  store.add_items(clips_of("other", 1), kNow);
  store.put(says("a", id[0], "ann", "bow"), kNow);
  store.put(skips("b", id[1], "bob"), kNow);
  EXPECT_FALSE(store.take_settled("r"));
  EXPECT_EQ(store.undo("a", "ann", kNow).used, false);
  store.put(says("a2", id[0], "ann", "wave"), kNow);
  store.put(says("c", id[2], "ann", "jump"), kNow);
  for (int time = 0; time < 2; ++time) {  // who took it may have been killed
    const auto taken = store.take_settled("r");
    ASSERT_TRUE(taken);
    ASSERT_EQ(taken->size(), 3u);
    EXPECT_EQ(taken->at(0).item.id, id[0]);
    EXPECT_EQ(taken->at(0).item.class_name, "wave");
    EXPECT_THAT(uuids(taken->at(0).answers), ElementsAre("a2"));
    EXPECT_EQ(taken->at(1).item.state, "left_out");
    EXPECT_THAT(uuids(taken->at(1).answers), ElementsAre("b"));
    EXPECT_TRUE(taken->at(2).answers.at(0).used);
  }
  for (const std::string uuid : {"a2", "b", "c"}) {
    EXPECT_EQ(refusal_of([&] { store.undo(uuid, "", kNow); }), Why::used) << uuid;
  }
  EXPECT_EQ(refusal_of([&] { store.decide(says("d", id[0], "eve", "bow")); }), Why::used);
  EXPECT_TRUE(store.put(says("c", id[2], "ann", "jump"), kNow).repeated);
  EXPECT_EQ(refusal_of([&] { store.take_settled("none"); }), Why::not_found);
  EXPECT_EQ(store.standing("other").open, 1);
}

TEST_F(PeopleTest, GivesARequestWhenAShareIsDoneAndWithdrawsTheRest) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 4), kNow);
  const auto leased = store.lease_next(next_for("bob", 4));
  ASSERT_EQ(leased.size(), 4u);
  store.put(says("b0", id[0], "bob", "bow"), kNow);
  store.put(says("b1", id[1], "bob", "bow"), kNow);
  EXPECT_FALSE(store.take_settled("r", 0.75));
  store.put(says("b2", id[2], "bob", "bow"), kNow);
  const auto taken = store.take_settled("r", 0.75);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->at(2).item.state, "settled");
  EXPECT_EQ(taken->at(3).item.state, "withdrawn");
  EXPECT_THAT(taken->at(3).answers, IsEmpty());
  EXPECT_THAT(store.leases(kNow), IsEmpty());
  EXPECT_EQ(refusal_of([&] { store.put(says("b3", id[3], "bob", "bow"), kNow); }), Why::lease_lost);
  EXPECT_EQ(refusal_of([&] { store.decide(says("b3", id[3], "bob", "bow")); }), Why::lease_lost);
  EXPECT_THAT(store.lease_next(next_for("cyd", 9)), IsEmpty());
  EXPECT_EQ(store.take_settled("r")->at(3).item.state, "withdrawn");
}

TEST_F(PeopleTest, WithdrawsWhatIsOpen) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 3, 2), kNow);
  store.decide(says("d", id[0], "eve", "bow"));
  store.put(says("a", id[1], "ann", "bow"), kNow);
  store.put(says("b", id[1], "bob", "jump"), kNow);
  ASSERT_EQ(store.lease_next(next_for("ann")).size(), 1u);
  EXPECT_EQ(store.withdraw(std::vector<int64_t>{id[0], id[1]}), 1);
  EXPECT_EQ(store.item(id[0])->state, "settled");
  EXPECT_EQ(store.item(id[1])->state, "withdrawn");
  EXPECT_FALSE(store.item(id[1])->conflict);
  EXPECT_EQ(store.leases(kNow).size(), 1u);
  EXPECT_EQ(store.withdraw("r"), 1);
  EXPECT_EQ(store.withdraw("r"), 0);
  EXPECT_THAT(store.leases(kNow), IsEmpty());
  store.undo("a", "ann", kNow);
  EXPECT_EQ(store.item(id[1])->state, "withdrawn");
  EXPECT_EQ(store.standing("r").withdrawn, 2);
}

TEST_F(PeopleTest, TakesTheAnswersOfAFileRowByRow) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 3), kNow);
  std::vector<PeopleStore::NewAnswer> file = {
      says("1", id[0], "ann", "bow"), says("2", 99, "ann", "bow"),  says("3", id[0], "bob", "bow"),
      says("4", id[1], "ann", ""),    says("1", id[0], "ann", "x"), skips("6", id[2], "bob")};
  for (auto& answer : file) answer.source = "label-studio";
  const auto put = store.put_all(file, kNow);
  ASSERT_EQ(put.size(), 6u);
  EXPECT_EQ(put[0].put->state, "settled");
  EXPECT_EQ(put[1].why, Why::not_found);
  EXPECT_THAT(put[1].message, HasSubstr("no item 99"));
  EXPECT_EQ(put[2].why, Why::lease_lost);
  EXPECT_EQ(put[3].why, Why::invalid);
  EXPECT_EQ(put[4].why, Why::conflict);
  EXPECT_EQ(put[5].put->state, "left_out");
  for (const int64_t i : {1, 2, 3, 4}) EXPECT_FALSE(put[i].put) << i;
  EXPECT_THAT(rows("SELECT uuid, source FROM people_answers ORDER BY id"),
              ElementsAre("1 label-studio", "6 label-studio"));
  const auto again = store.put_all(file, kNow);
  EXPECT_TRUE(again[0].put->repeated);
  EXPECT_TRUE(again[5].put->repeated);
}

TEST_F(PeopleTest, ListsAnswersFromTheNewestAndFromTheOldest) {
  PeopleStore store(url());
  auto items = clips_of("r", 5, 2);
  items[4].study = "another";
  const auto id = store.add_items(items, kNow);
  for (int64_t i = 0; i < 5; ++i) {
    store.put(says(fmt::format("a{}", i), id[i], "ann", "bow"), kNow);
    store.put(says(fmt::format("b{}", i), id[i], "bob", "bow"), kNow);
  }
  store.undo("a3", "ann", kNow);
  const auto mine = store.answers({.person = "ann"}, 99, 2);
  EXPECT_THAT(uuids(mine), ElementsAre("a4", "a2"));
  EXPECT_THAT(uuids(store.answers({.person = "ann"}, mine.back().id, 9)), ElementsAre("a1", "a0"));
  EXPECT_THAT(uuids(store.answers({.person = "ann", .study = "another"}, 99, 9)),
              ElementsAre("a4"));
  EXPECT_THAT(uuids(store.answers({.item = id[3]}, 99, 9)), ElementsAre("b3"));
  EXPECT_THAT(uuids(store.answers({.item = id[3], .undone = true}, 99, 9)),
              ElementsAre("b3", "a3"));
  const auto first = store.answers_after({.study = "study"}, 0, 3);
  EXPECT_THAT(uuids(first), ElementsAre("a0", "b0", "a1"));
  EXPECT_THAT(uuids(store.answers_after({.study = "study"}, first.back().id, 9)),
              ElementsAre("b1", "a2", "b2", "b3"));
}

TEST_F(PeopleTest, AddsUpWhatWasAnswered) {
  PeopleStore store(url());
  auto items = clips_of("r", 6);
  items[1].purpose = "held_out";
  items[4].kind = "ranges";
  items[5].study = "another";
  const auto id = store.add_items(items, kNow);
  const auto put = [&](PeopleStore::NewAnswer answer, double seconds) {
    answer.seconds = seconds;
    answer.unsure = seconds > 3;
    store.put(answer, kNow);
  };
  EXPECT_FALSE(store.median_seconds());
  put(says("0", id[0], "ann", "bow"), 1);
  put(says("1", id[1], "bob", "bow"), 2);
  put(skips("2", id[2], "ann"), 4);
  auto ranges = says("4", id[4], "ann", "");
  ranges.ranges = {{0, 1, "bow"}, {1, 2, "wave"}, {2, 3, "bow"}};
  put(ranges, 10);
  put(says("5", id[5], "cyd", "jump"), 0);  // unknown
  put(says("6", id[3], "bob", "jump"), 100);
  store.undo("6", "bob", kNow);

  std::vector<std::string> progress;
  for (const auto& one : store.progress()) {
    progress.push_back(
        fmt::format("{} {} {} {} {}", one.study, one.purpose, one.open, one.settled, one.left_out));
  }
  EXPECT_THAT(progress,
              ElementsAre("another pool 0 1 0", "study held_out 0 1 0", "study pool 1 2 1"));
  EXPECT_EQ(store.progress("study").size(), 2u);
  std::vector<std::string> classes;
  for (const auto& one : store.class_totals("study")) {
    classes.push_back(fmt::format("{} {} {}", one.class_name, one.answers, one.ranges));
  }
  EXPECT_THAT(classes, ElementsAre("bow 2 2", "wave 0 1"));
  EXPECT_EQ(store.class_totals().size(), 3u);
  std::vector<std::string> people;
  for (const auto& one : store.person_totals()) {
    people.push_back(fmt::format("{} {} {} {} {}", one.person, one.answers, one.skipped, one.unsure,
                                 one.seconds));
  }
  EXPECT_THAT(people, ElementsAre("ann 3 1 2 15", "bob 1 0 0 2", "cyd 1 0 0 0"));
  EXPECT_EQ(store.person_totals("another").size(), 1u);
  EXPECT_EQ(store.median_seconds("study"), 3);
  EXPECT_EQ(store.median_seconds(), 3);
  store.undo("4", "ann", kNow);
  EXPECT_EQ(store.median_seconds("study"), 2);
  EXPECT_FALSE(store.median_seconds("another"));
}

TEST_F(PeopleTest, SaysWhereWhatAndTheCure) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 1), kNow)[0];
  store.put(says("u", id, "ann", "bow"), kNow);
  EXPECT_THAT(error_of([&] { store.put(says("v", id, "ann", "bow"), kNow); }),
              AllOf(HasSubstr(fmt::format("item {}", id)), HasSubstr("ann has answered it already"),
                    HasSubstr("undo that first")));
  store.take_settled("r");
  EXPECT_THAT(error_of([&] { store.undo("u", "ann", kNow); }),
              AllOf(HasSubstr("answer u"), HasSubstr("can no longer be undone")));
}

}  // namespace
}  // namespace distal
