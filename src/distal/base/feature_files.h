#pragma once
// Features of clips that another program has computed, in two files: an array, and a list that
// names the clip of each row.

#include <cstdint>
#include <string>

namespace distal {

class OptionVisitor;

struct FeatureFiles {
  std::string features;  // .npy, [M, D], of any type of numbers that map_npy reads
  std::string list;      // CSV of M rows, in the order of the array (lists/lists.h)
  void visit(OptionVisitor& v) const;
  bool operator==(const FeatureFiles&) const = default;
};

/// D, from the header of the array. Throws Error: as map_npy, or not an array of rows.
int64_t feature_width(const FeatureFiles& files);

}  // namespace distal
