#include <gmock/gmock.h>

#include "distal/store/people_test_helpers.h"

namespace distal {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> lines_of(const std::vector<PeopleStore::Compared::Said>& said) {
  std::vector<std::string> lines;
  for (const auto& one : said)
    lines.push_back(fmt::format("{} {} {} {}", one.item, one.clip, one.person, one.class_name));
  return lines;
}

std::vector<std::string> lines_of(const std::vector<PeopleStore::Compared::Count>& counts) {
  std::vector<std::string> lines;
  for (const auto& one : counts)
    lines.push_back(fmt::format("{} {} {}", one.person, one.class_name, one.answers));
  return lines;
}

TEST_F(PeopleTest, ComparesWhatSeveralPeopleSaidAndOnePersonTwice) {
  PeopleStore store(url());
  const auto two = store.add_items(clips_of("two", 3, 2), kNow);
  const auto one = store.add_items(clips_of("one", 3), kNow);
  auto again = clips_of("one", 1);
  again[0].request = "again";
  const auto repeat = store.add_items(again, kNow);
  auto other = clips_of("other", 1, 2);
  other[0].study = "another study";
  const auto elsewhere = store.add_items(other, kNow);

  store.put(says("a", two[0], "ann", "cut"), kNow);
  store.put(says("b", two[0], "bob", "sew"), kNow);
  store.put(says("c", two[1], "ann", "cut"), kNow);  // bob has not said anything yet
  store.put(says("d", two[2], "ann", "sew"), kNow);
  store.put(skips("e", two[2], "bob"), kNow);
  store.put(says("f", one[0], "ann", "cut"), kNow);
  store.put(says("g", repeat[0], "ann", "sew"), kNow);
  store.put(says("h", one[1], "bob", "cut"), kNow);
  store.put(says("i", one[2], "bob", "cut"), kNow);
  store.undo("i", "bob", kNow);
  store.decide(says("j", two[0], "olga", "cut"));
  store.put(says("k", elsewhere[0], "ann", "cut"), kNow);
  store.put(says("l", elsewhere[0], "bob", "cut"), kNow);

  const auto compared = store.compared("study");
  EXPECT_THAT(lines_of(compared.shared), ElementsAre("1  ann cut", "1  bob sew", "3  ann sew"));
  EXPECT_THAT(lines_of(compared.again),
              ElementsAre("4 one.0@0-2500 ann cut", "7 one.0@0-2500 ann sew"));
  EXPECT_THAT(lines_of(compared.counts),
              ElementsAre("ann cut 3", "bob cut 1", "ann sew 2", "bob sew 1"));
  EXPECT_EQ(store.compared().shared.size(), 5u);
  EXPECT_EQ(store.compared("nothing").shared.size(), 0u);
}

}  // namespace
}  // namespace distal
