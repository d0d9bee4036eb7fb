// Budgets of people's time: what is handed out, what an answer counts, and when a round is over.

#include <gmock/gmock.h>

#include <cmath>

#include "distal/base/random.h"
#include "distal/store/people_test_helpers.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kBudget = "trial round 1";

// Ten seconds are expected of each, so that an answer counts forty at most.
std::vector<PeopleStore::NewItem> timed_clips(int64_t count, double budget_s, int64_t wanted = 1) {
  auto items = clips_of("r", count, wanted);
  for (auto& item : items) {
    item.expected_s = 10;
    item.budget = kBudget;
    item.budget_s = budget_s;
  }
  return items;
}

PeopleStore::NewAnswer takes(const std::string& uuid, int64_t item, const std::string& person,
                             double seconds) {
  auto answer = says(uuid, item, person, "bow");
  answer.seconds = seconds;
  return answer;
}

double used(PeopleStore& store) { return store.time_spent(kBudget, kNow).value().used; }

std::string state_of(PeopleStore& store, int64_t item) { return store.item(item).value().state; }

TEST_F(PeopleTest, ALeaseKeepsFreeWhatItsAnswerMayCount) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(4, 100), kNow);
  EXPECT_THAT(ids_of(store.lease_next(next_for("ann", 4))), ElementsAre(id[0], id[1]))
      << "40 s each, and 20 s are left";
  EXPECT_THAT(store.lease_next(next_for("bob")), IsEmpty());
  store.put(takes("a", id[0], "ann", 12), kNow);
  EXPECT_EQ(used(store), 12);
  EXPECT_THAT(ids_of(store.lease_next(next_for("bob", 4))), ElementsAre(id[2])) << "of 48 s";
  EXPECT_EQ(refusal_of([&] { store.renew(id[3], "cyd", "page", kNow); }), Why::lease_lost);
  EXPECT_EQ(store.renew(id[2], "bob", "bob's page", kNow), kNow + 2 * kMinute);
}

TEST_F(PeopleTest, WhatTheRestCannotPayIsWithdrawn) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(4, 100), kNow);
  store.put(takes("a", id[0], "ann", 35), kNow);
  store.lease_next(next_for("bob"));
  store.put(takes("b", id[1], "bob", 30), kNow);
  EXPECT_EQ(used(store), 65);
  EXPECT_EQ(state_of(store, id[2]), "withdrawn") << "35 s are left, and 40 s may be needed";
  EXPECT_EQ(state_of(store, id[3]), "withdrawn");
  EXPECT_THAT(store.lease_next(next_for("ann")), IsEmpty());
  EXPECT_EQ(refusal_of([&] { store.put(takes("c", id[2], "ann", 1), kNow); }), Why::lease_lost);
  EXPECT_THAT(store.take_settled("r"), ::testing::Optional(SizeIs(4)));
}

TEST_F(PeopleTest, AnAnswerWithoutALeaseMustFit) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(4, 100), kNow);
  store.lease_next(next_for("ann", 2));
  EXPECT_EQ(refusal_of([&] { store.put(takes("b", id[2], "bob", 25), kNow); }), Why::lease_lost);
  store.put(takes("b", id[2], "bob", 20), kNow);
  EXPECT_EQ(used(store), 20);
  const auto rows = store.put_all({takes("c", id[3], "bob", 5)}, kNow);
  EXPECT_FALSE(rows[0].put);
}

TEST_F(PeopleTest, BreaksDoNotCountAndUnknownSecondsDo) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(4, 200), kNow);
  store.put(takes("a", id[0], "ann", 3600), kNow);
  EXPECT_EQ(used(store), 40);
  store.put(takes("b", id[1], "ann", 0), kNow);
  EXPECT_EQ(used(store), 50);
  store.undo("b", "ann", kNow);
  EXPECT_EQ(used(store), 50) << "the time is gone";
  store.put(takes("c", id[1], "ann", 7), kNow);
  EXPECT_EQ(used(store), 57);
  const auto times =
      store.clip_times({"r.0@0-2500", "none", "r.1@0-2500", "r.3@0-2500"}, "study", "v");
  EXPECT_EQ(times[0].taken, 40);
  EXPECT_FALSE(times[1].asked);
  EXPECT_EQ(times[2].taken, 17);
  EXPECT_EQ(times[3].taken, 0);
  EXPECT_EQ(times[3].most, 40);
  EXPECT_THAT(store.timed_answers("study", 10), SizeIs(2)) << "undone, and unknown, say nothing";
}

