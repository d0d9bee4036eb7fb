#pragma once
// The middle frame of a clip as a small JPEG, for the report.

#include "distal/report/report.h"

namespace distal {

/// Gives nothing where the video cannot be read any more. Throws Interrupted after a signal, so
/// that a page is not held up by its pictures. Keeps what was probed of the last videos; one
/// thread.
ThumbnailFunction thumbnails();

}  // namespace distal
