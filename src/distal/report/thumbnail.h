#pragma once
// The middle frame of a clip as a small JPEG, for the report. Nothing where the video cannot be
// read any more. Throws Interrupted after a signal, so that a page is not held up by its pictures.

#include <optional>

#include "distal/base/nouns.h"
#include "distal/report/report.h"

namespace distal {

std::optional<Thumbnail> thumbnail(const Clip& clip);

}  // namespace distal
