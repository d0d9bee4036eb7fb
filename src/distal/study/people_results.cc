#include "distal/study/people_results.h"

#include <algorithm>
#include <map>

#include "distal/people/agreement.h"
#include "distal/store/people_store.h"

namespace distal {
namespace {

// What each person said of a clip the first and the second time, classes as numbers.
struct Repeats {
  std::map<std::string, std::vector<Repeat>> by_person;
  int64_t classes = 0;
};

Repeats repeats_of(const std::vector<PeopleStore::Opinion>& opinions) {
  Repeats repeats;
  std::map<std::string, int64_t> classes;
  std::map<std::pair<std::string, std::string>, int64_t> first;  // by clip and person
  for (const PeopleStore::Opinion& opinion : opinions) {
    const int64_t label = classes.emplace(opinion.class_name, std::ssize(classes)).first->second;
    const std::pair key(opinion.clip, opinion.person);
    if (opinion.purpose != "repeat")
      first.emplace(key, label);
    else if (const auto before = first.find(key); before != first.end())
      repeats.by_person[opinion.person].push_back({0, before->second, label});
  }
  repeats.classes = std::ssize(classes);
  return repeats;
}

}  // namespace

std::vector<PersonResult> people_results(PeopleStore& people, const std::string& study) {
  const Repeats repeats = repeats_of(people.opinions(study));
  std::vector<PersonResult> results;
  for (const PeopleStore::PersonTotal& total : people.person_totals(study)) {
    PersonResult result{total.person, total.answers, total.seconds / 60};
    const auto found = repeats.by_person.find(total.person);
    if (found != repeats.by_person.end()) {
      const IntraRater rater = intra_rater(found->second, repeats.classes);
      result.repeats = rater.repeats;
      result.same = rater.same;
      if (rater.kappa.value) result.kappa = *rater.kappa.value;
    }
    results.push_back(result);
  }
  std::stable_sort(results.begin(), results.end(),
                   [](const auto& a, const auto& b) { return a.answers > b.answers; });
  return results;
}

}  // namespace distal
