#include "distal/base/fingerprint.h"

#include <torch/version.h>

#include "distal/base/hash.h"
#include "distal/base/plugin.h"
#include "distal/base/random.h"
#include "distal/base/revision.h"

namespace distal {

Fingerprint::Fingerprint() : hash_(fnv1a(TORCH_VERSION)) {
  add(computation_id());
  add(plugins_id());
}

// With its length: "ab" and "c" are not "a" and "bc".
Fingerprint& Fingerprint::add(std::string_view bytes) {
  add(static_cast<uint64_t>(bytes.size()));
  hash_ = fnv1a(bytes, hash_);
  return *this;
}

Fingerprint& Fingerprint::add(uint64_t number) {
  hash_ = fnv1a({reinterpret_cast<const char*>(&number), sizeof number}, hash_);
  return *this;
}

std::string Fingerprint::hex() const { return fmt::format("{:016x}", hash_); }

}  // namespace distal
