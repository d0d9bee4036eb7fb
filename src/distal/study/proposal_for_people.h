#pragma once
// A first recipe where nobody has labelled anything yet: people answer.

#include "distal/study/proposal.h"

namespace distal {

/// One arm, whose student takes minutes to train in each round; the comparison with a random choice
/// stands beside it as a comment. A frozen backbone and a cold start over its features where `init`
/// names weights; else a small network and a random start. The minutes are the machine's, not the
/// people's. Throws Error: no lists, fewer than two classes, too few clips.
Proposal propose_for_people(const ProposalOptions& options, Progress& progress,
                            const PaceOf& pace_of);

}  // namespace distal
