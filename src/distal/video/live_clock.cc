#include "distal/video/live_clock.h"

#include <algorithm>

namespace distal {
namespace {

constexpr double kLongJump_s = 10;   // as kJump_s of video/playback.h
constexpr double kLittleBack_s = 1;  // a frame out of turn, or rounding
constexpr double kLeastStep_s = 1e-6;

}  // namespace

LiveClock::Moment LiveClock::of(double pts_s, double now_s, double step_s) {
  if (!began_) {
    began_ = true;
    began_s_ = now_s;
    last_s_ = -step_s;
  }
  const Moment moment = place(pts_s, now_s, step_s);
  last_s_ = moment.time_s;
  joins_on_ = true;
  return moment;
}

/// Where presentation times do not say.
double LiveClock::anew(double now_s, double step_s) const {
  const double next_s = last_s_ + step_s;
  return live_ ? std::max(next_s, now_s - began_s_) : next_s;
}

LiveClock::Moment LiveClock::place(double pts_s, double now_s, double step_s) {
  if (std::isnan(pts_s)) return {anew(now_s, step_s)};
  if (!anchored_) {
    anchored_ = true;
    const double time_s = joins_on_ ? last_s_ + step_s : anew(now_s, step_s);
    shift_s_ = time_s - pts_s;
    return {time_s};
  }
  const double time_s = pts_s + shift_s_;
  const double step = time_s - last_s_;
  if (step > 0 && step <= kLongJump_s) return {time_s};
  if (step <= 0 && step > -kLittleBack_s) return {last_s_ + kLeastStep_s};
  const bool waited = live_ && step > 0 && std::abs(time_s - (now_s - began_s_)) <= kLongJump_s;
  if (waited) return {time_s, step};
  const double put_s = anew(now_s, step_s);
  shift_s_ = put_s - pts_s;
  return {put_s, step};
}

}  // namespace distal
