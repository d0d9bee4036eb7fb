// lists/foreign_lists.h: exports of Label Studio.
#include "distal/lists/foreign_lists.h"
#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  const std::string text(input);
  for (const double frame_rate : {0.0, 25.0}) {
    fuzz::attempt(input, [&] {
      const auto list = read_label_studio(
          text, "export.json",
          [](const std::string& name) { return name.size() % 2 == 0 ? name : ""; }, frame_rate);
      fuzz::require(list.sides.size() == list.rows.size(), "each row has a side");
      csv_text(list.rows);
    });
  }
}
