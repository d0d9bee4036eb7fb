#include "distal/people/agreement.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "distal/base/error.h"

namespace distal {
namespace {

constexpr double kNormal95 = 1.959963984540054;
constexpr const char* kNoOverlap = "no item has answers of two people";
constexpr const char* kOneClass = "only one class was said, so nothing tells agreement from chance";

// counts[i][k]: how many said class k of item i. Items nobody answered are not there.
using Counts = std::vector<std::vector<double>>;

// A value that so many items have.
struct OfItems {
  double value = 0;
  double items = 1;
};

void require_class(int64_t label, int64_t classes) {
  expect(label >= 0 && label < classes, "an answer's class is one of the classes");
}

Counts counts_of(std::vector<Said> said, int64_t classes) {
  std::ranges::sort(said, {}, [](const Said& one) { return std::pair(one.item, one.person); });
  Counts rows;
  const Said* before = nullptr;
  for (const Said& one : said) {
    require_class(one.label, classes);
    const bool same = before != nullptr && before->item == one.item;
    expect(!same || before->person != one.person, "a person answers an item once");
    if (!same) rows.emplace_back(static_cast<size_t>(classes));
    ++rows.back()[static_cast<size_t>(one.label)];
    before = &one;
  }
  return rows;
}

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

double product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

// Ordered pairs of answers to an item that agree.
double pairs_that_agree(const std::vector<double>& row) { return product(row, row) - sum_of(row); }

bool one_class_only(const std::vector<double>& shares) {
  return std::count_if(shares.begin(), shares.end(), [](double share) { return share > 0; }) < 2;
}

void set_value(Agreement& agreement, double observed, double expected) {
  agreement.observed = observed;
  agreement.expected = expected;
  agreement.value = (observed - expected) / (1 - expected);
}

void set_interval(Agreement& agreement, double error, double critical) {
  if (!(error > 1e-9) || !std::isfinite(critical)) return;
  agreement.interval = Interval{std::max(-1.0, *agreement.value - critical * error),
                                std::min(1.0, *agreement.value + critical * error)};
}

// Of n values that each item gives for the coefficient, whose mean is `centre`.
void set_interval_of_items(Agreement& agreement, const std::vector<OfItems>& values,
                           double centre) {
  double n = 0;
  double squares = 0;
  for (const auto& [value, items] : values) {
    n += items;
    squares += items * (value - centre) * (value - centre);
  }
  if (n < 2) return;
  set_interval(agreement, std::sqrt(squares / (n * (n - 1))), student_t_critical(0.05, n - 1));
}

// table[i][j]: how often the first said i and the second j.
struct PairTable {
  explicit PairTable(int64_t classes)
      : cells(static_cast<size_t>(classes), std::vector<double>(static_cast<size_t>(classes))) {}
  void add(int64_t first, int64_t second) {
    ++cells[static_cast<size_t>(first)][static_cast<size_t>(second)];
    ++n;
  }
  std::vector<std::vector<double>> cells;
  double n = 0;
};

// Fleiss, Cohen and Everitt (1969), equation 13.
double kappa_error(const PairTable& table, const std::vector<double>& rows,
                   const std::vector<double>& columns, double kappa, double expected) {
  const double rest = 1 - kappa;
  double diagonal = 0;
  double others = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < rows.size(); ++j) {
      const double share = table.cells[i][j] / table.n;
      const double off = columns[i] + rows[j];
      if (i == j)
        diagonal += share * std::pow(1 - off * rest, 2);
      else
        others += share * off * off;
    }
  }
  const double mean = kappa - expected * rest;
  const double variance =
      (diagonal + rest * rest * others - mean * mean) / (table.n * (1 - expected) * (1 - expected));
  return std::sqrt(std::max(0.0, variance));
}

Agreement kappa_of(const PairTable& table) {
  Agreement agreement;
  agreement.items = static_cast<int64_t>(table.n);
  agreement.answers = 2 * agreement.items;
  if (agreement.items == 0) {
    agreement.unknown = kNoOverlap;
    return agreement;
  }
  const size_t classes = table.cells.size();
  std::vector<double> rows(classes);
  std::vector<double> columns(classes);
  double observed = 0;
  for (size_t i = 0; i < classes; ++i) {
    observed += table.cells[i][i] / table.n;
    for (size_t j = 0; j < classes; ++j) {
      rows[i] += table.cells[i][j] / table.n;
      columns[j] += table.cells[i][j] / table.n;
    }
  }
  std::vector<double> both(classes);
  for (size_t k = 0; k < classes; ++k) both[k] = rows[k] + columns[k];
  if (one_class_only(both)) {
    agreement.unknown = kOneClass;
    return agreement;
  }
  const double expected = product(rows, columns);
  set_value(agreement, observed, expected);
  const double error = kappa_error(table, rows, columns, *agreement.value, expected);
  if (agreement.items > 1) set_interval(agreement, error, kNormal95);
  return agreement;
}

// Mean share of each class over `items`, an item weighing 1.
std::vector<double> mean_shares(const Counts& counts, const std::vector<double>& alone,
                                double items) {
  std::vector<double> shares(alone.size());
  for (size_t k = 0; k < alone.size(); ++k) shares[k] = alone[k] / items;
  for (const auto& row : counts) {
    const double answers = sum_of(row);
    for (size_t k = 0; k < row.size(); ++k) shares[k] += row[k] / answers / items;
  }
  return shares;
}

void count_answers(Agreement& agreement, const Counts& counts) {
  for (const auto& row : counts) {
    const double answers = sum_of(row);
    if (answers < 2) continue;
    ++agreement.items;
    agreement.answers += static_cast<int64_t>(answers);
  }
}

}  // namespace

