#pragma once
// What scoring the pool of Active Mixup costs in memory and time: the stream of active/mixup.h
// against the published way, which writes both images of every pair to memory and runs batches of
// 128 through the network, lambda by lambda.

#include "images.h"

namespace distal::reproduce {

struct MemoryOptions {
  int64_t real = 2000;        // N of the stream
  double fraction = 1;        // of its pairs
  int64_t arrays_real = 300;  // N of the published way: 44,700 pairs, 366 MB as float32 of 32 x 32
};

/// Prints rates and peak memory, in one run: the stream first, since a process's peak never falls.
void measure_memory(const Images& images, const MemoryOptions& options);

}  // namespace distal::reproduce
