#include "distal/study/proposal_parts.h"

#include <cctype>
#include <set>

#include <nlohmann/json.hpp>

#include "distal/base/error.h"
#include "distal/base/interrupted.h"
#include "distal/base/text.h"

namespace distal {
namespace {

constexpr double kSegment_s = 8;                 // eight frames of it are one a second
constexpr double kLongVideo_s = 2 * kSegment_s;  // eight frames do not tell what happens in more
constexpr double kUntrimmed =
    1.5;  // so many times as long as its rows a video is more than its rows

double at_share(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

std::string lists_of(const ProposalOptions& options) {
  if (options.classes.empty()) return "pool: {csv: train.csv}, test: {csv: test.csv}";
  return fmt::format("classes: {}, pool: {{csv: pool.csv}}, test: {{csv: held_out.csv}}",
                     names_text(options.classes));
}

Dataset open_as(const ProposalOptions& options, const std::string& clips, Progress& progress) {
  const std::string yaml = fmt::format(
      "{{data: {{root: {}, {}}}, oracle: {{kind: {}}}, clips: {}, start: 1, rounds: 0}}",
      in_quotes(options.folder), lists_of(options), options.classes.empty() ? "truth" : "people",
      clips);
  return open_dataset(read_study(Document::text(yaml, options.folder), "new"), progress);
}

// The length of the segments that the pool should be cut into; 0: its rows are clips as they are.
double segment_length_s(const Dataset& dataset) {
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

}  // namespace

std::string ProposedClips::segments_text() const {
  if (segment_s == 0) return "";
  return fmt::format("\nclips: {{unit: segment, length_s: {0:g}, stride_s: {0:g}}}   # the videos "
                     "are longer than what eight frames show\n",
                     segment_s);
}

ProposedClips open_for_proposal(const ProposalOptions& options, int64_t enough_per_class,
                                Progress& progress) {
  ProposedClips whole{open_as(options, "{unit: video}", progress)};
  const double length_s = segment_length_s(whole.dataset);
  if (length_s == 0) return whole;
  try {
    ProposedClips cut{
        open_as(options,
                fmt::format("{{unit: segment, length_s: {0:g}, stride_s: {0:g}}}", length_s),
                progress),
        length_s};
    if (cut.pool() >= enough_per_class * cut.classes()) return cut;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {  // a class whose rows hold no segment: they stay clips
  }
  return whole;
}

std::string in_quotes(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + in_quotes(name);
  return "[" + text + "]";
}

std::string in_words(double minutes) {
  if (minutes < 1) return "a minute";
  return minutes < 90        ? fmt::format("{:.0f} minutes", minutes)
         : minutes < 48 * 60 ? fmt::format("{:.0f} hours", minutes / 60)
                             : fmt::format("{:.0f} days", minutes / (24 * 60));
}

bool tells_sides(const Classes& classes) {
  return std::any_of(classes.names.begin(), classes.names.end(), [](std::string name) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return name.find("left") != std::string::npos || name.find("right") != std::string::npos;
  });
}

void require_utf8(const std::string& path, const char* cure) {
  if (valid_utf8(path) != path)
    fail("{}: its name is no UTF-8, and a recipe cannot hold it; {}", path, cure);
}

}  // namespace distal
