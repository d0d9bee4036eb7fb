#pragma once
// How far people agree beyond chance, and with themselves. Classes are nominal: two classes are the
// same or not. Pure functions of answers; every order of these gives the same numbers.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "distal/evaluation/statistics.h"

namespace distal {

/// One person's class of one item. Items, persons and classes count from 0. Items without an answer
/// of a person have no row.
struct Said {
  int64_t item = 0;
  int64_t person = 0;
  int64_t label = 0;
};

/// A coefficient, 1 at best and 0 at chance; it may be negative.
struct Agreement {
  std::optional<double> value;  // nothing: it is not known, see `unknown`
  /// 95 %, within [-1, 1]. Nothing with fewer than two items, and where the formula finds no spread
  /// (all items alike, as under perfect agreement): that is no proof of certainty.
  std::optional<Interval> interval;
  int64_t items = 0;    // with two answers or more
  int64_t answers = 0;  // about these
  double observed = 0;  // agreement, a share
  double expected = 0;  // by chance
  std::string unknown;  // why there is no value; empty: there is one
};

/// Two persons, over the items that both answered. J. Cohen, "A coefficient of agreement for
/// nominal scales", Educational and Psychological Measurement 20(1), 1960. Interval by the normal
/// distribution and the variance of J. L. Fleiss, J. Cohen, B. S. Everitt, "Large sample standard
/// errors of kappa and weighted kappa", Psychological Bulletin 72(5), 1969, equation 13. Not known
/// where no item has two answers, and where only one class was said.
Agreement cohen_kappa(const std::vector<Said>& said, int64_t one, int64_t other, int64_t classes);

/// Several persons, who need not be the same for each item. J. L. Fleiss, "Measuring nominal scale
/// agreement among many raters", Psychological Bulletin 76(5), 1971. Items may have different
/// numbers of answers, each item weighs the same: K. L. Gwet, "Handbook of Inter-Rater
/// Reliability", 4th edition, 2014, chapter 2. Items with one answer count for the shares of
/// classes alone. Interval by Student's t and the variance of K. L. Gwet, "Large-Sample Variance of
/// Fleiss Generalized Kappa", Educational and Psychological Measurement 81(4), 2021. Not known as
/// above. `others` [classes] or empty: how often each class was said of further items, which have
/// one answer each.
Agreement fleiss_kappa(const std::vector<Said>& said, int64_t classes,
                       const std::vector<int64_t>& others = {});

/// Several persons, answers may be missing. K. Krippendorff, "Computing Krippendorff's
/// Alpha-Reliability", 2011, nominal data; items with one answer take no part. Interval by
/// Student's t and the variance of Gwet's handbook (2014), chapter 2; Krippendorff himself draws
/// samples. Not known as above.
Agreement krippendorff_alpha(const std::vector<Said>& said, int64_t classes);

/// What a person said of a clip the first and the second time.
struct Repeat {
  int64_t person = 0;
  int64_t first = 0;
  int64_t second = 0;
};

/// How often a person says the same again.
struct IntraRater {
  int64_t repeats = 0;
  int64_t same = 0;
  std::optional<double> share;  // same / repeats; nothing without repeats
  /// 95 % of the share. E. B. Wilson, "Probable inference, the law of succession, and statistical
  /// inference", Journal of the American Statistical Association 22(158), 1927.
  std::optional<Interval> interval;
  Agreement kappa;  // Cohen's, of the first answer and the second
};
IntraRater intra_rater(const std::vector<Repeat>& repeats, int64_t classes);
std::map<int64_t, IntraRater> intra_rater_by_person(const std::vector<Repeat>& repeats,
                                                    int64_t classes);

}  // namespace distal
