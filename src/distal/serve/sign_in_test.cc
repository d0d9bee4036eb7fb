#include "distal/serve/sign_in.h"

#include <thread>

#include <gmock/gmock.h>

#include "distal/base/testing.h"
#include "distal/serve/refusal.h"
#include "distal/serve/secrets.h"

namespace distal::serve {
namespace {

constexpr const char* kGood = "correct horse";

class SignInTest : public ::testing::Test {
 protected:
  SignInTest() {
    people_.borrow()->add_user({"ann", "annotator", hash_password(kGood), ""}, now_ms_);
  }

  /// The status of a refusal, 0: it was let in.
  int status_of(const std::string& user, const std::string& password,
                const std::string& address = "10.0.0.1") {
    try {
      sign_in_.log_in(user, password, address, "");
    } catch (const Refusal& refusal) {
      wait_s_ = refusal.retry_after_s;
      return refusal.status;
    }
    return 0;
  }

  TemporaryFolder folder_;
  int64_t now_ms_ = 1'760'000'000'000;
  int64_t wait_s_ = 0;
  Pool<PeopleStore> people_{
      [this] { return std::make_unique<PeopleStore>("sqlite:" + (folder_ / "a.db")); }};
  SignIn sign_in_{people_, [this] { return now_ms_; }};
};

TEST(Secrets, AreNotGuessedAndNotKept) {
  EXPECT_NE(new_token(), new_token());
  EXPECT_EQ(new_token().size(), 43);
  EXPECT_EQ(token_hash("a").size(), 64);
  // BLAKE2b-256 of "abc".
  EXPECT_EQ(token_hash("abc"), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  const std::string hash = hash_password(kGood);
  EXPECT_TRUE(hash.starts_with("$argon2id$")) << hash;
  EXPECT_TRUE(is_password(hash, kGood));
  EXPECT_FALSE(is_password(hash, "wrong"));
  EXPECT_FALSE(is_password("", ""));
  EXPECT_TRUE(is_same_secret("abc", "abc"));
  EXPECT_FALSE(is_same_secret("abc", "abd"));
  EXPECT_FALSE(is_same_secret("abc", ""));
}

TEST(Places, OfPasswordsAreFewAndSoAreThoseWhoWait) {
  const std::string hash = hash_password(kGood);
  Places& places = hashing_places();
  for (int64_t i = 0; i < kHashedAtOnce; ++i) places.enter();
  std::vector<std::thread> crowd;
  for (int64_t i = 0; i < kMostToHash; ++i) {
    crowd.emplace_back([&] {
      places.enter();
      places.leave();
    });
  }
  while (places.waiting() < kMostToHash) std::this_thread::yield();
  EXPECT_THROW(hash_password(kGood), Refusal);
  EXPECT_THROW(is_password(hash, kGood), Refusal);
  EXPECT_EQ(places.waiting(), kMostToHash);
  for (int64_t i = 0; i < kHashedAtOnce; ++i) places.leave();
  for (std::thread& one : crowd) one.join();
  EXPECT_TRUE(is_password(hash, kGood)) << "the crowd is gone";
}

TEST(Attempts, WaitLongerEachTime) {
  Attempts attempts(3, 60);
  std::vector<int64_t> waits;
  for (int i = 0; i < 12; ++i) {
    attempts.failed("ann", 0);
    waits.push_back(attempts.wait_s("ann", 0));
  }
  EXPECT_THAT(waits, ::testing::ElementsAre(0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60));
  EXPECT_EQ(attempts.wait_s("ann", 59'001), 1);
  EXPECT_EQ(attempts.wait_s("ann", 60'000), 0);
  EXPECT_EQ(attempts.wait_s("bob", 0), 0);
  attempts.succeeded("ann");
  EXPECT_EQ(attempts.wait_s("ann", 0), 0);
  for (int i = 0; i < 3; ++i) attempts.failed("ann", 0);
  attempts.failed("bob", 3'600'001);
  EXPECT_EQ(attempts.wait_s("ann", 0), 0) << "an hour without a failure forgets them";
}

TEST_F(SignInTest, LogsInByThePasswordAlone) {
  EXPECT_EQ(status_of("ann", kGood), 0);
  EXPECT_EQ(status_of("ann", "wrong"), 401);
  EXPECT_EQ(status_of("nobody", kGood), 401);
  people_.borrow()->change_user("ann", {.disabled = true});
  EXPECT_EQ(status_of("ann", kGood), 401);
}

TEST_F(SignInTest, GivesANewSessionAndEndsTheOldOne) {
  const auto first = sign_in_.log_in("ann", kGood, "10.0.0.1", "a token that was fixed before");
  EXPECT_NE(first.token, "a token that was fixed before");
  EXPECT_FALSE(sign_in_.caller_of("a token that was fixed before"));
  const auto second = sign_in_.log_in("ann", kGood, "10.0.0.1", first.token);
  EXPECT_FALSE(sign_in_.caller_of(first.token));
  ASSERT_TRUE(sign_in_.caller_of(second.token));
  EXPECT_EQ(sign_in_.caller_of(second.token)->name, "ann");
  EXPECT_NE(first.caller.csrf, second.caller.csrf);
  sign_in_.log_out(second.token);
  EXPECT_FALSE(sign_in_.caller_of(second.token));
}

TEST_F(SignInTest, KeepsNoTokenInTheStore) {
  const auto opened = sign_in_.log_in("ann", kGood, "10.0.0.1", "");
  EXPECT_EQ(opened.caller.session, token_hash(opened.token));
  EXPECT_FALSE(people_.borrow()->session(opened.token, now_ms_));
  EXPECT_TRUE(people_.borrow()->session(token_hash(opened.token), now_ms_));
}

TEST_F(SignInTest, WhoGuessesMustWait) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(status_of("ann", "guess"), 401);
  EXPECT_EQ(status_of("ann", kGood), 429) << "the right one is not told apart";
  EXPECT_EQ(wait_s_, 1);
  EXPECT_EQ(status_of("ann", kGood, "10.0.0.2"), 429) << "from another address too";
  now_ms_ += 1000;
  EXPECT_EQ(status_of("ann", kGood), 0);
  EXPECT_EQ(status_of("ann", "guess"), 401) << "a success forgets";
}

TEST_F(SignInTest, AnAddressThatGuessesNamesMustWait) {
  for (int i = 0; i < 20; ++i) status_of(fmt::format("name {}", i), "guess");
  EXPECT_EQ(status_of("ann", kGood), 429);
  EXPECT_EQ(status_of("ann", kGood, "10.0.0.2"), 0);
}

TEST_F(SignInTest, ALinkLogsInOnce) {
  const std::string link = sign_in_.owner_link();
  const auto opened = sign_in_.log_in_by_link(link, "10.0.0.1", "");
  EXPECT_EQ(opened.caller.role, "owner");
  EXPECT_THROW(sign_in_.log_in_by_link(link, "10.0.0.1", ""), Refusal);
  const std::string old = sign_in_.owner_link();
  now_ms_ += 25LL * 3600 * 1000;
  EXPECT_THROW(sign_in_.log_in_by_link(old, "10.0.0.1", ""), Refusal);
  EXPECT_FALSE(sign_in_.has_owner()) << "nobody could log in by a password";
  sign_in_.add_user("olga", "owner", "a good password");
  EXPECT_TRUE(sign_in_.has_owner());
}

TEST_F(SignInTest, NamesHaveLettersDigitsAndSomeSigns) {
  EXPECT_EQ(sign_in_.add_user("a.b_c-d@e", "annotator", "12345678").name, "a.b_c-d@e");
  for (const char* name : {"", "a b", "<script>", "a/b", "é"})
    EXPECT_THROW(sign_in_.add_user(name, "annotator", "12345678"), Refusal) << name;
}

}  // namespace
}  // namespace distal::serve
