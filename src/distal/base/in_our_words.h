#pragma once
// Other libraries throw exceptions whose words are about their own sources.

#include <exception>
#include <new>
#include <string>

#include "distal/base/error.h"

namespace distal {

/// What `work` returns. What it throws becomes Error `failure`, but for Error (Interrupted is one)
/// and std::bad_alloc, which pass as they are.
template <class Work>
auto in_our_words(const std::string& failure, const Work& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    fail("{}", failure);
  }
}

}  // namespace distal
