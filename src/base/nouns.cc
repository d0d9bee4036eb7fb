#include "base/nouns.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace distal {

std::string Clip::key() const {
  const auto milliseconds = [](double s) { return std::isinf(s) ? -1 : std::llround(s * 1000); };
  return fmt::format("{}@{}-{}", video_id.empty() ? video : video_id, milliseconds(start_s), milliseconds(end_s));
}

std::optional<int64_t> Classes::index(const std::string& name) const {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return at - names.begin();
}

}  // namespace distal
