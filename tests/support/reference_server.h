#pragma once
// A small server of the Open Inference Protocol v2, for tests and as an example of what distal
// expects of a teacher (draft-ietf-httpapi-idempotency-key-header): the first request of an
// Idempotency-Key is worked on and billed; a repetition gets the same response and costs nothing,
// 409 while the first is still worked on, 422 where its content is another. A request without a key
// is billed whenever it comes. `GET /bill` tells the bill as JSON. It listens on 127.0.0.1, on a
// port of its own, from construction to destruction. Every function may be called from any thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

namespace distal {

class ReferenceServer {
 public:
  /// clips float32 [N, 3, T, H, W] to float32 [N, K]. Called from the server's threads, one call at
  /// a time.
  using Answer = std::function<torch::Tensor(const torch::Tensor& clips)>;
  struct Options {
    std::string model = "teacher";
    std::string version = "1";
    std::string input = "clips";
    std::string output = "probabilities";
    bool binary = true;      // offers the extension binary_tensor_data
    bool nested = false;     // writes JSON data as nested lists, which the protocol allows
    double work_s = 0;       // how long the work on a request takes
    int64_t drop_every = 0;  // closes the connection instead of every n-th response; 0: never
    std::string answers_as;  // model_version of the responses; empty: `version`
    // What the description says beside this: names of the classes, in the output's parameters;
    // type and sizes of the tensors; members that are laid over it (a JSON merge patch).
    std::vector<std::string> classes = {};
    std::string patch = "{}";
  };

  explicit ReferenceServer(Answer answer);
  ReferenceServer(Answer answer, Options options);
  ~ReferenceServer();

  std::string url() const;  // http://127.0.0.1:PORT/v2/models/NAME

  // What goes wrong with the next inferences, in the order of these functions.
  void fail_next(int64_t times, int status, const std::string& retry_after = "");
  void stall_next(int64_t times, double seconds);  // works later
  void drop_next(int64_t times);  // works, bills, then closes the connection without an answer
  void answer_next_with(int64_t times,
                        const std::string& body);    // works, bills, then answers 200 and this text
  void dribble_next(int64_t times, double seconds);  // answers, so long for each byte

  struct Request {
    std::string id, idempotency_key, authorization;
    int64_t clips = 0;
    bool binary = false;
    double time_s = 0;  // of arrival, since construction
  };
  std::vector<Request> requests() const;  // every inference that arrived, failed ones too

  struct Bill {
    // that were worked on
    int64_t requests = 0;
    int64_t clips = 0;
  };
  Bill bill() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distal
