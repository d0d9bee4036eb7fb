// base/npy.h: arrays that NumPy saved.
#include "distal/base/npy.h"

#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  const fuzz::MemoryFile file(input);
  fuzz::attempt(input, [&] {
    const auto array = map_npy(file.path());
    fuzz::require(array.nbytes() <= input.size(), "an array lies within its file");
    const auto* bytes = static_cast<const unsigned char*>(array.const_data_ptr());
    volatile unsigned sum = 0;
    for (size_t i = 0; i < array.nbytes(); ++i) sum = sum + bytes[i];
  });
}
