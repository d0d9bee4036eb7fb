#include "distal/study/describe.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <set>
#include <thread>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "distal/base/revision.h"
#include "distal/study/trial_record.h"

namespace distal {
namespace {

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min);
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

}  // namespace

std::string machine_line() {
  return fmt::format("{}, {} of {} threads", processor(), at::get_num_threads(),
                     std::thread::hardware_concurrency());
}

Results describe(const Study& study, const Dataset& dataset, const std::string& command) {
  Results results;
  results.question = study.shared.question;
  results.name = study.name;
  results.classes = dataset.classes.names;
  results.budget_unit = study.budget_unit();
  results.unlabelled_segments = dataset.unlabelled_segments;
  results.pool_clips = std::ssize(dataset.pool);
  results.start_clips =
      dataset.start_in_pool() ? std::ssize(dataset.pool) : std::ssize(dataset.start);
  results.start_draw = study.start_words();
  results.test_clips = std::ssize(dataset.test);
  for (const Clip& clip : dataset.test) {
    results.test_groups.push_back(clip.group);
    results.test_classes.push_back(clip.label);
  }
  results.test_id = test_id_of(dataset.test);
  results.recipe = study.resolved;
  for (const Arm& arm : study.arms)
    results.recipe += fmt::format("\n# arm {}, every option\n{}", arm.name, arm.resolved);
  results.revision = revision();
  results.machine = machine_line();
  results.command = command;
  results.date = today();
  results.notes = study.notes;
  return results;
}

void add_findings(Results& results, const Study& study, const Dataset& dataset, Store& store,
                  const std::map<int64_t, int64_t>& seeds) {
  std::vector<Quarantined> quarantined = dataset.quarantine();
  std::set<std::string> notes, unseen;
  std::set<int64_t> seeds_without;
  for (const auto& [run, seed] : seeds) {
    const TrialFindings found = findings(store, run);
    notes.insert(found.notes.begin(), found.notes.end());
    unseen.insert(found.unseen.begin(), found.unseen.end());
    if (!found.unseen.empty()) seeds_without.insert(seed);
    quarantined.insert(quarantined.end(), found.quarantined.begin(), found.quarantined.end());
  }
  results.notes.insert(results.notes.end(), notes.begin(), notes.end());
  if (!unseen.empty())
    results.notes.push_back(
        fmt::format("In {} of {} seeds the initial clips hold none of some class ({}): until an "
                    "answer brings one, a student cannot know it.",
                    seeds_without.size(), study.shared.seeds, fmt::join(unseen, ", ")));
  if (dataset.duplicates > 0)
    results.notes.push_back(fmt::format(
        "{} clips were listed twice or are byte for byte another one; each counts once.",
        dataset.duplicates));
  for (const Quarantined& video : quarantined) {
    const auto same = [&](const Quarantined& other) { return other.path == video.path; };
    if (std::any_of(results.quarantined.begin(), results.quarantined.end(), same)) continue;
    results.quarantined.push_back(video);
    store.put_video({video.path, video.path, 0, 0, video.reason});
  }
}

}  // namespace distal
