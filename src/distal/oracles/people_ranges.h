#pragma once
// People who mark ranges with classes on the time line of a whole video. The clips of one video
// that are asked about are one item of the store (PeopleStore), of kind `ranges`.

#include <memory>

#include "distal/oracles/oracle.h"
#include "distal/oracles/range_cover.h"

namespace distal {

/// An answer labels each clip of a request by class_by_cover. A clip that no class covers enough,
/// or only one that is none of the setup's classes, is left out (OracleReply::left_out). A video
/// that people were asked about by the same number of people and with the same classes is not asked
/// about again: later requests about other clips of it take the same answer. `wanted`: people a
/// video.
std::unique_ptr<OpenOracle> people_by_ranges(const OracleSetup& setup, int64_t wanted,
                                             const CoverRule& rule);

}  // namespace distal
