#include "base/interned.h"

#include <mutex>
#include <set>

namespace distal {

Interned::Interned(std::string_view text) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> known;  // its nodes stay where they are
  static const std::string empty;
  if (text.empty()) {
    text_ = &empty;
    return;
  }
  const std::lock_guard lock(mutex);
  const auto at = known.find(text);
  text_ = &*(at != known.end() ? at : known.emplace(text).first);
}

}  // namespace distal
