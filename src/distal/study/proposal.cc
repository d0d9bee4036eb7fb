#include "distal/study/proposal.h"

#include "distal/base/error.h"
#include "distal/base/progress.h"
#include "distal/study/proposal_for_people.h"
#include "distal/study/proposal_parts.h"

namespace distal {
namespace {

// How large a comparison is. The first is the whole one; the others ask the same of less.
struct Extent {
  int64_t size_px, width, steps, rounds, seeds;
  bool badge;
};
constexpr Extent kExtents[] = {
    {96, 16, 300, 4, 5, true}, {96, 16, 200, 2, 3, false}, {64, 16, 150, 2, 2, false},
    {64, 8, 100, 1, 2, false}, {48, 8, 60, 1, 2, false},
};
constexpr Extent kWhole = kExtents[0];

constexpr int64_t kFewest = 5;  // clips of a class

// A line whose value is smaller than in the whole comparison says what it is there.
template <class Value>
std::string setting(const std::string& key, Value value, Value whole,
                    const std::string& remark = "") {
  std::string text = fmt::format("{}: {}", key, value);
  std::string comment = remark;
  if (value != whole)
    comment = fmt::format("whole: {}{}{}", whole, remark.empty() ? "" : "; ", remark);
  return comment.empty() ? text : fmt::format("{:<29} # {}", text, comment);
}

std::string model_text(const Extent& extent, const std::string& init) {
  return init.empty() ? fmt::format("{{name: resnet3d, depth: 10, width: {}}}", extent.width)
                      : "{name: tsn, base: mobilenet_v2, init: " + in_quotes(init) + "}";
}

// A frame network with ImageNet weights where there are some.
std::string recipe_of(const ProposedClips& pool, const Extent& extent,
                      const ProposalOptions& options, const std::string& how_long) {
  const int64_t classes = pool.classes();
  const int64_t round = std::max(classes, pool.pool() / 12 / classes * classes);
  const int64_t labels = round * (extent.rounds + 1);
  const std::string flip = tells_sides(pool.dataset.classes)
                               ? "{flip: 0}          # a flip would change the class; or name "
                                 "pairs: flip_labels: [\"left:right\"]"
                               : "{flip: 0.5}        # 0 where a flip would change the class";
  return fmt::format(
      R"(# {} training clips, {} test clips, {} classes.
# Only differences from the defaults are written; `distal run --help` lists all.
{}question: Does choosing what to label beat labelling at random on this data?

data:
  root: {}
  pool: {{csv: train.csv}}      # path,label,group; the labels answer as hidden truth
  test: {{csv: test.csv}}       # other source videos
{}
input:
  sampling: {{frames: 8}}
  {}

student:
  {}
  training:
    {}
    learning_rate: 0.02
  augment: {}

start: {}                     # initial labels
{}
budget: {}                    # each round; {} labels at the end, {:.0f} % of the pool

{}
arms:
  random: {{strategy: random}}
  margin: {{strategy: margin}}
{}  badge: {{strategy: badge}}
)",
      pool.pool(), pool.dataset.test.size(), classes, how_long, in_quotes(options.folder),
      pool.segments_text(), setting("size_px", extent.size_px, kWhole.size_px),
      setting("model", model_text(extent, options.init), model_text(kWhole, options.init)),
      setting("steps", extent.steps, kWhole.steps,
              fmt::format("x 16 = {} clips seen in each training", 16 * extent.steps)),
      flip, round, setting("rounds", extent.rounds, kWhole.rounds), round, labels,
      100.0 * static_cast<double>(labels) / static_cast<double>(pool.pool()),
      setting("seeds", extent.seeds, kWhole.seeds, "paired"), extent.badge ? "" : "#");
}

std::string how_long(double minutes, double whole_minutes, bool whole) {
  const std::string more = whole ? ""
                                 : fmt::format("; the whole comparison takes {}: its values stand "
                                               "behind \"whole:\", and badge is its third arm",
                                               in_words(whole_minutes));
  return fmt::format("# About {} on this machine{}.\n"
                     "# More seeds and rounds make it longer and go on in the same results; more "
                     "steps, pixels, arms or a wider network make it longer\n"
                     "# and are another experiment, with another --out.\n",
                     in_words(minutes), more);
}

}  // namespace

Proposal propose(const ProposalOptions& options, Progress& progress, const PaceOf& pace_of) {
  require_utf8(options.folder, "rename the folder, or give --data a link to it");
  require_utf8(options.init, "rename the file, or give --init a link to it");
  if (!options.classes.empty()) return propose_for_people(options, progress, pace_of);
  ProposedClips pool = open_for_proposal(options, kFewest, progress);
  if (pool.pool() < kFewest * pool.classes())
    fail("{}/train.csv: {} usable clips for {} classes; five a class are the least a loop can use: "
         "add some",
         options.folder, pool.pool(), pool.classes());
  const PaceOf once = once_each(pace_of);
  Proposal proposal;
  for (const Extent& extent : kExtents) {
    const bool whole = &extent == std::begin(kExtents);
    const std::string bare = recipe_of(pool, extent, options, "");
    proposal.plan = plan(read_study(Document::text(bare, options.name), options.name), pool.dataset,
                         once, progress);
    proposal.minutes = proposal.plan.minutes;
    if (whole) proposal.whole_minutes = proposal.minutes;
    proposal.text =
        recipe_of(pool, extent, options, how_long(proposal.minutes, proposal.whole_minutes, whole));
    if (proposal.minutes <= options.most_minutes) break;
  }
  return proposal;
}

}  // namespace distal
