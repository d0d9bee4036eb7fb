#include "distal/base/options.h"

#include <gmock/gmock.h>

namespace distal {
namespace {

struct Inner {
  std::vector<double> shares = {1, 0.5};
  std::optional<int64_t> most;
  void visit(OptionVisitor& v) const {
    v("shares", shares, "shares of the whole", between(0, 1));
    v("most", most, "how many at most");
  }
  bool operator==(const Inner&) const = default;
};

struct Outer {
  bool on = true;
  int64_t count = 3;
  std::string rule = "even";
  std::string title;
  Inner always;
  std::optional<Inner> absent;
  void visit(OptionVisitor& v) const {
    v("on", on, "whether it is on");
    v("count", count, "how many", at_least(1));
    v("rule", rule, "which rule", one_of({"even", "dense"}));
    v("title", title, "any text");
    v("always", always, "a section");
    v("absent", absent, "a section that is not there");
  }
  bool operator==(const Outer&) const = default;
};

std::vector<OptionRow> rows_of_outer() {
  Outer outer;
  return option_rows([&](OptionVisitor& v) { outer.visit(v); });
}

TEST(OptionRows, StandInTheOrderOfTheirDeclarationUnderDottedNames) {
  std::vector<std::string> keys;
  for (const OptionRow& row : rows_of_outer()) keys.push_back(row.key);
  EXPECT_THAT(keys, testing::ElementsAre("on", "count", "rule", "title", "always", "always.shares",
                                         "always.most", "absent", "absent.shares", "absent.most"));
}

TEST(OptionRows, SayTypeDefaultAndWhatIsAllowed) {
  const auto rows = rows_of_outer();
  EXPECT_EQ(rows[0].type, "true or false");
  EXPECT_EQ(rows[0].value, "true");
  EXPECT_EQ(rows[1].type, "whole number");
  EXPECT_EQ(rows[1].value, "3");
  EXPECT_EQ(rows[1].range.low, 1);
  EXPECT_EQ(rows[1].range.high, kMostNumber);
  EXPECT_EQ(rows[2].type, "text");
  EXPECT_THAT(rows[2].words, testing::ElementsAre("even", "dense"));
  EXPECT_EQ(rows[3].value, "");
  EXPECT_TRUE(rows[3].words.empty());
  EXPECT_EQ(rows[5].type, "list of numbers");
  EXPECT_EQ(rows[5].value, "[1, 0.5]");
  EXPECT_EQ(rows[6].type, "whole number or none");
  EXPECT_EQ(rows[6].value, "none");
}

TEST(OptionRows, ASectionSaysWhetherItIsThereByDefault) {
  const auto rows = rows_of_outer();
  EXPECT_FALSE(rows[0].section);
  EXPECT_TRUE(rows[4].section);
  EXPECT_TRUE(rows[4].present);
  EXPECT_EQ(rows[4].help, "a section");
  EXPECT_TRUE(rows[7].section);
  EXPECT_FALSE(rows[7].present);
}

TEST(OptionRows, HelpPrintsOneLineEach) {
  EXPECT_EQ(help_text(rows_of_outer()),
            "  on                                 true           whether it is on\n"
            "  count                              3              how many [>= 1]\n"
            "  rule                               even           which rule [even|dense]\n"
            "  title                                             any text\n"
            "  always                                            a section\n"
            "  always.shares                      [1, 0.5]       shares of the whole [0..1]\n"
            "  always.most                        none           how many at most\n"
            "  absent                                            a section that is not there\n"
            "  absent.shares                      [1, 0.5]       shares of the whole [0..1]\n"
            "  absent.most                        none           how many at most\n");
}

}  // namespace
}  // namespace distal
