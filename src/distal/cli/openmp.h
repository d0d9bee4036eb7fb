#pragma once
// OpenMP, under LibTorch, reads its settings from the environment when it is loaded, before main.
// Where they do not suit, the program starts itself again with others, once; it must not have begun
// anything.

namespace distal {

/// Numbers of threads that change as OpenMP likes (OMP_DYNAMIC) are turned off: oneDNN waits for
/// ever for threads that it was promised.
void keep_threads_fixed();

/// Threads that wait for each other sleep soon instead of spinning for milliseconds, which costs
/// several times the work where another program wants the processor. Nothing where there is one
/// thread, or where the environment says how to wait. Throws Interrupted where a signal has
/// arrived.
void wait_briefly();

/// Signals that arrived while the program started itself again are held back until this, after
/// catch_signals.
void hear_held_signals();

}  // namespace distal
