#include "distal/base/checksum.h"

#include <cstring>

#include "distal/base/hash.h"
#include "distal/base/random.h"

namespace distal {

uint64_t checksum(std::string_view bytes) {
  uint64_t lanes[4] = {1, 2, 3, 4};
  size_t i = 0;
  for (; i + 32 <= bytes.size(); i += 32) {
    uint64_t words[4];
    std::memcpy(words, bytes.data() + i, 32);
    for (int lane = 0; lane < 4; ++lane) {
      lanes[lane] = (lanes[lane] ^ words[lane]) * 0x9e3779b97f4a7c15ULL;
      lanes[lane] ^= lanes[lane] >> 32;
    }
  }
  const uint64_t tail = fnv1a(bytes.substr(i));
  const uint64_t sum = mix64(mix64(mix64(mix64(lanes[0]) ^ lanes[1]) ^ lanes[2]) ^ lanes[3] ^ tail);
  return sum == 0 ? 1 : sum;
}

}  // namespace distal
