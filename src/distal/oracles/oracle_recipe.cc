#include "distal/oracles/oracle_recipe.h"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/options.h"

namespace distal {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// How many answers fit into so much money; sums of doubles may be a rounding error above it.
int64_t affordable(const std::optional<double>& money, double each) {
  if (!money || each <= 0) return kNoLimit;
  return static_cast<int64_t>(std::floor(*money / each * (1 + 1e-9)));
}

std::string limit_words(const SecondLimit& limit) {
  std::vector<std::string> words;
  const auto add = [&](const auto& most, const char* of, const char* in) {
    if (most) words.push_back(fmt::format("{:g} {} {}", static_cast<double>(*most), of, in));
  };
  add(limit.answers_per_round, "answers", "a round");
  add(limit.answers, "answers", "in all rounds");
  add(limit.price_per_round, "of price", "a round");
  add(limit.price, "of price", "in all rounds");
  return fmt::format("at most {}", fmt::join(words, " and "));
}

// A lonely part, or options of the other form.
std::string half_said(const OracleRecipe& oracle) {
  if (!oracle.first && !oracle.then) {
    if (oracle.when)
      return "oracle.when has no effect with one oracle; give oracle.first and .then";
    if (oracle.only.kind->traits().shows_first)
      return "oracle.shows_first has no effect with one oracle; give oracle.first and .then";
    return oracle.limit ? "oracle.limit has no effect with one oracle; give oracle.first and .then"
                        : "";
  }
  if (!oracle.then) return "oracle.first is given without oracle.then; give both, or oracle.kind";
  if (!oracle.first) return "oracle.then is given without oracle.first; give both, or oracle.kind";
  OracleOptions plain;
  plain.ask_again = oracle.only.ask_again;
  if (oracle.only == plain) return "";
  return oracle.only.kind != plain.kind
             ? "oracle.kind stands beside oracle.first and oracle.then; leave it out"
             : "oracle.price and oracle.batch_size have no effect beside oracle.first and "
               "oracle.then; set those of oracle.first or oracle.then";
}

std::string unasked(const OracleRecipe& oracle) {
  const SecondLimit& limit = *oracle.limit;
  const double each = oracle.then->price;
  if (limit == SecondLimit())
    return "oracle.limit limits nothing; set answers_per_round, answers, price_per_round or price, "
           "or leave it out";
  if (limit.in_money() && each == 0)
    return "oracle.limit is in money, and oracle.then costs nothing; set oracle.then.price, or "
           "limit the answers";
  if (limit.in_round(each) == 0 || limit.in_all(each) == 0)
    return "oracle.limit leaves no answer of oracle.then; raise it, or leave oracle.then out";
  return "";
}

}  // namespace

void SecondLimit::visit(OptionVisitor& v) const {
  v("answers_per_round", answers_per_round, "answers of oracle.then that a round may buy",
    at_least(0));
  v("answers", answers, "answers of oracle.then that all rounds of a run may buy", at_least(0));
  v("price_per_round", price_per_round, "money that a round may spend on oracle.then", at_least(0));
  v("price", price, "money that all rounds of a run may spend on oracle.then", at_least(0));
}

int64_t SecondLimit::in_round(double each) const {
  return std::min(answers_per_round.value_or(kNoLimit), affordable(price_per_round, each));
}

int64_t SecondLimit::in_all(double each) const {
  return std::min(answers.value_or(kNoLimit), affordable(price, each));
}

void OracleRecipe::visit(OptionVisitor& v) const {
  v("first", first, "of two oracles, the one that is asked about every clip");
  v("then", then, "of two oracles, the one that is asked where the first is unsure");
  v("when", when,
    "where oracle.first is unsure: confidence < NUMBER, margin < NUMBER or entropy > NUMBER; "
    "absent: everywhere, within oracle.limit");
  v("limit", limit, "what oracle.then is asked at most, about the least sure clips");
  const bool reads = !v.place().empty();
  if (!mixed() || reads) return only.visit(v);  // last: it closes the section
  v("ask_again", only.ask_again, "that of both");
}

std::vector<const OracleOptions*> OracleRecipe::parts() const {
  if (!mixed()) return {&only};
  return {&*first, &*then};
}

bool OracleRecipe::any(const std::function<bool(const OracleTraits&)>& is) const {
  const auto all = parts();
  return std::any_of(all.begin(), all.end(),
                     [&](const OracleOptions* part) { return is(part->kind->traits()); });
}

bool OracleRecipe::people() const { return asked_then().kind->traits().people; }

std::string OracleRecipe::contradiction() const {
  if (const std::string half = half_said(*this); !half.empty() || !mixed()) return half;
  if (!first->is_teacher())
    return fmt::format("oracle.first = {0} answers with labels, which are never unsure; take kind "
                       "{1}, and {0} as oracle.then",
                       first->kind.name,
                       kinds_with([](const OracleTraits& traits) { return traits.soft; }));
  if (first->kind == then->kind)
    return "oracle.first and oracle.then are the same oracle; give one, as oracle.kind";
  if (then->kind->traits().by_video)
    return "oracle.then.answers = ranges asks about whole videos, and oracle.first is unsure of "
           "single clips; leave oracle.then.answers out, or take people alone";
  if (then->kind->traits().share < 1)
    return "oracle.then.share lets a round go on with a share of its answers, and what oracle.then "
           "is asked follows from all that oracle.first says; leave oracle.then.share out";
  if (!when && !limit)
    return "oracle.then would be asked about every clip, and oracle.first for nothing; give "
           "oracle.when, such as confidence < 0.6, or oracle.limit";
  try {
    doubt();
  } catch (const UsageError& error) {
    return error.what();
  }
  return limit ? unasked(*this) : "";
}

std::string OracleRecipe::identity() const {
  if (!mixed()) return only.identity();
  const SecondLimit most = limit.value_or(SecondLimit());
  return fmt::format("first {}; then {}; {}; {}, {}", first->identity(), then->identity(),
                     doubt().text(), most.in_round(then->price), most.in_all(then->price));
}

std::string OracleRecipe::when_words() const {
  std::vector<std::string> words;
  if (when) words.push_back(fmt::format("where {}", doubt().text()));
  if (limit) words.push_back(fmt::format("{}, the least sure first", limit_words(*limit)));
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace distal
