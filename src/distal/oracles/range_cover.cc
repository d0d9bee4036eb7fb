#include "distal/oracles/range_cover.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace distal {
namespace {

constexpr double kSlack_s = 1e-6;  // sums of times are floating point

struct Span {
  double start_s = 0;
  double end_s = 0;
};

// Sorted, without overlaps.
std::vector<Span> joined(std::vector<Span> spans) {
  std::ranges::sort(spans, {}, &Span::start_s);
  std::vector<Span> all;
  for (const Span& span : spans) {
    if (all.empty() || span.start_s > all.back().end_s)
      all.push_back(span);
    else
      all.back().end_s = std::max(all.back().end_s, span.end_s);
  }
  return all;
}

// What lies between spans that are joined.
std::vector<Span> gaps(const std::vector<Span>& spans, const Clip& clip) {
  std::vector<Span> between;
  double from_s = clip.start_s;
  for (const Span& span : spans) {
    if (span.start_s > from_s) between.push_back({from_s, span.start_s});
    from_s = span.end_s;
  }
  if (clip.end_s > from_s) between.push_back({from_s, clip.end_s});
  return between;
}

double seconds_of(const std::vector<Span>& spans) {
  double sum = 0;
  for (const Span& span : spans) sum += span.end_s - span.start_s;
  return sum;
}

// The parts of the clip that each class covers.
std::map<std::string, std::vector<Span>> covers(const std::vector<PeopleStore::Range>& ranges,
                                                const Clip& clip, const std::string& background) {
  std::map<std::string, std::vector<Span>> by_class;
  std::vector<Span> any;
  for (const PeopleStore::Range& range : ranges) {
    const Span inside{std::max(range.start_s, clip.start_s), std::min(range.end_s, clip.end_s)};
    if (inside.end_s <= inside.start_s) continue;
    by_class[range.class_name].push_back(inside);
    any.push_back(inside);
  }
  if (!background.empty()) {
    for (const Span& gap : gaps(joined(std::move(any)), clip)) by_class[background].push_back(gap);
  }
  return by_class;
}

}  // namespace

std::string class_by_cover(const std::vector<PeopleStore::Range>& ranges, const Clip& clip,
                           const CoverRule& rule) {
  struct Covering {
    std::string name;
    double seconds = 0;
    double start_s = 0;
  };
  std::vector<Covering> all;
  double most_s = 0;
  for (auto& [name, spans] : covers(ranges, clip, rule.background)) {
    const std::vector<Span> cover = joined(std::move(spans));
    all.push_back({name, seconds_of(cover), cover.front().start_s});
    most_s = std::max(most_s, all.back().seconds);
  }
  if (all.empty() || most_s < rule.min_cover * clip.duration_s() - kSlack_s) return "";
  std::erase_if(all, [&](const Covering& one) { return one.seconds < most_s - kSlack_s; });
  return std::ranges::min_element(
             all, {}, [](const Covering& one) { return std::tie(one.start_s, one.name); })
      ->name;
}

}  // namespace distal
