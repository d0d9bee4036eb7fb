#pragma once
// Who answers for clips: a model of ours, a TorchScript file, or an HTTP endpoint that speaks the Open Inference Protocol
// v2 (KServe; Triton and OpenVINO Model Server serve it). A teacher returns class probabilities, nothing else.
// The answers' book-keeping (bought once, never twice) is the oracle's (oracle.h).

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/models/model.h"

namespace distal {

struct TeacherOptions {
  std::string kind = "truth";      // truth (a benchmark's hidden labels), teacher (the recipe's own), model, torchscript, http
  std::string path;                // model.safetensors (with model.json beside it), or the TorchScript file
  std::string url;                 // http://host:port/v2/models/NAME[/versions/V]
  std::string input = "clips", output = "probabilities";  // tensor names of the endpoint
  bool logits = false;             // the answer is logits: softmax is applied here
  double price = 0;                // money an answer costs
  double requests_per_s = 0;       // rate limit; 0: none
  double timeout_s = 30;           // of a whole try, from the connection to the last byte of the answer; of a batch of a TorchScript file
  int64_t retries = 4;             // on 408, 429, 5xx and broken connections, with exponential back-off and Retry-After; 409 and 425 (an
                                   // earlier sending is at work) do not count before timeout_s has passed
  double backoff_s = 0.5;          // wait before the first retry; doubles with each, up to a minute
  int64_t batch_size = 8;          // clips per request
  bool ask_again = false;          // asks anew for what was answered unusably in an earlier start, which may be billed again
  std::string token_env;           // environment variable that holds a bearer token; empty: none is sent
  void visit(OptionVisitor& v);
};

/// The teacher takes no request of that many clips, and did nothing for it: ask in smaller ones.
class TooLarge : public Error {
 public:
  using Error::Error;
};

/// The teacher worked on the request and answered, but with what cannot be used: it was probably billed.
class Unusable : public Error {
 public:
  using Error::Error;
};

/// A line for people: waits, warnings.
using Say = std::function<void(const std::string& line)>;

class Teacher {
 public:
  virtual ~Teacher() = default;
  /// One request. clips float32 [N, 3, T, H, W] in [-1, 1]; request_key: its idempotency key; the same clips under the same
  /// key, after a broken connection or a crash, are answered and billed once. Returns float32 [N, K], each row
  /// probabilities that sum to 1, or NaN where the teacher's numbers are not finite: that clip has no answer.
  /// Throws Error: unreachable after the retries, wrong shape, not probabilities (sums within 1e-3 of 1), Unusable where such an
  /// answer was paid for; TooLarge; Interrupted. One thread at a time.
  virtual torch::Tensor answer(const torch::Tensor& clips, const std::string& request_key) = 0;
  /// What tells one teacher from another: hash of the weights, or the endpoint's name and version.
  virtual std::string version() const = 0;
  /// Where rows of the last answer came back as NaN: the first of them and its value.
  virtual std::string remark() const { return ""; }
};

/// A model of ours, in evaluation mode, without gradients. By OpenVINO in requests of one size where it is there, else clip by clip as a TorchScript module:
/// what a clip gets does not depend, to the last bit, on the clips it is asked with, so neither resumption nor another process's requests change a run.
std::unique_ptr<Teacher> teacher_of(Model model, std::string version, int64_t classes);

/// A TorchScript module: clips in, [N, K] out (probabilities, or logits where the options say so). Such a file is a program; it is executed
/// in a process of its own, within timeout_s a batch and within bounds of memory (torchscript_worker.h). Throws Error: the file is missing
/// or no TorchScript. What the program prints is said, as an excerpt.
std::unique_ptr<Teacher> torchscript_teacher(const TeacherOptions& options, int64_t classes, Say say = {});
/// The warning that belongs to each use of such a file.
std::string executes_code(const std::string& path);

/// An endpoint. The server is first spoken to by answer() or version(). Tensors travel as raw bytes where the server lists
/// the extension binary_tensor_data, as JSON elsewhere. An answer is read up to 4 MiB and 64 bytes for each of its N x K numbers, a
/// description up to 1 MiB, an error up to 64 KiB, headers up to 64 KiB, JSON up to kMostJsonDepth levels. An answer counts where its
/// id, model name and version, as far as it states them, are those of the request and of the description. A web page in its place, as
/// proxies send, is an Error, but not Unusable: the request may never have come through. Waits before further tries,
/// of Retry-After too, are said and last timeout_s x retries in all. Redirects are refused. Throws Error for a url that is none.
std::unique_ptr<Teacher> http_teacher(const TeacherOptions& options, int64_t classes, Say say = {});

/// [N, K] as float32 on the CPU with rows that sum to 1; rows that are not finite come back as NaN, the first of them named in `remark`.
/// Throws Error that begins with `place` and names row and value: another shape, a row that is finite and no probabilities.
torch::Tensor checked_answer(const torch::Tensor& answer, bool logits, int64_t clips, int64_t classes, const std::string& place, std::string* remark = nullptr);

}  // namespace distal
