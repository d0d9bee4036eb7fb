#include "distal/train/kept.h"

#include <filesystem>

#include "distal/base/error.h"
#include "distal/base/progress.h"

namespace distal {

std::optional<Tensors> load_kept(const std::string& path, Progress& progress) {
  std::error_code ignored;
  if (path.empty() || !std::filesystem::exists(path, ignored)) return std::nullopt;
  try {
    return load_checked(path);
  } catch (const Error& error) {
    progress.say(fmt::format("{}; thrown away, it is trained again", error.what()));
    std::filesystem::remove_all(path, ignored);
    return std::nullopt;
  }
}

}  // namespace distal
