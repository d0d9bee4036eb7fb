#include "mixup_evidence.h"

#include <nlohmann/json.hpp>

namespace distal::reproduce {
namespace {

struct Bar {
  const char* arm;
  int64_t answers;
  double accuracy;
};
const std::vector<Bar> kBars = {{"teacher", 0, 91.0},
                                {"labels", 0, 83.0},
                                {"kd", 2000, 85.0},
                                {"random", 40'000, 87.5},
                                {"best", 40'000, 88.5}};

std::string name_of(const Cell& cell) {
  return cell.answers > 0 ? fmt::format("{} at {} answers", cell.arm, cell.answers) : cell.arm;
}

Cell cell_of(const std::string& arm, int64_t answers, std::vector<const Row*> rows, bool bars) {
  std::sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) { return a->seed < b->seed; });
  Cell cell{arm, answers};
  for (const Row* row : rows) {
    cell.seeds.push_back(row->seed);
    cell.accuracy.push_back(row->accuracy);
    cell.forwards += row->forwards / std::ssize(rows);
  }
  cell.summary = summarise(cell.accuracy);
  for (const Bar& bar : kBars) {
    if (bars && bar.arm == arm && bar.answers == answers) cell.bar = bar.accuracy;
  }
  return cell;
}

std::vector<double> differences(const Cell& a, const Cell& b) {
  std::vector<double> values;
  for (size_t i = 0; i < a.seeds.size(); ++i) {
    for (size_t j = 0; j < b.seeds.size(); ++j) {
      if (a.seeds[i] == b.seeds[j]) values.push_back(a.accuracy[i] - b.accuracy[j]);
    }
  }
  return values;
}

// Planned before anything was measured; all that are there are corrected together.
std::vector<std::pair<const Cell*, const Cell*>> planned(const std::vector<Cell>& cells) {
  const auto of = [&](const std::string& arm) {
    std::vector<const Cell*> found;
    for (const Cell& cell : cells) {
      if (cell.arm == arm) found.push_back(&cell);
    }
    return found;
  };
  std::vector<std::pair<const Cell*, const Cell*>> pairs;
  for (const auto& [a, b] : std::vector<std::pair<const char*, const char*>>{
           {"kd", "labels"}, {"random", "kd"}, {"best", "random"}}) {
    if (!of(a).empty() && !of(b).empty()) pairs.emplace_back(of(a).back(), of(b).back());
  }  // at the most answers
  for (const auto& [a, b] : std::vector<std::pair<const char*, const char*>>{
           {"c2", "random"}, {"c1", "random"}, {"c2", "c1"}}) {
    for (const Cell* x : of(a)) {
      for (const Cell* y : of(b)) {
        if (x->answers == y->answers) pairs.emplace_back(x, y);
      }
    }
  }
  return pairs;
}

}  // namespace

const std::vector<std::string> kArms = {"teacher", "labels", "kd", "random", "c1", "c2", "best"};

nlohmann::ordered_json to_json(const Row& row) {
  return {{"arm", row.arm},         {"settings", row.settings}, {"seed", row.seed},
          {"answers", row.answers}, {"accuracy", row.accuracy}, {"forwards", row.forwards},
          {"seconds", row.seconds}};
}

Row row_from(const nlohmann::json& json) {
  return {json.at("arm"),      json.at("settings"), json.at("seed"),   json.at("answers"),
          json.at("accuracy"), json.at("forwards"), json.at("seconds")};
}

Evidence evidence(const std::vector<Row>& rows, bool bars) {
  Evidence evidence;
  for (const std::string& arm : kArms) {
    std::map<int64_t, std::vector<const Row*>> by_answers;
    for (const Row& row : rows) {
      if (row.arm == arm) by_answers[row.answers].push_back(&row);
    }
    for (const auto& [answers, of_cell] : by_answers)
      evidence.cells.push_back(cell_of(arm, answers, of_cell, bars));
  }
  std::vector<double> p;
  const auto pairs = planned(evidence.cells);
  for (const auto& [a, b] : pairs) p.push_back(paired_t_test(differences(*a, *b)).p);
  const auto corrected = holm(p);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& [a, b] = pairs[i];
    const auto values = differences(*a, *b);
    evidence.comparisons.push_back({name_of(*a), name_of(*b), paired_t_test(values), corrected[i],
                                    verdict(name_of(*a), name_of(*b), {values, corrected[i]},
                                            "accuracy points", Better::larger, "images")});
  }
  return evidence;
}

std::string text(const Evidence& evidence) {
  std::string text = fmt::format("{:<8} {:>7} {:>3}  {:<25} {:>12}  {}\n", "arm", "answers", "n",
                                 "accuracy (95 % interval)", "scored", "bar");
  for (const Cell& cell : evidence.cells) {
    const auto& [n, mean, sd, interval] = cell.summary;
    const std::string range =
        n > 1 ? fmt::format(" ({:.2f} to {:.2f})", interval.low, interval.high) : "";
    const std::string bar =
        cell.bar ? fmt::format(">= {:.1f} {}", *cell.bar, cell.met() ? "met" : "MISSED") : "";
    text += fmt::format("{:<8} {:>7} {:>3}  {:<25} {:>12}  {}\n", cell.arm, cell.answers, n,
                        fmt::format("{:.2f}{}", mean, range), cell.forwards, bar);
  }
  for (const Comparison& comparison : evidence.comparisons) text += comparison.sentence + "\n";
  return text;
}

nlohmann::ordered_json to_json(const Evidence& evidence) {
  nlohmann::ordered_json cells = nlohmann::ordered_json::array();
  nlohmann::ordered_json comparisons = nlohmann::ordered_json::array();
  const auto bound = [](double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  for (const Cell& cell : evidence.cells) {
    cells.push_back({{"arm", cell.arm},
                     {"answers", cell.answers},
                     {"seeds", cell.seeds},
                     {"accuracy", cell.accuracy},
                     {"mean", cell.summary.mean},
                     {"sd", cell.summary.sd},
                     {"low", bound(cell.summary.interval.low)},
                     {"high", bound(cell.summary.interval.high)},
                     {"forwards", cell.forwards}});
    if (cell.bar) {
      cells.back()["bar"] = *cell.bar;
      cells.back()["met"] = cell.met();
    }
  }
  for (const Comparison& comparison : evidence.comparisons) {
    const Summary95& difference = comparison.test.difference;
    comparisons.push_back({{"a", comparison.a},
                           {"b", comparison.b},
                           {"n", difference.n},
                           {"difference", bound(difference.mean)},
                           {"low", bound(difference.interval.low)},
                           {"high", bound(difference.interval.high)},
                           {"p", comparison.test.p},
                           {"p_holm", comparison.p_holm},
                           {"verdict", comparison.sentence}});
  }
  return {{"cells", cells}, {"comparisons", comparisons}};
}

}  // namespace distal::reproduce
