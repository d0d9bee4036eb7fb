// lists/lists.h and lists/foreign_lists.h: lists that are lines of text. The input's first byte
// chooses the format. Zero bytes are left out, since list_text (lists/list_text.h) lets none
// through.
#include <cmath>

#include "distal/lists/foreign_lists.h"
#include "target.h"

using namespace distal;

namespace {

const FindVideo kNowhere = [](const std::string&) { return std::string(); };
const FindVideo kEverywhere = [](const std::string& name) { return name; };

void require_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    fuzz::require(!row.path.empty(), "a row names a video");
    fuzz::require(!std::isnan(row.start_s) && row.end_s > row.start_s,
                  "a span in seconds has a length");
    fuzz::require(row.start_frame < 0 || row.end_frame >= row.start_frame,
                  "a span in frames has a length");
  }
}

/// What import writes, a run reads.
void write_and_read(const ForeignList& list) {
  fuzz::require(list.sides.size() == list.rows.size(), "each row has a side");
  require_rows(list.rows);
  std::string csv;
  try {
    csv = csv_text(list.rows);
  } catch (const Error&) {
    return;  // seconds beside frames
  }
  if (list.rows.empty()) return;
  const fuzz::MemoryFile file(csv);
  try {
    fuzz::require(read_rows(file.path(), "").size() == list.rows.size(),
                  "what was written is read, row by row");
  } catch (const Error& error) {
    fuzz::require(false, error.what());
  }
}

}  // namespace

DISTAL_FUZZ_TARGET(input) {
  if (input.empty()) return;
  std::string text(input.substr(1));
  std::erase(text, '\0');
  fuzz::attempt(text, [&] {
    switch (input[0]) {
      case 'k': return write_and_read(read_kinetics(text, "list.csv", kNowhere));
      case 'K': return write_and_read(read_kinetics(text, "list.csv", kEverywhere));
      case 'm': return write_and_read(read_mmaction2(text, "train.txt", {}));
      case 'M': return write_and_read(read_mmaction2(text, "train.txt", {"run", "jump"}));
      case 'u': return write_and_read(read_ucf101(text, "trainlist01.txt", Side::training));
      case 'h': return write_and_read(read_hmdb51(text, "wave_test_split1.txt", "wave"));
      case 'r': return static_cast<void>(recognised_format(text, "train.txt"));
      default: {
        const fuzz::MemoryFile file(text);
        require_rows(read_rows(file.path(), "", /*labelled=*/input[0] != 'c'));
      }
    }
  });
}
