#pragma once
// How much a data set depends on the order of the frames: TSN, which looks at each frame by itself,
// against TSM, the same network with a temporal shift in its blocks (no parameter, no
// multiplication more). Same base, same labels, same seeds, so what TSM gains is what order is
// worth. Published: Something-Something v2 35.5 against 62.7, Kinetics 69 to 70 against 72 to 73
// (Lin, Gan, Han, TSM, ICCV 2019, arXiv 1811.08383, and their code); the first needs order, the
// second hardly. It is a recipe of two arms like any other; what is special is how it is made and
// read.

#include <string>

#include "distal/report/summary.h"
#include "distal/study/recipe.h"

namespace distal {

/// The recipe as two arms, `tsn` and `tsm`, that learn all labels of data.start (where there is
/// none: of data.pool) and are measured on data.test. Data, clips, input, seeds and training are
/// the recipe's, and so is the network where it is a TSN or TSM, else it is a narrow resnet18 from
/// random weights. Nothing is asked, chosen, taught or pre-trained; nothing is frozen, since a
/// frozen backbone cannot learn to use the shift; no augmentation family, which might change the
/// order. Throws UsageError: as read_study does, one seed, one frame.
Study order_study(const Document& recipe, const std::string& name);

struct OrderSensitivity {
  Estimate tsn, tsm;     // test accuracy, over the seeds
  Estimate difference;   // tsm minus tsn, over the paired seeds
  double p = 1;          // of the paired t-test
  Estimate over_groups;  // the difference, seeds and test groups resampled together; `seeds` counts
                         // groups
  std::string test;      // in words
  std::string sentence;  // what it means
  std::string text() const;  // for people
};

/// Reads what `order_study` measured.
OrderSensitivity order_sensitivity(const Results& results);

}  // namespace distal
