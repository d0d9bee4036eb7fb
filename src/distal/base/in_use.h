#pragma once

#include "distal/base/error.h"

namespace distal {

/// What is asked for belongs to another process for now (FileLock); nothing is wrong with it.
class InUse : public Error {
 public:
  using Error::Error;
};

}  // namespace distal
