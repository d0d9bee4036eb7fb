#include "distal/study/proposal_for_people.h"

#include <algorithm>

#include "distal/base/error.h"
#include "distal/study/proposal_parts.h"
#include "distal/study/whole_videos.h"

namespace distal {
namespace {

constexpr int64_t kMostTest = 60;   // test clips that people are asked to label
constexpr int64_t kFewestPool = 3;  // clips of the pool, for each class
// People mark ranges on whole videos where there are so many to choose from, of so many segments.
constexpr int64_t kFewestVideos = 8;
constexpr int64_t kFewestSegments = 3;

// How many answers people give, and when.
struct Amounts {
  int64_t test = 0;
  int64_t start = 0;
  int64_t budget = 0;
  int64_t rounds = 0;
  int64_t all() const { return test + start + budget * rounds; }
};

// Segments of the videos of the pool, ascending.
std::vector<int64_t> segments_of(const ProposedClips& clips) {
  std::vector<int64_t> segments;
  for (const ClipRefs& video : by_video(refs_of(clips.dataset.pool)))
    segments.push_back(std::ssize(video));
  std::sort(segments.begin(), segments.end());
  return segments;
}

bool by_ranges(const ProposedClips& clips) {
  if (clips.segment_s == 0) return false;
  const std::vector<int64_t> segments = segments_of(clips);
  return std::ssize(segments) >= kFewestVideos && segments[segments.size() / 2] >= kFewestSegments;
}

Amounts answers_for(const ProposedClips& clips) {
  Amounts answers;
  const int64_t pool = clips.pool();
  const int64_t classes = clips.classes();
  answers.test = std::min<int64_t>(std::ssize(clips.dataset.test), kMostTest);
  answers.start = std::min(std::max<int64_t>(2 * classes, 10), pool / 2);
  answers.budget = std::max<int64_t>(1, std::min(std::max<int64_t>(classes, 10), pool / 8));
  if (by_ranges(clips)) {  // whole videos, any of them
    const int64_t longest = segments_of(clips).back();
    answers.start = std::min(std::max(answers.start, 2 * longest), pool / 2);
    answers.budget = std::min(std::max(answers.budget, longest), pool - answers.start);
    answers.test = std::ssize(draw_test_videos(clips.dataset.test, answers.test));
  }
  answers.rounds = std::clamp<int64_t>((pool - answers.start) / answers.budget, 1, 4);
  return answers;
}

std::string student_text(const ProposalOptions& options, const Classes& classes) {
  const char* flip = tells_sides(classes) ? "0}        # a mirrored clip would change its class"
                                          : "0.5}      # 0 where a mirrored clip changes its class";
  if (!options.init.empty())
    return fmt::format(
        "  model: {{name: tsn, base: mobilenet_v2, init: {}, freeze: backbone, dropout: 0}}\n"
        "  training: {{steps: 300, learning_rate: 0.02}}\n",
        in_quotes(options.init));
  return fmt::format("  model: {{name: resnet3d, depth: 10, width: 8}}   # distal new --init FILE "
                     "takes a network with ImageNet weights: far better with few labels\n"
                     "  training: {{steps: 100, learning_rate: 0.02}}\n"
                     "  augment: {{flip: {}\n",
                     flip);
}

std::string test_text(const ProposedClips& clips, int64_t test) {
  const double points = 98 / std::sqrt(static_cast<double>(test));
  if (by_ranges(clips))
    return fmt::format(
        "  test_clips: {}               # segments, in whole videos; an accuracy over "
        "so many is known to about +- {:.0f} points at best\n",
        test, points);
  return fmt::format("  test_clips: {}               # an accuracy over so many clips is known to "
                     "about +- {:.0f} points\n",
                     test, points);
}

std::string oracle_text(const ProposedClips& clips, const Amounts& answers) {
  const std::string count =
      fmt::format("{} {} in all: {} held out, {} to begin with, {} rounds of {}", answers.all(),
                  by_ranges(clips) ? "segments" : "answers", answers.test, answers.start,
                  answers.rounds, answers.budget);
  if (by_ranges(clips))
    return fmt::format(
        "# People mark ranges with classes on the time line of a whole video, which "
        "label its segments.\n"
        "# background: NAME gives the time that no range covers a class; without it, "
        "nothing learns from that time.\n"
        "oracle: {{kind: people, answers: ranges}}   # {}\n"
        "selection: {{ask: video}}\n",
        count);
  const char* other = clips.segment_s == 0
                          ? ""
                          : "# With answers: ranges and selection: {ask: video} people mark ranges "
                            "on whole videos instead.\n";
  return fmt::format("{}oracle: {{kind: people}}        # {}\n", other, count);
}

std::string recipe_text(const ProposedClips& clips, const ProposalOptions& options,
                        const std::string& how_long) {
  const Amounts answers = answers_for(clips);
  const bool features = !options.init.empty();
  return fmt::format(
      R"(# {} clips in the pool, {} held out, {} classes. Nobody has labelled them: people answer.
# Only differences from the defaults are written; `distal run --help` lists all.
{}question: What does a student learn from the clips that people are asked about?

data:
  root: {}
  classes: {}
  pool: {{csv: pool.csv}}       # path,group: no labels
  test: {{csv: held_out.csv}}   # other groups; people label these too, and nothing learns from them
{}{}
{}
input:
  sampling: {{frames: 8}}
  size_px: {}

student:
{}
start: {}
start_draw: {}
rounds: {}
budget: {}
strategy: margin

seeds: 3
chooses: first_seed            # people answer once; the seeds differ by training alone
no_random_arm: people would answer as much again
# Whether choosing beats chance costs people as many answers again, and 5 seeds show it better:
# seeds: 5
# chooses: each_seed
# arms: {{margin: {{}}, random: {{strategy: random, start_draw: random}}}}
)",
      clips.pool(), clips.dataset.test.size(), clips.classes(), how_long, in_quotes(options.folder),
      names_text(options.classes), test_text(clips, answers.test), clips.segments_text(),
      oracle_text(clips, answers), features ? 224 : 64,
      student_text(options, clips.dataset.classes), answers.start,
      features ? "typiclust        # typical of the pool, by the features of the network"
               : "random",
      answers.rounds, answers.budget);
}

}  // namespace

Proposal propose_for_people(const ProposalOptions& options, Progress& progress,
                            const PaceOf& pace_of) {
  if (options.classes.size() < 2)
    throw UsageError("--classes names one class, which is no choice; name two or more");
  for (const std::string& name : options.classes)
    require_utf8(name, "write the names of classes in UTF-8");
  ProposedClips clips = open_for_proposal(options, kFewestPool, progress);
  if (clips.pool() < kFewestPool * clips.classes()) {
    fail("{}/pool.csv: {} usable clips for {} classes; {} a class are the least a loop can use: "
         "add some",
         options.folder, clips.pool(), clips.classes(), kFewestPool);
  }
  Proposal proposal;
  const std::string bare = recipe_text(clips, options, "");
  proposal.plan = plan(read_study(Document::text(bare, options.name), options.name), clips.dataset,
                       once_each(pace_of), progress);
  proposal.minutes = proposal.whole_minutes = proposal.plan.minutes;
  proposal.text =
      recipe_text(clips, options,
                  fmt::format("# About {} of this machine in all, besides the time of people.\n",
                              in_words(proposal.minutes)));
  return proposal;
}

}  // namespace distal
