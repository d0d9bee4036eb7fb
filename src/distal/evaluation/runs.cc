#include "distal/evaluation/runs.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "distal/base/error.h"
#include "distal/base/files.h"

namespace distal {
namespace {

namespace fs = std::filesystem;

struct NamedRun {
  std::string folder, name;  // as given; its last parts, as many as tell it from the others
  Results results;
};

Results read_results(const std::string& folder) {
  const std::string path = (fs::path(folder) / "report.json").string();
  std::error_code unknown;
  if (!fs::exists(path, unknown)) {
    if (!fs::exists(folder, unknown))
      fail("{}: no such folder; give the folder of a run, such as runs/RECIPE", folder);
    fail("{}: no finished run here; distal run writes it (--out names the folder)", path);
  }
  const std::string text = read_file(path);
  try {
    return results_from_json(text);
  } catch (const Error& error) {
    fail("{}: {}", path, error.what());
  }
}

std::string last_parts(const fs::path& path, int64_t count) {
  fs::path name;
  auto part = path.end();
  for (; count > 0 && part != path.begin(); --count) --part;
  for (; part != path.end(); ++part) name /= *part;
  return name.string();
}

std::vector<std::string> run_names(const std::vector<std::string>& folders) {
  std::vector<fs::path> paths;
  for (const auto& folder : folders) {
    const fs::path path = fs::weakly_canonical(folder);
    if (std::find(paths.begin(), paths.end(), path) != paths.end())
      throw UsageError(fmt::format("{}: given twice; name each run once", folder));
    paths.push_back(path);
  }
  std::vector<std::string> names;
  for (int64_t count = 1; std::set(names.begin(), names.end()).size() < folders.size(); ++count) {
    names.clear();
    for (const auto& path : paths) names.push_back(last_parts(path, count));
  }
  return names;
}

// What must be equal for accuracies to mean the same thing.
void require_comparable(const NamedRun& first, const NamedRun& other) {
  const auto refuse = [&](const std::string& what) {
    fail(
        "{} and {} differ in {}; such numbers cannot stand side by side: run both on the same data",
        first.folder, other.folder, what);
  };
  const auto differs = [](const std::vector<std::string>& a, const std::vector<std::string>& b,
                          const char* what) {
    if (a.size() != b.size()) return fmt::format("{} ({} and {})", what, a.size(), b.size());
    const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin());
    return fmt::format("{} (number {}: {} and {})", what, x - a.begin() + 1, *x, *y);
  };
  const Results& a = first.results;
  const Results& b = other.results;
  if (a.classes != b.classes) refuse(differs(a.classes, b.classes, "their classes"));
  if (a.test_groups != b.test_groups)
    refuse(differs(a.test_groups, b.test_groups, "the videos of their test clips"));
  if (!a.test_id.empty() && !b.test_id.empty() && a.test_id != b.test_id)
    refuse("their test clips (of the same videos, but with other spans, labels, content or order)");
  if (a.budget_unit != b.budget_unit)
    refuse(fmt::format("what their budget counts ({} and {})", a.budget_unit, b.budget_unit));
}

void prefix(NamedRun& run) {
  for (Trial& trial : run.results.trials) {
    trial.arm = run.name + "/" + trial.arm;
    if (!trial.against.empty()) trial.against = run.name + "/" + trial.against;
  }
  for (Quarantined& video : run.results.quarantined) video.reason = run.name + ": " + video.reason;
  for (std::string& note : run.results.notes) note = run.name + ": " + note;
}

// One line for all runs where they agree, else each run's own.
std::string joined(const std::vector<NamedRun>& runs, std::string Results::*field,
                   const char* between) {
  const auto same = [&](const NamedRun& run) {
    return run.results.*field == runs.front().results.*field;
  };
  if (std::all_of(runs.begin(), runs.end(), same)) return runs.front().results.*field;
  std::string text;
  for (const NamedRun& run : runs)
    text += (text.empty() ? "" : between) + run.name + ": " + run.results.*field;
  return text;
}

void note_difference(Results& all, const std::vector<NamedRun>& runs, int64_t Results::*field,
                     const char* what) {
  const auto same = [&](const NamedRun& run) {
    return run.results.*field == runs.front().results.*field;
  };
  if (std::all_of(runs.begin(), runs.end(), same)) return;
  std::string text;
  for (const NamedRun& run : runs)
    text += fmt::format("{}{} in {}", text.empty() ? "" : ", ", run.results.*field, run.name);
  all.notes.push_back(
      fmt::format("The runs differ in {}: {}; below stands the first.", what, text));
}

// Results from before there was a test_id are comparable as far as can be seen; the reader is told
// how far that is.
void note_unknown_clips(Results& all, const std::vector<NamedRun>& runs) {
  std::string names;
  for (const NamedRun& run : runs) {
    if (run.results.test_id.empty()) names += (names.empty() ? "" : ", ") + run.name;
  }
  if (names.empty()) return;
  all.notes.push_back(fmt::format("An older version wrote {} and did not say which clips were "
                                  "tested: that they come from the same videos as the "
                                  "other runs' was checked, that they are the same clips was not.",
                                  names));
}

// Cohen's kappa of all repeats is not to be had from those of the runs.
void add_to(PersonResult& all, const PersonResult& more) {
  if (all.repeats == 0) all.kappa = more.kappa;
  if (all.repeats > 0 && more.repeats > 0) all.kappa = std::numeric_limits<double>::quiet_NaN();
  all.answers += more.answers;
  all.minutes += more.minutes;
  all.repeats += more.repeats;
  all.same += more.same;
}

// A person who answered in several runs counts once.
void add_people(Results& all, const Results& more) {
  for (const PersonResult& person : more.people) {
    const auto there = std::find_if(all.people.begin(), all.people.end(),
                                    [&](const auto& other) { return other.name == person.name; });
    if (there == all.people.end())
      all.people.push_back(person);
    else
      add_to(*there, person);
  }
  all.answered_twice += more.answered_twice;
}

Results merged(std::vector<NamedRun>& runs) {
  for (NamedRun& run : runs) prefix(run);
  Results all = runs.front().results;
  for (auto run = runs.begin() + 1; run != runs.end(); ++run) {
    const Results& more = run->results;
    all.trials.insert(all.trials.end(), more.trials.begin(), more.trials.end());
    all.quarantined.insert(all.quarantined.end(), more.quarantined.begin(), more.quarantined.end());
    all.notes.insert(all.notes.end(), more.notes.begin(), more.notes.end());
    add_people(all, more);
    if (more.teacher_accuracy != all.teacher_accuracy) all.teacher_accuracy = -1;
    all.read_s += more.read_s;
  }
  for (const auto field :
       {&Results::question, &Results::name, &Results::teacher, &Results::revision,
        &Results::machine, &Results::command, &Results::date, &Results::start_draw}) {
    all.*field = joined(runs, field, "; ");
  }
  all.recipe.clear();
  for (const NamedRun& run : runs)
    all.recipe += fmt::format("# run {}\n{}\n", run.name, run.results.recipe);
  note_difference(all, runs, &Results::pool_clips, "clips of the pool");
  note_difference(all, runs, &Results::start_clips, "clips to start from");
  note_difference(all, runs, &Results::unlabelled_segments, "segments without a label");
  note_unknown_clips(all, runs);
  return all;
}

void refuse_duplicates(const Results& results, const std::string& place) {
  std::set<std::pair<std::string, int64_t>> seen;
  for (const Trial& trial : results.trials) {
    if (!seen.emplace(trial.arm, trial.seed).second)
      fail("{}: arm {} has seed {} twice; each pair may count once: run it again into an empty "
           "folder",
           place, trial.arm, trial.seed);
  }
}

}  // namespace

Results read_runs(const std::vector<std::string>& folders) {
  const std::vector<std::string> names = run_names(folders);
  std::vector<NamedRun> runs;
  for (size_t i = 0; i < folders.size(); ++i) {
    runs.push_back({folders[i], names[i], read_results(folders[i])});
    refuse_duplicates(runs.back().results, folders[i]);
    for (size_t earlier = 0; earlier < i; ++earlier)
      require_comparable(runs[earlier], runs[i]);  // the first may lack a test_id
  }
  return runs.size() == 1 ? runs.front().results : merged(runs);
}

}  // namespace distal
