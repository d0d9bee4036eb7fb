#pragma once
// Who answers for clips: a model of ours, a TorchScript file, or an HTTP endpoint that speaks the Open Inference Protocol
// v2 (KServe; Triton and OpenVINO Model Server serve it). A teacher returns class probabilities, nothing else.
// The answers' book-keeping (bought once, never twice) is the oracle's, in experiment/.

#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include "base/options.h"
#include "models/model.h"

namespace distal {

struct TeacherOptions {
  std::string kind = "truth";      // truth (a benchmark's hidden labels), teacher (the recipe's own), model, torchscript, http
  std::string path;                // model.safetensors (with model.json beside it), or the TorchScript file
  std::string url;                 // http://host:port/v2/models/NAME[/versions/V]
  std::string input = "clips", output = "probabilities";  // tensor names of the endpoint
  bool logits = false;             // the answer is logits: softmax is applied here
  double price = 0;                // money an answer costs
  double requests_per_s = 0;       // rate limit; 0: none
  double timeout_s = 30;
  int64_t retries = 4;             // on 429, 5xx and broken connections, with exponential back-off and Retry-After
  int64_t batch_size = 8;          // clips per request
  void visit(OptionVisitor& v);
};

class Teacher {
 public:
  virtual ~Teacher() = default;
  /// clips float32 [N, 3, T, H, W] in [-1, 1]; keys [N]: idempotency key of each clip's answer (sent as the request's id,
  /// so that a request repeated after a crash is answered and billed once). Returns float32 [N, K], rows summing to 1.
  /// Throws Error: unreachable after the retries, wrong shape, not probabilities.
  virtual torch::Tensor answer(const torch::Tensor& clips, const std::vector<std::string>& keys) = 0;
  /// What tells one teacher from another: hash of the weights, or the endpoint's name and version.
  virtual std::string version() const = 0;
};

std::unique_ptr<Teacher> teacher_of(Model model, std::string version, int64_t classes);
std::unique_ptr<Teacher> torchscript_teacher(const TeacherOptions& options, int64_t classes);
std::unique_ptr<Teacher> http_teacher(const TeacherOptions& options, int64_t classes);

}  // namespace distal
