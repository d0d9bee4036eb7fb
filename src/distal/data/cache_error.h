#pragma once

#include "distal/base/error.h"

namespace distal {

/// An error of the cache folder, such as a full disk. It stops the run. The video does not go into
/// quarantine.
class CacheError : public Error {
 public:
  using Error::Error;
};

}  // namespace distal
