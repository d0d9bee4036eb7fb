#pragma once
// An HTTP endpoint that speaks the Open Inference Protocol v2 (KServe; Triton and OpenVINO Model
// Server serve it) as a teacher.

#include <memory>
#include <string>
#include <vector>

#include "distal/oracles/teacher.h"

namespace distal {

class OptionVisitor;

struct HttpOptions {
  std::string url;              // http://host:port/v2/models/NAME[/versions/V]
  std::string input = "clips";  // names of the endpoint's tensors
  std::string output = "probabilities";
  bool logits = false;        // the answer is logits: softmax is applied here
  double requests_per_s = 0;  // rate limit; 0: none
  double timeout_s = 30;      // of a whole try, from the connection to the last byte
  int64_t retries = 4;        // on 408, 429, 5xx and broken connections, with exponential
                              // back-off and Retry-After; 409 and 425 (an earlier sending
                              // is at work) do not count before timeout_s has passed
  double backoff_s = 0.5;     // wait before the first retry; doubles, up to a minute
  std::string token_env;      // environment variable of a bearer token; empty: none
  void visit(OptionVisitor& v) const;
  bool operator==(const HttpOptions&) const = default;
};

/// The server is first spoken to by answer() or version(). Tensors travel as raw bytes where it
/// lists the extension binary_tensor_data, as JSON elsewhere. At most 4 MiB and 64 bytes for each
/// of the N x K numbers of an answer are read, 1 MiB of a description, 64 KiB of an error, 64 KiB
/// of headers, kMostJsonDepth levels of JSON. An answer counts where its id, model name and
/// version, as far as it states them, are those of the request and of the description. A web page
/// in its place, as proxies send, is an Error but not Unusable: the request may never have come
/// through. Waits before further tries, of Retry-After too, are said, and last timeout_s x retries
/// in all. Redirects are refused. Throws Error for a url that is none.
///
/// What the server's description says of tensors and classes is compared before anything is sent:
/// the type and sizes of input and output, another input, and the names of the classes in the
/// `parameters` of the output or of the model (`classes`, `labels`). What it does not say is not
/// compared. `classes`: the study's names; empty: names are not compared.
std::unique_ptr<Teacher> http_teacher(const HttpOptions& options, LabelSpace labels, Say say = {},
                                      const std::vector<std::string>& classes = {});

}  // namespace distal
