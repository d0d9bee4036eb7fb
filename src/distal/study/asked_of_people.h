#pragma once
// What people are asked in a study, read back from its store: for files (`distal ask`) and answers
// in files (`distal answer`).

#include <cstdint>
#include <string>
#include <vector>

#include "distal/people/answer_files.h"
#include "distal/store/people_store.h"

namespace distal {

class Store;

/// The study that a user means: its name, its recipe or its folder. Throws Error: no such study has
/// asked people in this store (with the names of those that have).
std::string study_of_people(PeopleStore& people, const std::string& named);

/// The classes that people answer with, in the order of the study's last recipe. Throws Error: the
/// store has no trial of the study.
std::vector<std::string> classes_of_study(Store& store, const std::string& study);

/// The folder in which the study keeps the indices of its videos.
std::string probes_of_study(Store& store, const std::string& study);

/// The items of a study as questions, in the order in which they shall be answered. `open_only`:
/// those that still want an answer.
struct AskedOfPeople {
  Questions questions;
  std::vector<int64_t> items;  // id of each question's item
};
AskedOfPeople asked_of_people(Store& store, PeopleStore& people, const std::string& study,
                              bool open_only);
bool asks_ranges(const AskedOfPeople& asked);

/// Answers of a file about those questions as the store takes them. The same answer read twice has
/// the same uuid, so that a file may be given again.
std::vector<PeopleStore::NewAnswer> answers_for_store(const AskedOfPeople& asked,
                                                      const std::vector<GivenAnswer>& answers,
                                                      int64_t now_ms);

}  // namespace distal
