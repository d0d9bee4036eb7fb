#pragma once
// A teacher that answers a request at once: a network of ours, a network from elsewhere
// (network_teacher.h), a TorchScript file (torchscript_teacher.h), an endpoint (http_teacher.h). It
// returns class probabilities, nothing else. answers_at_once() makes an oracle of it; what it was
// asked and paid is the ledger's matter.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/error.h"
#include "distal/models/model_fwd.h"
#include "distal/oracles/oracle.h"

namespace distal {

/// The teacher takes no request of that many clips and did nothing for it: ask in smaller ones.
class TooLarge : public Error {
 public:
  using Error::Error;
};

/// The teacher worked on the request and answered, but with what cannot be used: it was probably
/// billed.
class Unusable : public Error {
 public:
  using Error::Error;
};

class Teacher {
 public:
  virtual ~Teacher() = default;
  /// One request. clips float32 [N, 3, T, H, W] in [-1, 1]; request_key: its idempotency key. The
  /// same clips under the same key, after a broken connection or a crash, are answered and billed
  /// once. Returns float32 [N, K]: each row probabilities that sum to 1, or NaN where the teacher's
  /// numbers are not finite: that clip has no answer. Throws Error: unreachable after the retries,
  /// wrong shape, not probabilities (sums within 1e-3 of 1), Unusable where such an answer was paid
  /// for; TooLarge; Interrupted. One thread at a time.
  virtual torch::Tensor answer(const torch::Tensor& clips, const std::string& request_key) = 0;
  /// What tells one teacher from another: hash of the weights, or the endpoint's name and version.
  virtual std::string version() const = 0;
  /// Where rows of the last answer came back as NaN: the first of them and its value.
  virtual std::string remark() const { return ""; }
};

/// A model of ours, in evaluation mode, without gradients. By OpenVINO in requests of one size
/// where it is there, else clip by clip as a TorchScript module. What a clip gets does not depend,
/// to the last bit, on the clips it is asked with: neither resumption nor another process changes a
/// run.
std::unique_ptr<Teacher> teacher_of(Model model, std::string version, LabelSpace labels);

/// An oracle of a teacher: requests wait in line, and collect() lets the teacher work on one.
/// TooLarge and Unusable become outcomes; what else the teacher throws, collect() throws.
std::unique_ptr<OpenOracle> answers_at_once(std::unique_ptr<Teacher> teacher);

/// [N, K] as float32 on the CPU with rows of probabilities, as the task has them. Rows that are not
/// finite come back as NaN, the first of them named in `remark`. Throws Error that begins with
/// `place` and names row and value: another shape, a row that is finite and invalid
/// (Task::invalid). `if_logits`: the fix where such a row holds logits.
torch::Tensor checked_answer(const torch::Tensor& answer, bool logits, int64_t clips,
                             LabelSpace labels, const std::string& place,
                             std::string* remark = nullptr,
                             const std::string& if_logits = "set oracle.logits: true");

}  // namespace distal
