// Users, sessions and links.

#include <gmock/gmock.h>

#include "distal/store/people_test_helpers.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr SessionTimes kTimes{10 * kMinute, 30 * kMinute, kMinute};

PeopleStore::User user_named(const std::string& name, const std::string& role = "annotator") {
  return {name, role, "$argon2id$" + name};
}

TEST_F(PeopleTest, KeepsUsers) {
  PeopleStore store(url());
  EXPECT_THAT(store.users(), IsEmpty());
  store.add_user(user_named("bob", "owner"), kNow);
  store.add_user(user_named("ann ü"), kNow);
  EXPECT_EQ(refusal_of([&] { store.add_user(user_named("bob"), kNow); }), Why::conflict);
  EXPECT_EQ(refusal_of([&] { store.add_user(user_named("cyd", "root"), kNow); }), Why::invalid);
  EXPECT_EQ(refusal_of([&] { store.add_user(user_named(""), kNow); }), Why::invalid);
  const auto users = store.users();
  ASSERT_EQ(users.size(), 2u);
  EXPECT_EQ(users[0].name, "ann ü");
  EXPECT_EQ(users[1].role, "owner");
  EXPECT_EQ(users[1].password, "$argon2id$bob");
  EXPECT_EQ(users[1].created, "2025-10-09T08:53:20.000Z");
  EXPECT_FALSE(users[1].disabled);
  store.change_user("ann ü", {.role = "adjudicator"});
  store.change_user("ann ü", {.password = "other"});
  store.change_user("ann ü", {.disabled = true});
  const auto ann = store.user("ann ü");
  ASSERT_TRUE(ann);
  EXPECT_EQ(ann->role, "adjudicator");
  EXPECT_EQ(ann->password, "other");
  EXPECT_TRUE(ann->disabled);
  EXPECT_FALSE(store.user("none"));
  EXPECT_EQ(refusal_of([&] { store.change_user("none", {}); }), Why::not_found);
  EXPECT_EQ(refusal_of([&] { store.change_user("bob", {.role = "root"}); }), Why::invalid);
}

TEST_F(PeopleTest, KeepsAnOwner) {
  PeopleStore store(url());
  store.add_user(user_named("ann", "owner"), kNow);
  store.add_user(user_named("bob", "owner"), kNow);
  store.change_user("bob", {.disabled = true});
  EXPECT_EQ(refusal_of([&] { store.change_user("ann", {.disabled = true}); }), Why::conflict);
  EXPECT_EQ(refusal_of([&] { store.change_user("ann", {.role = "annotator"}); }), Why::conflict);
  EXPECT_EQ(store.user("ann")->role, "owner");
  store.change_user("bob", {.disabled = false});
  store.change_user("ann", {.role = "annotator"});
  EXPECT_EQ(store.user("ann")->role, "annotator");
}

TEST_F(PeopleTest, ASessionEndsWhenItIsNotUsed) {
  PeopleStore store(url());
  store.add_user(user_named("ann", "adjudicator"), kNow);
  store.open_session("hash", "ann", "csrf", kNow, kTimes);
  const auto session = store.session("hash", kNow + 1, kTimes);
  ASSERT_TRUE(session);
  EXPECT_EQ(session->person, "ann");
  EXPECT_EQ(session->role, "adjudicator");
  EXPECT_EQ(session->csrf, "csrf");
  EXPECT_EQ(session->created_ms, kNow);
  EXPECT_EQ(session->expires_ms, kNow + 10 * kMinute) << "too soon to move its end";
  EXPECT_EQ(store.session("hash", kNow + 9 * kMinute, kTimes)->expires_ms, kNow + 19 * kMinute);
  EXPECT_TRUE(store.session("hash", kNow + 18 * kMinute, kTimes));
  EXPECT_EQ(store.session("hash", kNow + 25 * kMinute, kTimes)->expires_ms, kNow + 30 * kMinute)
      << "not for longer than a session may last";
  EXPECT_FALSE(store.session("hash", kNow + 30 * kMinute, kTimes));
  store.open_session("hash2", "ann", "csrf", kNow + 30 * kMinute, kTimes);
  EXPECT_THAT(rows("SELECT token_hash FROM sessions"), ElementsAre("hash2"));
  store.end_session("hash2");
  store.end_session("hash2");
  EXPECT_FALSE(store.session("hash2", kNow + 30 * kMinute, kTimes));
  EXPECT_EQ(refusal_of([&] { store.open_session("h", "none", "c", kNow); }), Why::not_found);
}

