#pragma once
// The section `oracle` of a recipe: one oracle, or two of which the second is asked where the first
// is unsure.
//
//   oracle: {kind: http, url: ..., price: 2}
//   oracle: {first: teacher, then: people, when: confidence < 0.6}
//   oracle: {first: {kind: model, path: t.safetensors}, then: people, limit: {answers_per_round:
//   5}}

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "distal/oracles/doubt.h"
#include "distal/oracles/oracle.h"

namespace distal {

struct FirstOracle : OracleOptions {
  FirstOracle() : OracleOptions("oracle.first") {}
};
struct ThenOracle : OracleOptions {
  ThenOracle() : OracleOptions("oracle.then") {}
};

/// How much a trial asks of the second oracle at most, in the rounds after the initial one. An
/// answer that the store has counts as if it were bought.
struct SecondLimit {
  std::optional<int64_t> answers_per_round, answers;
  std::optional<double> price_per_round, price;
  void visit(OptionVisitor& v) const;
  bool operator==(const SecondLimit&) const = default;
  bool in_money() const { return price_per_round || price; }
  /// How many answers of `each` money a round may buy, and all rounds together.
  int64_t in_round(double each) const;
  int64_t in_all(double each) const;
};

struct OracleRecipe {
  OracleOptions only;  // where `first` and `then` are absent
  std::optional<FirstOracle> first;
  std::optional<ThenOracle> then;
  std::optional<std::string> when;
  std::optional<SecondLimit> limit;
  void visit(OptionVisitor& v) const;
  bool operator==(const OracleRecipe&) const = default;

  bool mixed() const { return first && then; }
  /// The oracle that is asked about every clip, and the one that is asked where the first is
  /// unsure; both are `only` where there is one.
  const OracleOptions& asked_first() const { return mixed() ? *first : only; }
  const OracleOptions& asked_then() const { return mixed() ? *then : only; }
  std::vector<const OracleOptions*> parts() const;
  /// Whether one of them is such.
  bool any(const std::function<bool(const OracleTraits&)>& is) const;
  bool people() const;  // persons answer, alone or as the second
  bool is_teacher() const { return asked_first().is_teacher(); }
  /// Which answers of the first are doubted. Throws UsageError as Doubt::parse.
  Doubt doubt() const { return when ? Doubt::parse(*when) : Doubt(); }
  /// Whether its parts fit together: what does not and how to mend it; empty: they do.
  std::string contradiction() const;
  /// What results depend on, one line.
  std::string identity() const;
  /// When the second is asked, in words: "where confidence < 0.6, about at most 5 clips a round".
  std::string when_words() const;
};

}  // namespace distal
