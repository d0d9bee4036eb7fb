#pragma once
// What a student learns from people's answers about clips.

#include <string>
#include <vector>

#include "distal/base/nouns.h"
#include "distal/store/people_store.h"

namespace distal {

/// For each item the probabilities [K] of its class; empty where nobody could say, and where what
/// was said is none of `classes`. An adjudicator's word and an answer that all gave are certain.
/// Else, by `agree`: majority gives the classes with the most votes equal shares, dawid_skene the
/// posterior of people/consensus.h over all of `used`, which holds the answers about the items.
std::vector<std::vector<double>> people_labels(const std::string& agree,
                                               const std::vector<PeopleStore::Settled>& items,
                                               const std::vector<PeopleStore::Opinion>& used,
                                               const Classes& classes);

}  // namespace distal
