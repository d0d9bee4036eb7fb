#pragma once
// Clips brought into the frame cache by as many threads as networks have, before batches are made
// of them one by one.

#include <vector>

#include "distal/data/clip_reader.h"

namespace distal {

class Progress;

/// ClipReader::read_ahead of each video's clips: two threads never wait for one video. Clips that
/// are not filmed are left out, and videos that cannot be read go into the reader's quarantine.
/// Throws CacheError, Interrupted.
void read_ahead(ClipReader& reader, const std::vector<ClipReader::Ahead>& clips, Progress& progress,
                const std::string& what);

}  // namespace distal
