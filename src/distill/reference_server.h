#pragma once
// A small server of the Open Inference Protocol v2, for tests and as an example of what distal expects of a teacher: it
// answers each idempotency key once and bills it once, however often the request is repeated. It listens on 127.0.0.1, on a
// port of its own, from construction to destruction. Every function may be called from any thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

namespace distal {

class ReferenceServer {
 public:
  /// clips float32 [N, 3, T, H, W] to float32 [N, K]. Called from the server's threads, one call at a time.
  using Answer = std::function<torch::Tensor(const torch::Tensor& clips)>;
  struct Options {
    std::string model = "teacher", version = "1", input = "clips", output = "probabilities";
    bool binary = true;       // offers the extension binary_tensor_data
    bool nested = false;      // writes JSON data as nested lists, which the protocol allows
  };

  explicit ReferenceServer(Answer answer);
  ReferenceServer(Answer answer, Options options);
  ~ReferenceServer();

  std::string url() const;  // http://127.0.0.1:PORT/v2/models/NAME

  // What goes wrong with the next inferences, in the order of these functions.
  void fail_next(int64_t times, int status, const std::string& retry_after = "");
  void drop_next(int64_t times);                    // works, bills, then closes the connection without an answer
  void stall_next(int64_t times, double seconds);   // answers late
  void answer_next_with(int64_t times, const std::string& body);  // 200 and this text

  struct Request {
    std::string id, idempotency_key, authorization;
    int64_t clips = 0;
    bool binary = false;
    double time_s = 0;  // of arrival, since construction
  };
  std::vector<Request> requests() const;   // every inference that arrived, failed ones too
  int64_t billed() const;                  // distinct keys that were answered

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
