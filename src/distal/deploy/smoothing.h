#pragma once
// From the answers of a stream to classes that hold for a while.
//
//   window       q(t) = mean of p(t') over the answers with t - window_s < t' <= t
//   hysteresis   b = the class that is most probable by q. The raw class c stays while q_c >= leave
//                and not (b != c and q_b >= enter). Else it becomes b where q_b >= enter, and no
//                class otherwise.
//   duration     the class changes to c when c has been the raw class for least_s. The change is
//                then dated back to where c began. Shorter spells belong to the class around them.
//
// The answer of t stands for the time since the answer before, or since the first frame.
//
// What was seen before a change is out of an answer once the network has looked back over other
// frames (look_back_s), and out of the mean after window_s more. The new class is said after
// least_s more, at most one answer late. So what is said lags behind what happens by at most
//
//   delay_s = look_back_s + window_s + least_s
//
// where the network knows the new class from frames of it alone. Usually it is less: the mean is
// half of the new class after window_s / 2.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include <torch/types.h>

namespace distal {

struct SmoothingOptions {
  double window_s = 0;  // 0: each answer by itself
  double enter = 0;     // probability from which a class begins
  double leave = 0;     // probability below which it ends; at most `enter`
  double least_s = 0;   // that a class lasts before it is said
  double delay_s(double look_back_s) const { return look_back_s + window_s + least_s; }
};

constexpr int64_t kNoClass = -1;

/// A time of one class, [start_s, end_s).
struct Segment {
  double start_s = 0;
  double end_s = 0;
  int64_t label = kNoClass;
  torch::Tensor probabilities;  // float32 [K]: the mean of q over its answers
};

/// One object per stream. Memory: the answers of window_s.
class Smoother {
 public:
  /// `best`: the class that probabilities [K] stand for (Task::predicted).
  Smoother(const SmoothingOptions& options,
           std::function<int64_t(const torch::Tensor& probabilities)> best);

  /// The first frame, and the first one after a loss: what came before does not count. After end().
  void begin(double time_s);

  struct Said {
    int64_t label = kNoClass;       // that holds now
    torch::Tensor probabilities;    // q, float32 [K]
    std::vector<Segment> finished;  // at most one
  };
  /// `probabilities`: float32 [K], of the answer of `time_s`.
  Said add(double time_s, const torch::Tensor& probabilities);
  /// The segment under way, which ends with the last answer; none where no class holds.
  std::optional<Segment> end();

 private:
  struct Spell {
    double start_s = 0;
    int64_t label = kNoClass;
    torch::Tensor sum;  // float64 [K]
    int64_t answers = 0;
    void add(const torch::Tensor& q);
    void absorb(Spell& other);
  };
  torch::Tensor mean(double time_s, const torch::Tensor& probabilities);
  int64_t next_raw(const torch::Tensor& q) const;
  std::optional<Segment> finish(Spell& spell, double end_s) const;

  SmoothingOptions options_;
  std::function<int64_t(const torch::Tensor&)> best_;
  std::deque<std::pair<double, torch::Tensor>> window_;
  double answered_s_ = 0;  // the last answer, or the first frame
  int64_t raw_ = kNoClass;
  Spell held_, coming_;  // coming_.answers == 0: none
};

}  // namespace distal
