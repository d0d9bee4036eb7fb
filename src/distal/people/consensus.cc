#include "distal/people/consensus.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "distal/base/error.h"

namespace distal {
namespace {

using Row = std::vector<double>;

void normalise(Row& row) {
  double sum = 0;
  for (const double value : row) sum += value;
  for (double& value : row) value = sum > 0 ? value / sum : 1.0 / static_cast<double>(row.size());
}

double log_of(double value) { return std::log(std::max(value, 1e-300)); }

// The step of expectation-maximisation, over answers grouped by item.
class Estimate {
 public:
  Estimate(const std::vector<Said>& said, int64_t items, int64_t persons, int64_t classes,
           const ConsensusOptions& options)
      : answers_(static_cast<size_t>(items)),
        classes_(static_cast<size_t>(classes)),
        options_(options) {
    std::set<std::pair<int64_t, int64_t>> seen;
    for (const Said& one : said) {
      expect(one.item >= 0 && one.item < items && one.person >= 0 && one.person < persons &&
                 one.label >= 0 && one.label < classes,
             "an answer names an item, a person and a class");
      expect(seen.emplace(one.item, one.person).second, "a person answers an item once");
      answers_[static_cast<size_t>(one.item)].push_back(one);
    }
    result_.confusion.assign(static_cast<size_t>(persons), std::vector<Row>(classes_, Row()));
    result_.majority = majority_votes(said, items, classes);
  }

  Consensus run() {
    start();
    while (result_.iterations < options_.most_iterations && !result_.converged) {
      maximise();
      result_.converged = expectation() <= options_.tolerance;
      ++result_.iterations;
    }
    for (size_t i = 0; i < answers_.size(); ++i) {
      if (answers_[i].empty()) result_.posterior[i] = result_.class_shares;
    }
    return std::move(result_);
  }

 private:
  void start() {
    for (const MajorityVote& vote : result_.majority) {
      result_.posterior.emplace_back(vote.votes.begin(), vote.votes.end());
      normalise(result_.posterior.back());
    }
  }

  void maximise() {
    result_.class_shares.assign(classes_, options_.class_spread);
    for (auto& matrix : result_.confusion) {
      for (size_t k = 0; k < classes_; ++k) {
        matrix[k].assign(classes_, options_.spread);
        matrix[k][k] += options_.right;
      }
    }
    for (size_t i = 0; i < answers_.size(); ++i) {
      if (answers_[i].empty()) continue;
      const Row& posterior = result_.posterior[i];
      for (size_t k = 0; k < classes_; ++k) {
        result_.class_shares[k] += posterior[k];
        for (const Said& one : answers_[i])
          result_.confusion[static_cast<size_t>(one.person)][k][static_cast<size_t>(one.label)] +=
              posterior[k];
      }
    }
    normalise(result_.class_shares);
    for (auto& matrix : result_.confusion) {
      for (Row& row : matrix) normalise(row);
    }
  }

  // Returns how far a posterior moved.
  double expectation() {
    double moved = 0;
    double likelihood = 0;
    for (size_t i = 0; i < answers_.size(); ++i) {
      if (answers_[i].empty()) continue;
      Row log(classes_);
      for (size_t k = 0; k < classes_; ++k) log[k] = log_joint(answers_[i], k);
      const double most = *std::max_element(log.begin(), log.end());
      double sum = 0;
      for (const double value : log) sum += std::exp(value - most);
      likelihood += most + std::log(sum);
      for (size_t k = 0; k < classes_; ++k) {
        const double now = std::exp(log[k] - most) / sum;
        moved = std::max(moved, std::abs(now - result_.posterior[i][k]));
        result_.posterior[i][k] = now;
      }
    }
    result_.log_posterior.push_back(likelihood + log_prior());
    return moved;
  }

  double log_joint(const std::vector<Said>& answers, size_t k) const {
    double log = log_of(result_.class_shares[k]);
    for (const Said& one : answers)
      log += log_of(
          result_.confusion[static_cast<size_t>(one.person)][k][static_cast<size_t>(one.label)]);
    return log;
  }

  double log_prior() const {
    double log = 0;
    for (const double share : result_.class_shares) log += options_.class_spread * log_of(share);
    for (const auto& matrix : result_.confusion) {
      for (size_t k = 0; k < classes_; ++k) {
        for (const double cell : matrix[k]) log += options_.spread * log_of(cell);
        log += options_.right * log_of(matrix[k][k]);
      }
    }
    return log;
  }

  std::vector<std::vector<Said>> answers_;
  size_t classes_;
  ConsensusOptions options_;
  Consensus result_;
};

}  // namespace

std::vector<MajorityVote> majority_votes(const std::vector<Said>& said, int64_t items,
                                         int64_t classes) {
  std::vector<MajorityVote> all(static_cast<size_t>(items));
  for (MajorityVote& vote : all) vote.votes.resize(static_cast<size_t>(classes));
  for (const Said& one : said)
    ++all.at(static_cast<size_t>(one.item)).votes.at(static_cast<size_t>(one.label));
  for (MajorityVote& vote : all) {
    const int64_t most = classes == 0 ? 0 : *std::max_element(vote.votes.begin(), vote.votes.end());
    for (int64_t k = 0; k < classes && most > 0; ++k) {
      if (vote.votes[static_cast<size_t>(k)] == most) vote.winners.push_back(k);
    }
  }
  return all;
}

std::vector<double> label_of(const MajorityVote& vote) {
  expect(!vote.winners.empty(), "a vote that somebody took part in");
  std::vector<double> label(vote.votes.size());
  for (const int64_t winner : vote.winners)
    label[static_cast<size_t>(winner)] = 1.0 / static_cast<double>(vote.winners.size());
  return label;
}

int64_t Consensus::label(int64_t item) const {
  const auto at = static_cast<size_t>(item);
  if (majority.at(at).winners.empty()) return -1;
  return std::max_element(posterior[at].begin(), posterior[at].end()) - posterior[at].begin();
}

Consensus dawid_skene(const std::vector<Said>& said, int64_t items, int64_t persons,
                      int64_t classes, const ConsensusOptions& options) {
  expect(items >= 0 && persons >= 0 && classes >= 1, "sizes of the answers");
  expect(options.spread >= 0 && options.right >= 0 && options.class_spread >= 0,
         "answers before the first are not negative");
  return Estimate(said, items, persons, classes, options).run();
}

}  // namespace distal
