#include "distal/people/pace.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "distal/base/error.h"

namespace distal {
namespace {

constexpr double kDecisionSeconds = 4;
constexpr double kUnknownClipSeconds = 10;

// Linear between sorted values.
double share_below(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

std::vector<double> last_timed(const std::vector<double>& seconds) {
  std::vector<double> timed;
  for (auto at = seconds.rbegin(); at != seconds.rend() && std::ssize(timed) < kTimedAnswers;
       ++at) {
    if (std::isfinite(*at) && *at > 0) timed.push_back(*at);
  }
  std::sort(timed.begin(), timed.end());
  return timed;
}

std::string minutes_text(double minutes) {
  if (minutes < 1) return "less than a minute";
  if (minutes < 90) return fmt::format("about {:.0f} minutes", minutes);
  return fmt::format("about {:.1f} hours", minutes / 60);
}

}  // namespace

double assumed_seconds(double clip_seconds) {
  if (!std::isfinite(clip_seconds) || clip_seconds <= 0) return kUnknownClipSeconds;
  return clip_seconds + kDecisionSeconds;
}

PeoplePace people_pace(const std::vector<TimedClip>& answers) {
  std::vector<double> factors;
  for (const TimedClip& answer : answers)
    factors.push_back(answer.seconds / assumed_seconds(answer.clip_seconds));
  const std::vector<double> timed = last_timed(factors);
  PeoplePace pace;
  pace.timed = std::ssize(timed);
  pace.measured = pace.timed >= kFewestTimedAnswers;
  if (pace.measured) pace.factor = share_below(timed, 0.5);
  return pace;
}

TimeLeft time_left(const std::vector<double>& seconds, int64_t answers_left, double assumed_each) {
  expect(answers_left >= 0 && std::isfinite(assumed_each) && assumed_each > 0,
         "answers left and seconds assumed for each");
  const std::vector<double> timed = last_timed(seconds);
  TimeLeft left;
  left.answers_left = answers_left;
  left.timed = std::ssize(timed);
  left.measured = left.timed >= kFewestTimedAnswers;
  const auto minutes = [&](double each) { return each * static_cast<double>(answers_left) / 60; };
  left.seconds_each = left.measured ? share_below(timed, 0.5) : assumed_each;
  left.minutes = minutes(left.seconds_each);
  left.low_minutes = left.measured ? minutes(share_below(timed, 0.25)) : left.minutes;
  left.high_minutes = left.measured ? minutes(share_below(timed, 0.75)) : left.minutes;
  return left;
}

std::string TimeLeft::text() const {
  if (answers_left == 0) return "nothing is left to answer";
  if (!measured)
    return fmt::format(
        "{} for {} answers, if each takes {:.0f} s; this is assumed until {} are timed",
        minutes_text(minutes), answers_left, seconds_each, kFewestTimedAnswers);
  return fmt::format("{} for {} answers, at {:.1f} s each, the median of the last {}",
                     minutes_text(minutes), answers_left, seconds_each, timed);
}

}  // namespace distal
