#pragma once
// DISTAL_CLONES in front of a function compiles it once more for AVX2, and the processor that runs it chooses. Features are named, since a
// name of an architecture asks for its maker too. Not under a sanitizer, whose runtime starts after the choice is made.

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DISTAL_CLONES
#else
#define DISTAL_CLONES __attribute__((target_clones("avx2", "default")))
#endif
