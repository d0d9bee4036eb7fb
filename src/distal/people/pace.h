#pragma once
// How long people take, and how long they still will.

#include <cstdint>
#include <string>
#include <vector>

namespace distal {

/// Of fewer timed answers nothing is measured: the median of four says little.
inline constexpr int64_t kFewestTimedAnswers = 5;
/// The last ones count: people become faster, and clips longer or shorter.
inline constexpr int64_t kTimedAnswers = 50;

/// What is assumed of an answer before people's pace is known: the clip is seen once, and four
/// seconds go to the decision and the key. A clip of unknown or endless length takes ten seconds.
double assumed_seconds(double clip_seconds);

/// How people's seconds compare with those that are assumed, whatever the length of a clip.
struct PeoplePace {
  double factor = 1;      // median of seconds / assumed_seconds(), or 1: assumed
  int64_t timed = 0;      // answers behind it
  bool measured = false;  // false: what is assumed counts
  double seconds(double clip_seconds) const { return factor * assumed_seconds(clip_seconds); }
};

struct TimedClip {
  double clip_seconds = 0;  // length of the clip
  double seconds = 0;       // of a person's time for an answer about it
};

/// Of answers in the order they were given; which of them count: as for time_left().
PeoplePace people_pace(const std::vector<TimedClip>& answers);

struct TimeLeft {
  double seconds_each = 0;  // median of the answers, or what is assumed
  double minutes = 0;       // of one person's time, for the answers that are left
  /// From the quartiles of the answers' seconds: half of the answers lie between. Equal to
  /// `minutes` where nothing was measured.
  double low_minutes = 0;
  double high_minutes = 0;
  int64_t answers_left = 0;
  int64_t timed = 0;      // answers behind the estimate
  bool measured = false;  // false: `seconds_each` is assumed
  /// One sentence for a page or a terminal.
  std::string text() const;
};

/// `seconds`: of a person's time for each answer, in the order they were given; what is not a
/// positive finite number is passed over. The last kTimedAnswers of them count, by their median:
/// one coffee break among them moves it little. Before kFewestTimedAnswers there are,
/// `assumed_each` (a positive number) stands for it.
TimeLeft time_left(const std::vector<double>& seconds, int64_t answers_left, double assumed_each);

}  // namespace distal
