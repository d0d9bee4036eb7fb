#include "distal/oracles/people_labels.h"

#include <map>
#include <optional>
#include <set>

#include "distal/base/error.h"
#include "distal/people/consensus.h"

namespace distal {
namespace {

using Label = std::vector<double>;

Label certain(const Classes& classes, int64_t k) {
  Label label(classes.names.size());
  label[static_cast<size_t>(k)] = 1;
  return label;
}

Label certain(const Classes& classes, const std::string& name) {
  const auto k = classes.index(name);
  return k ? certain(classes, *k) : Label();
}

// Items and persons as numbers, in the order of their ids and names: whoever asks gets the same.
class Answered {
 public:
  Answered(const std::vector<PeopleStore::Opinion>& opinions, const Classes& classes) {
    for (const PeopleStore::Opinion& opinion : opinions) {
      items_[opinion.item] = 0;
      persons_[opinion.person] = 0;
    }
    number(items_);
    number(persons_);
    for (const PeopleStore::Opinion& opinion : opinions) {
      const auto k = classes.index(opinion.class_name);
      if (k) said_.push_back({items_.at(opinion.item), persons_.at(opinion.person), *k});
    }
  }

  Consensus consensus(int64_t classes) const {
    return dawid_skene(said_, std::ssize(items_), std::ssize(persons_), classes);
  }
  int64_t row(int64_t item) const {
    const auto found = items_.find(item);
    expect(found != items_.end(), "the answers of an item are among those that are used");
    return found->second;
  }

 private:
  static void number(auto& rows) {
    int64_t next = 0;
    for (auto& [key, row] : rows) row = next++;
  }

  std::map<int64_t, int64_t> items_;
  std::map<std::string, int64_t> persons_;
  std::vector<Said> said_;
};

// What is certain; nothing where people said several things.
std::optional<Label> agreed(const PeopleStore::Settled& settled, const Classes& classes) {
  if (settled.item.state != "settled") return Label();
  std::set<std::string> said;
  for (const PeopleStore::Answer& answer : settled.answers) {
    if (answer.decides) return certain(classes, settled.item.class_name);
    if (!answer.skipped && classes.index(answer.class_name)) said.insert(answer.class_name);
  }
  if (said.size() > 1) return std::nullopt;
  return said.empty() ? Label() : certain(classes, *said.begin());
}

Label majority_label(const PeopleStore::Settled& settled, const Classes& classes) {
  std::vector<Said> said;
  for (const PeopleStore::Answer& answer : settled.answers) {
    const auto k = classes.index(answer.class_name);
    if (k) said.push_back({0, std::ssize(said), *k});
  }
  return label_of(majority_votes(said, 1, classes.size()).front());
}

}  // namespace

std::vector<std::vector<double>> people_labels(const std::string& agree,
                                               const std::vector<PeopleStore::Settled>& items,
                                               const std::vector<PeopleStore::Opinion>& used,
                                               const Classes& classes) {
  const Answered answered(used, classes);
  std::optional<Consensus> consensus;  // where an item wants it
  std::vector<Label> labels;
  for (const PeopleStore::Settled& settled : items) {
    if (auto label = agreed(settled, classes)) {
      labels.push_back(std::move(*label));
    } else if (agree == "dawid_skene") {
      if (!consensus) consensus = answered.consensus(classes.size());
      labels.push_back(consensus->posterior.at(answered.row(settled.item.id)));
    } else {
      labels.push_back(majority_label(settled, classes));
    }
  }
  return labels;
}

}  // namespace distal