TEST_F(PeopleTest, ATokenIsOfOneSession) {
  PeopleStore store(url());
  store.add_user(user_named("ann"), kNow);
  store.add_user(user_named("bob"), kNow);
  store.open_session("hash", "ann", "csrf", kNow);
  EXPECT_EQ(refusal_of([&] { store.open_session("hash", "bob", "c", kNow); }), Why::conflict);
  EXPECT_EQ(store.session("hash", kNow)->person, "ann");
}

TEST_F(PeopleTest, AChangedUserLogsInAnew) {
  PeopleStore store(url());
  store.add_user(user_named("ann"), kNow);
  store.add_user(user_named("bob", "owner"), kNow);
  for (const PeopleStore::UserChange& change : std::vector<PeopleStore::UserChange>{
           {.role = "owner"}, {.password = "new"}, {.disabled = true}}) {
    store.open_session("hash", "ann", "csrf", kNow);
    store.open_session("bob's", "bob", "csrf", kNow);
    store.change_user("ann", {});
    EXPECT_TRUE(store.session("hash", kNow));
    store.change_user("ann", change);
    EXPECT_FALSE(store.session("hash", kNow));
    EXPECT_TRUE(store.session("bob's", kNow));
    store.end_session("bob's");
  }
  EXPECT_EQ(refusal_of([&] { store.open_session("hash", "ann", "c", kNow); }), Why::not_found);
}

TEST_F(PeopleTest, ALinkStartsOneSession) {
  PeopleStore store(url());
  store.add_link({"link", "ann", "owner", kNow + kMinute});
  EXPECT_EQ(refusal_of([&] { store.add_link({"link", "bob", "owner", kNow}); }), Why::conflict);
  EXPECT_EQ(refusal_of([&] { store.add_link({"l", "bob", "root", kNow}); }), Why::invalid);
  const auto session = store.use_link("link", "hash", "csrf", kNow, kTimes);
  EXPECT_EQ(session.person, "ann");
  EXPECT_EQ(session.role, "owner");
  EXPECT_EQ(session.expires_ms, kNow + 10 * kMinute);
  EXPECT_EQ(store.user("ann")->password, "");
  EXPECT_TRUE(store.session("hash", kNow));
  EXPECT_EQ(refusal_of([&] { store.use_link("link", "h2", "c", kNow); }), Why::used);
  EXPECT_EQ(refusal_of([&] { store.use_link("none", "h2", "c", kNow); }), Why::not_found);
  store.add_link({"old", "ann", "owner", kNow});
  EXPECT_EQ(refusal_of([&] { store.use_link("old", "h2", "c", kNow); }), Why::expired);
}

TEST_F(PeopleTest, ALinkIsNotUsedUpByALoginThatFailed) {
  PeopleStore store(url());
  store.add_user(user_named("ann"), kNow);
  store.add_link({"link", "ann", "annotator", kNow + kMinute});
  store.open_session("taken", "ann", "csrf", kNow);
  EXPECT_EQ(refusal_of([&] { store.use_link("link", "taken", "c", kNow); }), Why::conflict);
  EXPECT_EQ(store.use_link("link", "free", "c", kNow).role, "annotator");
  store.add_link({"second", "ann", "annotator", kNow + kMinute});
  store.change_user("ann", {.disabled = true});
  EXPECT_EQ(refusal_of([&] { store.use_link("second", "h", "c", kNow); }), Why::not_found);
}

TEST_F(PeopleTest, OneOfFourProcessesUsesALink) {
  PeopleStore(url()).add_link({"link", "ann", "owner", kNow + kMinute});
  std::vector<pid_t> children;
  for (int who = 0; who < 4; ++who) {
    children.push_back(child([&] {
      PeopleStore store(url());
      const auto use = [&] { store.use_link("link", fmt::format("hash{}", who), "c", kNow); };
      return refusal_of(use) == Why::used ? 1 : 0;
    }));
  }
  int refused = 0;
  for (const pid_t pid : children) refused += wait_for(pid);
  EXPECT_EQ(refused, 3);
  EXPECT_THAT(rows("SELECT COUNT(*) FROM sessions"), ElementsAre("1"));
}

}  // namespace
}  // namespace distal
