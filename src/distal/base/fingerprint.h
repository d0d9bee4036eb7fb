#pragma once
// The name of what a result depends on: equal inputs in equal order have equal fingerprints. Kept
// weights, trials of the store and features are found again by it.

#include <cstdint>
#include <string>
#include <string_view>

#include "distal/base/options.h"

namespace distal {

class Fingerprint {
 public:
  /// Begins with what computes: distal's sources (computation_id), loaded plugins, LibTorch's
  /// version.
  Fingerprint();

  Fingerprint& add(std::string_view bytes);
  Fingerprint& add(const std::string& text) { return add(std::string_view(text)); }
  Fingerprint& add(const char* text) { return add(std::string_view(text)); }
  Fingerprint& add(uint64_t number);
  /// Every option, resolved.
  template <class Options>
  requires requires(Options& options, OptionVisitor& v) { options.visit(v); }
  Fingerprint& add(const Options& options) {
    return add(std::string_view(resolved(options)));
  }

  std::string hex() const;  // 16 digits

 private:
  uint64_t hash_;
};

}  // namespace distal
