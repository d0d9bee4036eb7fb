#pragma once
// The middle frame of a clip as a small JPEG, for the report. Nothing where the video cannot be read any more.

#include <optional>

#include "base/nouns.h"
#include "experiment/report.h"

namespace distal {

std::optional<Thumbnail> thumbnail(const Clip& clip);

}  // namespace distal
