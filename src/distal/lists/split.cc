#include "distal/lists/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "distal/base/random.h"

namespace distal {
namespace {

using Sizes = std::map<std::string, int64_t>;  // rows by name

struct Class {
  Sizes groups;
  int64_t rows = 0;
  double wanted = 0;
  int64_t taken = 0;
  int64_t training_groups = 0;
};

class Splitter {
 public:
  Splitter(const std::vector<Row>& rows, double test_share) {
    for (const Row& row : rows) {
      if (row.label.empty() || row.label == kUnlabelled) continue;
      ++classes_[row.label].groups[row.group];
      ++groups_[row.group][row.label];
    }
    for (auto& [name, one] : classes_) {
      for (const auto& [group, size] : one.groups) one.rows += size;
      one.wanted = test_share * static_cast<double>(one.rows);
      one.training_groups = std::ssize(one.groups);
    }
  }

  void choose(const Random& random) {
    std::vector<std::pair<int64_t, std::string>> order;  // classes with the fewest groups first
    for (const auto& [name, one] : classes_) order.emplace_back(std::ssize(one.groups), name);
    std::sort(order.begin(), order.end());
    for (const auto& [count, name] : order) {
      const Class& one = classes_[name];
      std::vector<std::string> names;
      for (const auto& [group, size] : one.groups) names.push_back(group);
      for (const int64_t at : random.stream(name).permutation(count)) {
        if (static_cast<double>(one.taken) >= one.wanted) break;
        if (can_spare(names[at]) && change(names[at]) < 0) take(names[at]);
      }
      if (one.taken == 0 && one.wanted > 0) take_least_harm(names);
    }
  }

  bool spans_classes() const {
    return std::any_of(groups_.begin(), groups_.end(),
                       [](const auto& group) { return group.second.size() > 1; });
  }
  int64_t groups() const { return std::ssize(groups_); }
  // Sum over the classes of the squared distance from the share.
  double distance() const {
    double sum = 0;
    for (const auto& [name, one] : classes_)
      sum += std::pow((static_cast<double>(one.taken) - one.wanted) / static_cast<double>(one.rows),
                      2);
    return sum;
  }
  const std::set<std::string>& chosen() const { return chosen_; }
  const std::map<std::string, Class>& classes() const { return classes_; }

 private:
  bool can_spare(const std::string& group) const {
    const auto spared = [&](const auto& part) {
      return classes_.at(part.first).training_groups > 1;
    };
    return !chosen_.contains(group) &&
           std::all_of(groups_.at(group).begin(), groups_.at(group).end(), spared);
  }

  // How much further from their shares the classes of a group would be with it, in shares of each
  // class.
  double change(const std::string& group) const {
    double sum = 0;
    for (const auto& [name, size] : groups_.at(group)) {
      const Class& one = classes_.at(name);
      const double before = static_cast<double>(one.taken) - one.wanted;
      sum += (std::abs(before + static_cast<double>(size)) - std::abs(before)) /
             static_cast<double>(one.rows);
    }
    return sum;
  }

  void take(const std::string& group) {
    chosen_.insert(group);
    for (const auto& [name, size] : groups_.at(group)) {
      classes_[name].taken += size;
      --classes_[name].training_groups;
    }
  }

  void take_least_harm(const std::vector<std::string>& names) {
    const std::string* best = nullptr;
    for (const auto& name : names) {
      if (can_spare(name) && (best == nullptr || change(name) < change(*best))) best = &name;
    }
    if (best != nullptr) take(*best);
  }

  std::map<std::string, Class> classes_;
  std::map<std::string, Sizes> groups_;  // rows of each class in a group
  std::set<std::string> chosen_;
};

constexpr uint64_t kDraws = 16;
constexpr int64_t kManyGroups = 10'000;  // so many even out in one draw

Splitter best_of_draws(const Splitter& undecided, uint64_t seed) {
  Splitter best = undecided;
  best.choose(Random(seed).stream("draw"));
  if (!undecided.spans_classes() || undecided.groups() > kManyGroups) return best;
  for (uint64_t draw = 1; draw < kDraws; ++draw) {
    Splitter other = undecided;
    other.choose(Random(seed).stream("draw", draw));
    if (other.distance() < best.distance()) best = std::move(other);
  }
  return best;
}

}  // namespace

GroupSplit split_by_group(const std::vector<Row>& rows, double test_share, uint64_t seed) {
  const Splitter splitter = best_of_draws(Splitter(rows, test_share), seed);
  GroupSplit split;
  for (const Row& row : rows) split.test.push_back(splitter.chosen().contains(row.group));
  for (const auto& [name, one] : splitter.classes()) {
    if (one.groups.size() == 1)
      split.one_group.push_back(name);
    else if (one.taken == 0 && one.wanted > 0)
      split.untested.push_back(name);
  }
  return split;
}

std::vector<bool> hold_out_groups(const std::vector<Row>& rows, double share, uint64_t seed) {
  std::vector<Row> one_class = rows;
  for (Row& row : one_class) row.label = "any";
  return split_by_group(one_class, share, seed).test;
}

std::vector<int64_t> draw_evenly(const std::vector<Interned>& groups, int64_t count,
                                 uint64_t seed) {
  std::map<std::string, std::vector<int64_t>> rows;
  for (int64_t i = 0; i < std::ssize(groups); ++i) rows[groups[i]].push_back(i);
  std::vector<std::vector<int64_t>> shuffled;  // groups in turn, each in an order of its own
  for (const auto& [name, own] : rows) {
    shuffled.emplace_back();
    for (const int64_t at : Random(seed).stream("group " + name).permutation(std::ssize(own)))
      shuffled.back().push_back(own[at]);
  }
  const auto turns = Random(seed).stream("groups").permutation(std::ssize(shuffled));
  count = std::min<int64_t>(count, std::ssize(groups));
  std::vector<int64_t> drawn;
  for (size_t pass = 0; std::ssize(drawn) < count; ++pass) {
    for (const int64_t turn : turns) {
      const bool has = pass < shuffled[turn].size();
      if (has && std::ssize(drawn) < count) drawn.push_back(shuffled[turn][pass]);
    }
  }
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

}  // namespace distal