Agreement cohen_kappa(const std::vector<Said>& said, int64_t one, int64_t other, int64_t classes) {
  expect(one != other, "two persons are compared");
  std::map<int64_t, int64_t> first;
  std::map<int64_t, int64_t> second;
  for (const Said& answer : said) {
    require_class(answer.label, classes);
    if (answer.person != one && answer.person != other) continue;
    auto& of = answer.person == one ? first : second;
    expect(of.emplace(answer.item, answer.label).second, "a person answers an item once");
  }
  PairTable table(classes);
  for (const auto& [item, label] : first) {
    const auto at = second.find(item);
    if (at != second.end()) table.add(label, at->second);
  }
  return kappa_of(table);
}

Agreement fleiss_kappa(const std::vector<Said>& said, int64_t classes,
                       const std::vector<int64_t>& others) {
  const Counts counts = counts_of(said, classes);
  std::vector<double> alone(others.begin(), others.end());
  alone.resize(static_cast<size_t>(classes));
  Agreement agreement;
  count_answers(agreement, counts);
  const double all = static_cast<double>(counts.size()) + sum_of(alone);
  const std::vector<double> shares = mean_shares(counts, alone, all);
  if (agreement.items == 0)
    agreement.unknown = kNoOverlap;
  else if (one_class_only(shares))
    agreement.unknown = kOneClass;
  if (!agreement.unknown.empty()) return agreement;
  const auto rated = static_cast<double>(agreement.items);
  double observed = 0;
  for (const auto& row : counts) {
    const double answers = sum_of(row);
    if (answers > 1) observed += pairs_that_agree(row) / (answers * (answers - 1)) / rated;
  }
  const double expected = product(shares, shares);
  set_value(agreement, observed, expected);
  const double rest = 2 * (1 - *agreement.value) / (1 - expected);
  std::vector<OfItems> values;
  for (const auto& row : counts) {
    const double answers = sum_of(row);
    const double own =
        answers < 2 ? 0
                    : all / rated * (pairs_that_agree(row) / (answers * (answers - 1)) - expected) /
                          (1 - expected);
    const double chance = product(row, shares) / answers;
    values.push_back({own - rest * (chance - expected)});
  }
  for (size_t k = 0; k < alone.size(); ++k)
    values.push_back({-rest * (shares[k] - expected), alone[k]});
  set_interval_of_items(agreement, values, *agreement.value);
  return agreement;
}

Agreement krippendorff_alpha(const std::vector<Said>& said, int64_t classes) {
  Counts counts = counts_of(said, classes);
  std::erase_if(counts, [](const auto& row) { return sum_of(row) < 2; });
  Agreement agreement;
  count_answers(agreement, counts);
  if (agreement.items == 0) {
    agreement.unknown = kNoOverlap;
    return agreement;
  }
  const auto n = static_cast<double>(counts.size());
  const auto answers = static_cast<double>(agreement.answers);
  const double mean = answers / n;  // answers an item
  std::vector<double> shares(static_cast<size_t>(classes));
  double pairable = 0;  // agreement before the correction for small samples
  for (const auto& row : counts) {
    for (size_t k = 0; k < row.size(); ++k) shares[k] += row[k] / answers;
    pairable += pairs_that_agree(row) / (mean * (sum_of(row) - 1)) / n;
  }
  if (one_class_only(shares)) {
    agreement.unknown = kOneClass;
    return agreement;
  }
  const double expected = product(shares, shares);
  set_value(agreement, (1 - 1 / answers) * pairable + 1 / answers, expected);
  const double uncorrected = (pairable - expected) / (1 - expected);
  std::vector<OfItems> values;
  for (const auto& row : counts) {
    const double more = (sum_of(row) - mean) / mean;
    const double own =
        pairs_that_agree(row) / (mean * (sum_of(row) - 1)) - agreement.observed * more;
    const double chance = product(row, shares) / mean - expected * more;
    values.push_back({(own - expected) / (1 - expected) -
                      2 * (1 - uncorrected) * (chance - expected) / (1 - expected)});
  }
  set_interval_of_items(agreement, values, uncorrected);
  return agreement;
}

IntraRater intra_rater(const std::vector<Repeat>& repeats, int64_t classes) {
  IntraRater rater;
  PairTable table(classes);
  for (const Repeat& repeat : repeats) {
    require_class(repeat.first, classes);
    require_class(repeat.second, classes);
    table.add(repeat.first, repeat.second);
    rater.same += repeat.first == repeat.second;
  }
  rater.repeats = std::ssize(repeats);
  rater.kappa = kappa_of(table);
  if (rater.repeats == 0) return rater;
  const auto n = static_cast<double>(rater.repeats);
  const double share = static_cast<double>(rater.same) / n;
  const double z2 = kNormal95 * kNormal95;
  const double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double half =
      kNormal95 * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  rater.share = share;
  rater.interval = Interval{std::max(0.0, centre - half), std::min(1.0, centre + half)};
  return rater;
}

std::map<int64_t, IntraRater> intra_rater_by_person(const std::vector<Repeat>& repeats,
                                                    int64_t classes) {
  std::map<int64_t, std::vector<Repeat>> own;
  for (const Repeat& repeat : repeats) own[repeat.person].push_back(repeat);
  std::map<int64_t, IntraRater> raters;
  for (const auto& [person, rows] : own) raters.emplace(person, intra_rater(rows, classes));
  return raters;
}

}  // namespace distal
