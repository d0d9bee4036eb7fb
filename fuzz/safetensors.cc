// models/weights.h: weight files.
#include "distal/models/weights.h"

#include "target.h"

using namespace distal;

DISTAL_FUZZ_TARGET(input) {
  const fuzz::MemoryFile file(input);
  fuzz::attempt(input, [&] {
    Metadata metadata;
    size_t bytes = 0;
    for (const auto& [name, tensor] : load_safetensors(file.path(), &metadata)) {
      our_name(name);
      bytes += tensor.nbytes();
      const auto* values = static_cast<const unsigned char*>(tensor.const_data_ptr());
      volatile unsigned sum = 0;
      for (size_t i = 0; i < tensor.nbytes(); ++i) sum = sum + values[i];
    }
    fuzz::require(bytes <= input.size(), "tensors lie within their file");
  });
}
