#include "distal/base/feature_files.h"

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/npy.h"
#include "distal/base/options.h"

namespace distal {

void FeatureFiles::visit(OptionVisitor& v) const {
  v("features", features, ".npy file, a row of numbers for each clip");
  v("list", list,
    "CSV that names the clip of each row of features, in order: path[,start_s,end_s], paths "
    "relative to the data folder");
}

int64_t feature_width(const FeatureFiles& files) {
  const torch::Tensor array = map_npy(files.features);
  if (array.dim() != 2 || array.size(1) == 0)
    fail("{}: has shape ({}), and features are [clips, numbers]; reshape it", files.features,
         fmt::join(array.sizes(), ", "));
  return array.size(1);
}

}  // namespace distal
