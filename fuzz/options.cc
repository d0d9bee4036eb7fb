// base/document.h: YAML and overrides, read into one field of each kind. What stands behind a zero
// byte are overrides, one a line.
#include "distal/base/options.h"

#include <sstream>

#include "distal/base/document.h"
#include "target.h"

using namespace distal;

namespace {

struct Inner {
  double ratio = 0.5;
  std::vector<double> list = {1, 2};
  std::optional<std::string> remark;
  void visit(OptionVisitor& v) const {
    v("ratio", ratio, "a share", between(0, 1));
    v("list", list, "numbers");
    v("remark", remark, "text");
  }
  bool operator==(const Inner&) const = default;
};

struct Options {
  bool flag = false;
  int64_t count = 3;
  double length_s = 1;
  std::string name = "a";
  std::string kind = "red";
  std::optional<int64_t> maybe;
  std::optional<double> perhaps;
  std::vector<int64_t> numbers;
  std::vector<std::string> words;
  Inner inner;
  std::optional<Inner> other;
  void visit(OptionVisitor& v) const {
    v("flag", flag, "yes or no");
    v("count", count, "a number", at_least(0));
    v("length_s", length_s, "seconds");
    v("name", name, "text");
    v("kind", kind, "a colour", one_of({"red", "green"}));
    v("maybe", maybe, "a number");
    v("perhaps", perhaps, "a number");
    v("numbers", numbers, "numbers", at_least(1));
    v("words", words, "words");
    v("inner", inner, "a section");
    v("other", other, "a section that may be absent");
  }
  bool operator==(const Options&) const = default;
};

std::vector<Override> overrides_of(std::string_view text) {
  std::vector<Override> all;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) all.push_back(Override::parse(line));
  return all;
}

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  const size_t zero = input.find('\0');
  fuzz::attempt(input, [&] {
    Document document = Document::text(std::string(input.substr(0, zero)), "recipe.yaml");
    if (zero != std::string_view::npos)
      document = document.with(overrides_of(input.substr(zero + 1)));
    document.dump();
    for (const auto& [name, arm] : document.entries("arms"))
      document.without("arms").overlaid_by(arm).dump();
    Options options;
    document.read(options);
    Options again;
    read_options(again, resolved(options), "resolved.yaml");
    fuzz::require(resolved(again) == resolved(options), "resolved options read back as they were");
  });
}
