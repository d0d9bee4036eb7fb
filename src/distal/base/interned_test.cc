#include "distal/base/interned.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace distal {
namespace {

TEST(Interned, IsTheStringAndIsKeptOnce) {
  const std::string text = "a name that is longer than what fits into a string itself";
  const Interned first = text;
  const Interned second = std::string_view(text);
  const Interned other = "other";
  EXPECT_EQ(&first.str(), &second.str());
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
  EXPECT_EQ(first, text);
  EXPECT_EQ(text, first);
  EXPECT_EQ(other, "other");
  EXPECT_EQ(fmt::format("{:>7}", other), "  other");
  EXPECT_EQ(sizeof(Interned), sizeof(void*));
}

TEST(Interned, EmptyIsTheDefault) {
  EXPECT_TRUE(Interned().empty());
  EXPECT_EQ(Interned(), Interned(""));
  EXPECT_FALSE(Interned("x").empty());
}

TEST(Interned, ThreadsThatNameTheSameGetTheSame) {
  std::vector<std::vector<Interned>> names(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : names)
      threads.emplace_back([&mine] {
        for (int i = 0; i < 1000; ++i) mine.emplace_back("name " + std::to_string(i));
      });
  }
  for (const auto& mine : names) EXPECT_EQ(mine, names.front());
}

}  // namespace
}  // namespace distal
