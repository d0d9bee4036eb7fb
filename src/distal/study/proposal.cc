#include "distal/study/proposal.h"

#include <cctype>
#include <set>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/progress.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr double kSegment_s = 8;                 // eight frames of it are one a second
constexpr double kLongVideo_s = 2 * kSegment_s;  // eight frames do not tell what happens in more
constexpr double kUntrimmed =
    1.5;  // so many times as long as its rows a video is more than its rows

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

// JSON's strings are YAML's.
std::string in_quotes(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A recipe is UTF-8: with another name in it, it would name what is not there.
void require_utf8(const std::string& path, const char* cure) {
  if (valid_utf8(path) != path)
    fail("{}: its name is no UTF-8, and a recipe cannot hold it; {}", path, cure);
}

double at_share(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

Dataset open_as(const std::string& folder, const std::string& clips, Progress& progress) {
  const std::string yaml = fmt::format("{{data: {{root: {}, pool: {{csv: train.csv}}, test: {{csv: "
                                       "test.csv}}}}, clips: {}, start: 1, rounds: 0}}",
                                       in_quotes(folder), clips);
  return open_dataset(read_study(Document::text(yaml, folder), "new"), progress);
}

// The length of the segments that the pool should be cut into; 0: its rows are clips as they are.
double segment_s(const Dataset& dataset) {
  std::vector<double> rows, videos;
  std::set<std::string> seen;
  for (const Clip& clip : dataset.pool) {
    check_interrupted();
    rows.push_back(clip.duration_s());
    if (seen.insert(clip.video).second)
      videos.push_back(dataset.reader->probe(clip.video).duration_s);
  }
  const double row_s = at_share(rows, 0.5);
  const bool parts = at_share(videos, 0.5) > kUntrimmed * row_s;
  if (!parts && row_s <= kLongVideo_s) return 0;
  // Most rows then hold a segment of their own.
  return parts ? std::clamp(std::round(2 * at_share(rows, 0.25)) / 2, 1.0, kSegment_s) : kSegment_s;
}

struct Pool {
  Dataset dataset;
  double segment_s = 0;
  int64_t train() const { return std::ssize(dataset.pool); }
  int64_t classes() const { return dataset.classes.size(); }
  bool enough() const { return train() >= 5 * classes(); }
};

Pool open_videos(const std::string& folder, Progress& progress) {
  Pool whole{open_as(folder, "{unit: video}", progress)};
  const double length_s = segment_s(whole.dataset);
  if (length_s == 0) return whole;
  try {
    Pool cut{open_as(folder,
                     fmt::format("{{unit: segment, length_s: {0:g}, stride_s: {0:g}}}", length_s),
                     progress),
             length_s};
    if (cut.enough()) return cut;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {  // a class whose rows hold no segment: they stay clips
  }
  return whole;
}

bool tells_sides(const Classes& classes) {
  return std::any_of(classes.names.begin(), classes.names.end(), [](std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return name.find("left") != std::string::npos || name.find("right") != std::string::npos;
  });
}

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
std::string recipe_of(const Pool& pool, const Extent& extent, const ProposalOptions& options,
                      const std::string& how_long) {
  const int64_t classes = pool.classes();
  const int64_t round = std::max(classes, pool.train() / 12 / classes * classes);
  const int64_t labels = round * (extent.rounds + 1);
  const std::string clips =
      pool.segment_s > 0
          ? fmt::format("\nclips: {{unit: segment, length_s: {0:g}, stride_s: {0:g}}}   # the "
                        "videos are longer than what eight frames show\n",
                        pool.segment_s)
          : "";
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
      pool.train(), pool.dataset.test.size(), classes, how_long, in_quotes(options.folder), clips,
      setting("size_px", extent.size_px, kWhole.size_px),
      setting("model", model_text(extent, options.init), model_text(kWhole, options.init)),
      setting("steps", extent.steps, kWhole.steps,
              fmt::format("x 16 = {} clips seen in each training", 16 * extent.steps)),
      flip, round, setting("rounds", extent.rounds, kWhole.rounds), round, labels,
      100.0 * static_cast<double>(labels) / static_cast<double>(pool.train()),
      setting("seeds", extent.seeds, kWhole.seeds, "paired"), extent.badge ? "" : "#");
}

std::string in_words(double minutes) {
  if (minutes < 1) return "a minute";
  return minutes < 90        ? fmt::format("{:.0f} minutes", minutes)
         : minutes < 48 * 60 ? fmt::format("{:.0f} hours", minutes / 60)
                             : fmt::format("{:.0f} days", minutes / (24 * 60));
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
  Pool pool = open_videos(options.folder, progress);
  if (!pool.enough())
    fail("{}/train.csv: {} usable clips for {} classes; five a class are the least a loop can use: "
         "add some",
         options.folder, pool.train(), pool.classes());
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
