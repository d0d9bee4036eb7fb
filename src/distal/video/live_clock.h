#pragma once
// The times of frames that come as they come: seconds since the first frame, always ascending.
// Presentation times count while they make sense. Where they do not, a live source goes on by the
// clock on the wall and a pipe where it was.

#include <cmath>

namespace distal {

class LiveClock {
 public:
  /// `live`: frames are sent when they are filmed, so the clock on the wall tells how long nothing
  /// came.
  explicit LiveClock(bool live) : live_(live) {}

  struct Moment {
    double time_s = 0;
    double break_s = 0;  // not 0: the presentation times jumped by so much, and what was before the
                         // frame and what comes are not one recording
  };
  /// Of the next frame. `pts_s`: its presentation time; NaN: none. `now_s`: the clock on the wall.
  /// `step_s`: how long a frame usually lasts. Of the first frame of a connection `now_s` is when
  /// the connection was begun.
  Moment of(double pts_s, double now_s, double step_s);
  /// The next frame comes from a new connection, whose presentation times begin anywhere.
  void lost() { anchored_ = joins_on_ = false; }
  /// Of the last frame; 0 before the first.
  double last_s() const { return last_s_; }

 private:
  Moment place(double pts_s, double now_s, double step_s);
  double anew(double now_s, double step_s) const;

  bool live_;
  bool began_ = false;
  bool anchored_ = false;  // the last frames' presentation times are to be trusted
  bool joins_on_ = false;  // a frame of this connection came before
  double began_s_ = 0;     // the first frame, by the clock on the wall
  double shift_s_ = 0;     // from presentation times to ours
  double last_s_ = 0;
};

}  // namespace distal