TEST_F(PeopleTest, ABudgetBelowTheMostOfAnAnswerPaysOne) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(2, 25), kNow);
  EXPECT_THAT(ids_of(store.lease_next(next_for("ann", 2))), ElementsAre(id[0]));
  store.put(takes("a", id[0], "ann", 60), kNow);
  EXPECT_EQ(used(store), 25);
  EXPECT_EQ(state_of(store, id[1]), "withdrawn");
}

TEST_F(PeopleTest, ALeaseThatEndedPaysForAnother) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(2, 60), kNow);
  store.lease_next(next_for("ann"));
  EXPECT_EQ(store.withdraw_spent(kNow), 0);
  EXPECT_THAT(store.lease_next(next_for("bob")), IsEmpty());
  EXPECT_THAT(ids_of(store.lease_next(next_for("bob", 1, kNow + 3 * kMinute))), ElementsAre(id[0]));
  auto answer = takes("b", id[0], "bob", 30);
  store.put(answer, kNow + 3 * kMinute);
  EXPECT_EQ(state_of(store, id[1]), "withdrawn");
}

TEST_F(PeopleTest, WhoWaitsWithdrawsWhatALeaseHeldOpen) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(3, 70), kNow);
  store.lease_next(next_for("ann"));
  store.put(takes("b", id[1], "bob", 30), kNow);
  EXPECT_EQ(store.withdraw_spent(kNow), 0) << "ann may still answer";
  EXPECT_EQ(store.withdraw_spent(kNow + 3 * kMinute), 0) << "40 s are left for somebody";
  store.put(takes("c", id[2], "bob", 5), kNow + 3 * kMinute);
  EXPECT_EQ(state_of(store, id[0]), "withdrawn");
}

TEST_F(PeopleTest, ConflictsWaitForTheAdjudicatorWhoseTimeIsNotCounted) {
  PeopleStore store(url());
  const auto id = store.add_items(timed_clips(2, 60, 2), kNow);
  store.put(takes("a", id[0], "ann", 15), kNow);
  auto other = says("b", id[0], "bob", "arrow");
  other.seconds = 20;
  store.put(other, kNow);
  EXPECT_EQ(state_of(store, id[0]), "open");
  EXPECT_EQ(state_of(store, id[1]), "withdrawn");
  store.decide(takes("c", id[0], "eve", 30));
  EXPECT_EQ(state_of(store, id[0]), "settled");
  EXPECT_EQ(used(store), 35);
}

// People come and go, break off, answer late, undo: every second is one of the simulation.
class Simulated {
 public:
  Simulated(PeopleStore& store, uint64_t seed) : store_(store), random_(seed) {}

  void second(int64_t now_ms) {
    const std::string person = fmt::format("p{}", random_.below(4));
    const double dice = random_.uniform();
    if (dice < 0.4) {
      for (const auto& leased : store_.lease_next(next_for(person, 1 + random_.below(3), now_ms)))
        held_.emplace_back(person, leased.item.id);
    } else if (dice < 0.9 && !held_.empty()) {
      answer(now_ms);
    } else if (!last_.empty()) {
      refusal_of([&] { store_.undo(last_, "", now_ms); });
    }
  }

 private:
  void answer(int64_t now_ms) {
    const auto at = held_.begin() + random_.below(std::ssize(held_));
    const auto [who, item] = *at;
    held_.erase(at);
    if (random_.uniform() < 0.1) return;  // walks away: the lease ends by itself
    last_ = fmt::format("u{}", ++uuids_);
    const double seconds = 10 * std::exp(random_.normal());
    const auto put = [&] { store_.put(takes(last_, item, who, seconds), now_ms); };
    refusal_of(put);
  }

  PeopleStore& store_;
  Random random_;
  std::vector<std::pair<std::string, int64_t>> held_;
  std::string last_;
  int64_t uuids_ = 0;
};

