// lists/foreign_lists.h: exports of CVAT.
#include "distal/lists/foreign_lists.h"
#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  fuzz::attempt(input, [&] {
    const auto list = read_cvat(std::string(input), "annotations.xml");
    fuzz::require(list.sides.size() == list.rows.size(), "each row has a side");
    csv_text(list.rows);
  });
}
