#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <thread>

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "distal/base/revision.h"
#include "distal/study/cell.h"

namespace distal {
namespace {

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min);
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

std::string machine_line() {
  return fmt::format("{}, {} of {} threads", processor(), at::get_num_threads(), std::thread::hardware_concurrency());
}

Results describe(const Experiment& experiment, const Material& material, const RunPlace& place) {
  const Recipe& recipe = experiment.base();
  Results results;
  results.question = recipe.question;
  results.name = experiment.name;
  results.classes = material.classes.names;
  results.budget_unit = recipe.selection.unit;
  results.unlabelled_segments = material.unlabelled_segments;
  results.pool_clips = static_cast<int64_t>(material.pool.size());
  results.start_clips = static_cast<int64_t>(material.start_in_pool() ? material.pool.size() : material.start.size());
  results.start_draw = experiment.start_words();
  results.test_clips = static_cast<int64_t>(material.test.size());
  for (const Clip& clip : material.test) results.test_videos.push_back(clip.group);
  results.test_id = test_id_of(material.test);
  results.recipe = experiment.resolved;
  for (const Arm& arm : experiment.arms) results.recipe += fmt::format("\n# arm {}, every option\n{}", arm.name, arm.resolved);
  results.revision = revision();
  results.machine = machine_line();
  results.command = place.command;
  results.date = today();
  results.notes = experiment.notes;
  return results;
}

void add_findings(Results& results, const Workbench& bench) {
  const Material& material = bench.material;
  std::vector<Quarantined> found = material.quarantine();
  std::set<std::string> notes, unseen, seeds_without;
  for (const int64_t run : bench.runs) {
    for (const Store::Event& event : bench.store.events(run)) {
      if (event.kind == "note") notes.insert(event.text);
      if (event.kind == "unseen") {  // a seed, and the classes of which its initial clips hold none
        const auto end = event.text.find(": ");
        if (end == std::string::npos) refuse_event(run, event, "a seed and a class");
        seeds_without.insert(event.text.substr(0, end));
        unseen.insert(event.text.substr(end + 2));
      }
      if (event.kind != "quarantined") continue;
      const auto end = event.text.find('\n');
      if (end == std::string::npos) refuse_event(run, event, "a video and a reason");
      found.push_back({event.text.substr(0, end), event.text.substr(end + 1)});
    }
  }
  results.notes.insert(results.notes.end(), notes.begin(), notes.end());
  if (!unseen.empty())
    results.notes.push_back(fmt::format("In {} of {} seeds the initial clips hold none of some class ({}): until an answer brings one, a student cannot know it.", seeds_without.size(),
                                        bench.experiment.base().seeds, fmt::join(unseen, ", ")));
  if (material.duplicates > 0) results.notes.push_back(fmt::format("{} clips were listed twice or are byte for byte another one; each counts once.", material.duplicates));
  for (const Quarantined& video : found) {
    const auto same = [&](const Quarantined& other) { return other.path == video.path; };
    if (std::any_of(results.quarantined.begin(), results.quarantined.end(), same)) continue;
    results.quarantined.push_back(video);
    bench.store.put_video({video.path, video.path, 0, 0, video.reason});
  }
}

}  // namespace distal
