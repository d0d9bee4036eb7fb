#include <cmath>

#include <gmock/gmock.h>

#include "distal/base/document.h"
#include "distal/base/hash.h"
#include "distal/base/nouns.h"
#include "distal/base/options.h"
#include "distal/base/random.h"
#include "distal/base/testing.h"

namespace distal {
namespace {

using ::testing::HasSubstr;

struct Inner {
  double rate = 0.5;
  void visit(OptionVisitor& v) const { v("rate", rate, "a rate", between(0, 1)); }
  bool operator==(const Inner&) const = default;
};
struct Outer {
  int64_t epochs = 3;
  std::string mode = "fast";
  std::vector<int64_t> sizes = {1, 2};
  Inner inner;
  std::optional<Inner> maybe;
  void visit(OptionVisitor& v) const {
    v("epochs", epochs, "passes", at_least(1));
    v("mode", mode, "how", one_of({"fast", "slow"}));
    v("sizes", sizes, "sizes");
    v("inner", inner, "a section");
    v("maybe", maybe, "a section that may be absent");
  }
  bool operator==(const Outer&) const = default;
};

std::string refusal(const std::string& yaml, const std::vector<Override>& overrides = {}) {
  Outer outer;
  return error_of<UsageError>([&] { Document::text(yaml, "r.yaml").with(overrides).read(outer); });
}

TEST(Options, RefuseAKeyThatStandsTwice) {
  EXPECT_THAT(refusal("epochs: 3\ninner:\n  rate: 0.1\n  rate: 0.2\n"),
              HasSubstr("r.yaml:4:3: 'rate' stands here for the second time, the first is in line "
                        "3, column 3; keep one"));
}

TEST(Options, ReadsNestedSectionsAndKeepsDefaults) {
  Outer outer;
  Document::text("epochs: 7\ninner: {rate: 0.25}\nmaybe:\n  rate: 1\n", "r.yaml").read(outer);
  EXPECT_EQ(outer.epochs, 7);
  EXPECT_EQ(outer.mode, "fast");
  EXPECT_DOUBLE_EQ(outer.inner.rate, 0.25);
  EXPECT_DOUBLE_EQ(outer.maybe->rate, 1);
}

TEST(Options, RefusalsNameLineColumnAndCure) {
  EXPECT_EQ(refusal("epochs: 0\n"), "r.yaml:1:9: epochs = 0 lies outside [1, 1000000000]");
  EXPECT_THAT(refusal("mode: fats\n"),
              HasSubstr("r.yaml:1:7: mode = 'fats' is not one of: fast, slow; did you mean fast?"));
  EXPECT_THAT(refusal("epochs: 2\ninner:\n  rat: 1\n"),
              HasSubstr("r.yaml:3:3: inner.rat is no option here; did you mean rate?"));
  EXPECT_THAT(refusal("epochs: many\n"), HasSubstr("is not a whole number"));
  EXPECT_THAT(refusal("epochs: 1.5\n"), HasSubstr("is not a whole number"));
  EXPECT_THAT(refusal("epochs: [1\n"), HasSubstr("not YAML"));
  EXPECT_THAT(refusal("inner: [1]\n"), HasSubstr("must be a section"));
}

struct Named {
  std::string name = "none";
  void visit(OptionVisitor& v) const { v("name", name, "a method"); }
  bool operator==(const Named&) const = default;
};
struct WithNamed {
  Named method;
  void visit(OptionVisitor& v) const { v("method", method, "chosen by name"); }
  bool operator==(const WithNamed&) const = default;
};

TEST(Options, AScalarIsShortForTheNameOfASection) {
  WithNamed options;
  const auto document = Document::text("method: badge\n", "r.yaml");
  document.read(options);
  EXPECT_EQ(options.method.name, "badge");
  EXPECT_EQ(document.dump(), "method: badge\n");
  document.with({{"method.name", "margin"}}).read(options);
  EXPECT_EQ(options.method.name, "margin");
}

TEST(Options, OverridesWinAndAreNamedInErrors) {
  Outer outer;
  Document::text("inner: {rate: 0.1}", "r.yaml")
      .with({{"inner.rate", "0.9"}, {"maybe.rate", "0.2"}, {"sizes", "[4]"}})
      .read(outer);
  EXPECT_DOUBLE_EQ(outer.inner.rate, 0.9);
  EXPECT_DOUBLE_EQ(outer.maybe->rate, 0.2);
  EXPECT_EQ(outer.sizes, std::vector<int64_t>{4});
  EXPECT_EQ(refusal("epochs: 2\n", {{"epochs", "0"}}),
            "--set epochs: epochs = 0 lies outside [1, 1000000000]");
}

TEST(Options, NumbersAreDecimalAndFinite) {
  Outer outer;
  Document::text("{epochs: 1e3, inner: {rate: -0}}", "r.yaml").read(outer);
  EXPECT_EQ(outer.epochs, 1000);
  EXPECT_FALSE(std::signbit(outer.inner.rate));
  for (const char* text : {"1e-400", "+1e-400", "-1e-400", "0.0000001e-999999", "4e-320"}) {
    Document::text(fmt::format("inner: {{rate: {}}}", text), "r.yaml").read(outer);
    EXPECT_NEAR(outer.inner.rate, 0, 1e-300) << text;
  }
  for (const char* text :
       {".inf", "inf", ".nan", "nan", "1e400", "0x10",    "0o17", "010", "1_000", "1,5",   "--1",
        "+-3",  "-+3", "++3",  "+",   "+inf",  "9e15000", "",     "~",   "[1]",   "{a: 1}"}) {
    EXPECT_THAT(refusal(fmt::format("epochs: {}", text)),
                HasSubstr("a whole number, in decimal digits and finite"))
        << text;
    EXPECT_THAT(refusal(fmt::format("inner:\n  rate: {}", text)),
                HasSubstr("a number, in decimal digits and finite"))
        << text;
  }
  EXPECT_THAT(refusal("epochs: 9e15"), HasSubstr("lies outside [1, 1000000000]"));
  EXPECT_THAT(refusal("epochs: 1e300"), HasSubstr("is not a whole number"));
}

TEST(Options, AnythingWhereSomethingElseIsDueIsRefusedAtItsPlace) {
  EXPECT_THAT(refusal("hello"), HasSubstr("r.yaml:1:1: must be a section"));
  EXPECT_THAT(refusal("hello", {{"epochs", "3"}}), HasSubstr("r.yaml:1:1: must be a section"));
  EXPECT_THAT(refusal("[1]", {{"epochs", "3"}}), HasSubstr("r.yaml:1:1: must be a section"));
  EXPECT_THAT(refusal("sizes: {a: 1}"), HasSubstr("r.yaml:1:8: sizes must be a list"));
  EXPECT_THAT(refusal("sizes:\n- 1\n- [2]"),
              HasSubstr("r.yaml:3:3: sizes = a list is not a whole number"));
  EXPECT_THAT(refusal("mode: [fast]", {{"sizes", "1"}}),
              HasSubstr("r.yaml:1:7: mode = a list is not text"))
      << "the file's place, although something was set";
  EXPECT_THAT(refusal("epochs: 1", {{"sizes", "[1, [2]]"}}),
              HasSubstr("--set sizes: sizes = a list"));
  EXPECT_THAT(refusal("inner: 3"), HasSubstr("inner.name is no option here"));
  EXPECT_THAT(refusal("epochs: 1", {{"inner..rate", "1"}}),
              HasSubstr("--set inner..rate: is no key"));
  EXPECT_THAT(refusal("epochs: 1", {{std::string(200, 'a') + std::string(200, '.'), "1"}}),
              HasSubstr("is no key"));
  EXPECT_THAT(refusal("epochs: 1", {{"mode", "&a [*a]"}}),
              HasSubstr("--set mode:1:5: an alias ('*') within what it stands for has no end"));
  EXPECT_EQ(refusal("inner: ~\nmaybe:\n"), "");
}

TEST(Options, ALiteralValueIsNoYaml) {
  WithNamed options;
  for (const std::string path : {"a: b", "[x]", "#1", "*a", "~", "it's \"it\"", "two\nlines",
                                 "!tag", "old\177name", "a\r", "d\u00e9j\u00e0"}) {
    const auto document =
        Document::text("{}", "r.yaml").with({{"method.name", path, /*literal=*/true}});
    document.read(options);
    EXPECT_EQ(options.method.name, path);
    Document::text(document.dump(), "again").read(options);
    EXPECT_EQ(options.method.name, path);
  }
}

TEST(Options, ALiteralThatARecipeCannotHoldIsRefusedBeforeAnythingIsMade) {
  EXPECT_EQ(refusal("epochs: 1", {{"mode", "d\xe9j\xe0", /*literal=*/true}}),
            "mode = d\uFFFDj\uFFFD: has the byte 0xe9 in it, which is no UTF-8, and a recipe is "
            "written in UTF-8; rename it, or give a link to it that has a plain name");
}

TEST(Options, TextOfAnyKindReadsBackWhenItIsResolved) {
  for (const std::string text : {"a\x7f", "a\r", "\x01", " blank ", "~", ""}) {
    WithNamed options, again;
    options.method.name = text;
    read_options(again, resolved(options), "resolved");
    EXPECT_EQ(again.method.name, text);
  }
}

TEST(Options, EntriesKeepTheirPlacesAndMustBeSections) {
  const auto document = Document::text("arms:\n  random: random\n", "r.yaml");
  EXPECT_THAT(error_of<UsageError>([&] { document.entries("arms"); }),
              HasSubstr("r.yaml:2:11: arms.random must be a section"))
      << "a scalar is no arm";
  const auto arms = Document::text("arms:\n  a: {epochs: 0}\n  b:\n", "r.yaml")
                        .with({{"x", "1"}})
                        .entries("arms");
  ASSERT_EQ(arms.size(), 2u);
  EXPECT_EQ(arms[0].second.at(), "r.yaml:2:6");
  const auto again =
      Document::text("{}", "r.yaml").with_entries("arms", {{"a \"quoted\" one", arms[0].second}});
  EXPECT_EQ(again.entries("arms")[0].first, "a \"quoted\" one");
  EXPECT_EQ(again.entries("arms")[0].second.at(), "r.yaml:2:6");
}

TEST(Options, ResolvedTextReadsBackToTheSameValues) {
  Outer outer;
  outer.epochs = 11;
  outer.inner.rate = 0.1;
  Outer back;
  Document::text(resolved(outer), "resolved").read(back);
  EXPECT_EQ(back.epochs, 11);
  EXPECT_DOUBLE_EQ(back.inner.rate, 0.1);
  EXPECT_EQ(resolved(back), resolved(outer));
}

TEST(Options, AnArmIsADifferenceAndAnotherMethodDropsTheOldOnesOptions) {
  const auto base = Document::text("a: 1\nm: {name: x, t: 2}\n", "r.yaml");
  EXPECT_EQ(base.overlaid_by(Document::text("m: {t: 3}", "arm")).dump(),
            "a: 1\nm: {name: x, t: 3}\n");
  EXPECT_EQ(base.overlaid_by(Document::text("m: {name: y}", "arm")).dump(), "a: 1\nm: {name: y}\n");
}

TEST(Options, NearestWordSuggestsOnlyWhatIsNear) {
  EXPECT_EQ(nearest("bagde", {"entropy", "badge"}), "badge");
  EXPECT_EQ(nearest("zzzzzz", {"entropy", "badge"}), std::nullopt);
}

TEST(Random, StreamsAreNamedIndependentAndRepeatable) {
  const Random root(7);
  EXPECT_EQ(root.stream("a")(), Random(7).stream("a")());
  EXPECT_NE(root.stream("a")(), root.stream("b")());
  EXPECT_NE(root.stream("a", 0)(), root.stream("a", 1)());
}

TEST(Random, MatchesThePublishedConstants) {
  EXPECT_EQ(fnv1a("input"), 0x1ebbae8f5810b65bULL);
  EXPECT_DOUBLE_EQ(
      static_cast<double>(mix64(fnv1a("input") + 0x9e3779b97f4a7c15ULL) >> 11) * 0x1.0p-53,
      0.0978183426575382);
}

TEST(Random, DistributionsHaveTheirMoments) {
  Random random(1);
  double sum = 0;
  double squares = 0;
  double betas = 0;
  for (int i = 0; i < 20000; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    betas += random.beta(2, 6);
  }
  EXPECT_NEAR(sum / 20000, 0, 0.03);
  EXPECT_NEAR(squares / 20000, 1, 0.04);
  EXPECT_NEAR(betas / 20000, 0.25, 0.01);
}

TEST(Random, ChooseGivesDistinctRows) {
  Random random(3);
  auto rows = random.choose(10, 4);
  EXPECT_EQ(rows.size(), 4U);
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(std::unique(rows.begin(), rows.end()), rows.end());
  EXPECT_EQ(random.choose(3, 9).size(), 3U);
}

TEST(Clip, WhatIsMadeOfFilmedClipsIsFoundByItsKey) {
  Clip a{"a.mp4", "aa", 0, 2.5};
  Clip b{"b.mp4", "bb", 1};
  const FilmedClips filmed = {{a.key(), a}, {b.key(), b}};
  Clip view = b;
  view.view = 12;
  const Clip mix = mixed_clip(a, b, 0.3);
  const Clip fading = mixed_clip(b, a, 1.0 / 3, 0.25);
  EXPECT_EQ(mix.key(), "aa@0-2500*0.3+bb@1000--1");
  EXPECT_EQ(fading.key(), "bb@1000--1*0.3333~0.25+aa@0-2500");
  EXPECT_EQ(view.key(), "bb@1000--1#12");
  for (const Clip& clip : {a, b, view, mix, fading}) {
    const auto found = find_clip(clip.key(), filmed);
    ASSERT_TRUE(found) << clip.key();
    EXPECT_EQ(found->key(), clip.key());
    EXPECT_EQ(found->filmed(), clip.filmed());
  }
  EXPECT_EQ(find_clip(fading.key(), filmed)->mixed->lambda, 0.3333);
  for (const char* stranger :
       {"cc@0-2500", "cc@0-2500#1", "aa@0-2500*0.3+cc@0-1", "aa@0-2500*", "aa@0-2500#", ""})
    EXPECT_FALSE(find_clip(stranger, filmed)) << stranger;
}

}  // namespace
}  // namespace distal
