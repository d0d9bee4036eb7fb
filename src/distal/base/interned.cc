#include "distal/base/interned.h"

#include <mutex>
#include <unordered_set>

namespace distal {

Interned::Interned(std::string_view text) {
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  static std::mutex mutex;
  static auto& known =
      *new std::unordered_set<std::string, Hash,
                              std::equal_to<>>;  // never freed: names outlive all else; its nodes
                                                 // stay where they are
  static const auto& empty = *new std::string;
  if (text.empty()) {
    text_ = &empty;
    return;
  }
  const std::lock_guard lock(mutex);
  const auto at = known.find(text);
  text_ = &*(at != known.end() ? at : known.emplace(text).first);
}

}  // namespace distal
