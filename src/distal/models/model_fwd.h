#pragma once
// The name of a model, for headers that pass it on (models/model.h).

#include <memory>

namespace distal {

class Net;
using Model = std::shared_ptr<Net>;

}  // namespace distal
