#pragma once
// Independent work on several threads.

#include <cstdint>
#include <functional>

namespace distal {

/// Calls `work` with each of 0 .. count - 1 once, in that order, from at most `threads` threads,
/// one of them the caller's. The first exception ends the calls that have not begun and is thrown
/// here, once all threads are done.
void for_each(int64_t count, int64_t threads, const std::function<void(int64_t)>& work);

}  // namespace distal
