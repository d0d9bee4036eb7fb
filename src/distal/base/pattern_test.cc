#include "distal/base/pattern.h"

#include <gmock/gmock.h>

#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& expression) {
  return error_of<UsageError>([&] { Pattern(expression, "--group"); });
}

TEST(PatternTest, FindsMatchesCapturesAndReplaces) {
  const Pattern pattern("p([0-9]+)(_x)?", "t");
  EXPECT_TRUE(pattern.found_in("a p12 b"));
  EXPECT_FALSE(pattern.matches_all("a p12 b"));
  EXPECT_TRUE(pattern.matches_all("p12_x"));
  EXPECT_THAT(*pattern.find("a p12 b"), ElementsAre("p12", "12", ""));
  EXPECT_THAT(*pattern.match("p1_x"), ElementsAre("p1_x", "1", "_x"));
  EXPECT_FALSE(pattern.match("a p12"));
  EXPECT_EQ(pattern.replaced("p1 and p2", "q$1$$\\$&$7"), "q1$\\p1 and q2$\\p2");
  EXPECT_EQ(Pattern("^encoder\\.", "t").replaced("encoder.encoder.weight", ""), "encoder.weight");
}

TEST(PatternTest, WorksOnBytes) {
  EXPECT_THAT(*Pattern("^(...)\\.", "t").find("\xE9t\xE9.mp4"),
              ElementsAre("\xE9t\xE9.", "\xE9t\xE9"));
  EXPECT_TRUE(Pattern("\xC3\xA9", "t").found_in("caf\xC3\xA9"));
}

TEST(PatternTest, NoExpressionTakesForEver) {
  // A matcher that backtracks tries 2^50'000 ways.
  const std::string text = std::string(50'000, 'a') + "!";
  for (const char* expression :
       {"^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(.*)*x$", "(x+x+)+y", "([a-zA-Z]+)*$z"})
    EXPECT_FALSE(Pattern(expression, "t").found_in(text)) << expression;
}

TEST(PatternTest, RefusesInItsOwnWords) {
  EXPECT_THAT(refusal("(g"), StartsWith("--group: '(g' is not a regular expression: a bracket ( or "
                                        ") has no partner; write one such as"));
  EXPECT_THAT(refusal("[g"), HasSubstr("a bracket [ is not closed"));
  EXPECT_THAT(refusal("*g"), HasSubstr("nothing before it to repeat"));
  EXPECT_THAT(refusal("a{2000}"), HasSubstr("repeats too often"));
  EXPECT_THAT(refusal("(a)\\1"), HasSubstr("back-references do not exist here"));
  EXPECT_THAT(refusal("a(?=b)"), HasSubstr("look ahead or back"));
  EXPECT_THAT(refusal("((((a{100}){100}){100}){100})"), HasSubstr("is not a regular expression"));
  EXPECT_THAT(refusal(std::string(20'000, 'a')),
              HasSubstr("20000 characters, at most 10000 are read"));
  EXPECT_THAT(refusal("g\x1b[31m("), HasSubstr("'g.[31m('"));
}

}  // namespace
}  // namespace distal
