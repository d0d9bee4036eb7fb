#pragma once
// DISTAL_CLONES in front of a function compiles it once more for AVX2, DISTAL_WIDE_CLONES for
// AVX-512 too, and the processor that runs it chooses. Features are named, since a name of an
// architecture asks for its maker too. Not under a sanitizer, whose runtime starts after the choice
// is made.

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DISTAL_CLONES
#define DISTAL_WIDE_CLONES
#else
#define DISTAL_CLONES __attribute__((target_clones("avx2", "default")))
#define DISTAL_WIDE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