TEST_F(PeopleTest, NoBudgetIsExceededWhateverPeopleDo) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path() + end);
    PeopleStore store(url());
    store.add_items(timed_clips(60, 300, 1 + static_cast<int64_t>(seed % 3)), kNow);
    Simulated people(store, seed);
    int64_t now = kNow;
    for (int step = 0; step < 400; ++step) {
      people.second(now += 5000);
      const auto spent = store.time_spent(kBudget, now).value();
      ASSERT_LE(spent.used + spent.leased, 300 + 1e-6) << step;
    }
    store.withdraw_spent(now + 3 * kMinute);
    EXPECT_GT(store.time_spent(kBudget, now).value().used, 200);
    EXPECT_EQ(store.count_items({.state = "open", .conflict = false}), 0);
  }
}

TEST_F(PeopleTest, ARepeatWaitsForOtherAnswersOfItsPerson) {
  PeopleStore store(url());
  const auto id = store.add_items(clips_of("r", 4), kNow);
  store.put(says("a", id[0], "ann", "bow"), kNow);
  auto repeat = clips_of("r", 1).front();
  repeat.request = "repeat";
  repeat.purpose = "repeat";
  repeat.for_person = "ann";
  repeat.after_answers = 3;
  repeat.position = -1;
  const int64_t again = store.add_items({repeat}, kNow).front();
  EXPECT_THAT(ids_of(store.lease_next(next_for("ann"))), ElementsAre(id[1]));
  store.put(says("b", id[1], "ann", "bow"), kNow);
  store.put(says("c", id[2], "bob", "bow"), kNow);
  EXPECT_THAT(ids_of(store.lease_next(next_for("ann"))), ElementsAre(id[3]));
  store.put(says("d", id[3], "ann", "bow"), kNow);
  EXPECT_THAT(store.lease_next(next_for("bob")), IsEmpty());
  EXPECT_THAT(ids_of(store.lease_next(next_for("ann"))), ElementsAre(again));
}

TEST_F(PeopleTest, OpenRepeatsCountInTheRoundThatIsAsked) {
  PeopleStore store(url());
  auto repeat = clips_of("repeat", 1).front();
  repeat.purpose = "repeat";
  repeat.for_person = "ann";
  repeat.expected_s = 10;
  const int64_t again = store.add_items({repeat}, kNow).front();
  store.move_repeats("study", kBudget);
  EXPECT_EQ(store.item(again)->budget, "") << "there is none of the name";
  store.add_items(timed_clips(2, 100), kNow);
  store.move_repeats("study", kBudget);
  store.put(takes("a", again, "ann", 8), kNow);
  EXPECT_EQ(used(store), 8);
}

TEST_F(PeopleTest, AsManyAnswersAsAreWantedSettleWhereTheOracleMakesOneOfThem) {
  PeopleStore store(url());
  auto items = clips_of("r", 3, 3);
  for (auto& item : items) item.agree = "majority";
  const auto id = store.add_items(items, kNow);
  const auto answer = [&](int64_t item, const std::string& person, const std::string& name) {
    const std::string uuid = fmt::format("{} {}", item, person);
    return store.put(name.empty() ? skips(uuid, item, person) : says(uuid, item, person, name),
                     kNow);
  };
  answer(id[0], "ann", "bow");
  EXPECT_EQ(answer(id[0], "bob", "arrow").state, "open");
  EXPECT_EQ(answer(id[0], "cyd", "bow").state, "settled");
  EXPECT_EQ(store.item(id[0])->class_name, "bow");
  EXPECT_FALSE(store.item(id[0])->conflict);
  for (const auto& [person, name] : std::vector<std::pair<std::string, std::string>>{
           {"ann", "bow"}, {"bob", "arrow"}, {"cyd", ""}})
    answer(id[1], person, name);
  EXPECT_EQ(store.item(id[1])->state, "settled");
  EXPECT_EQ(store.item(id[1])->class_name, "") << "a tie";
  store.decide(says("word", id[1], "eve", "arrow"));
  EXPECT_EQ(store.item(id[1])->class_name, "arrow");
  for (const char* person : {"ann", "bob", "cyd"}) answer(id[2], person, "");
  EXPECT_EQ(store.item(id[2])->state, "left_out");
  items[0].request = "other";
  items[0].agree = "some";
  EXPECT_EQ(refusal_of([&] { store.add_items(items, kNow); }), Why::invalid);
}

}  // namespace
}  // namespace distal
