#pragma once
// Messages of the Open Inference Protocol v2 (KServe; kserve/open-inference-protocol, specification
// of the REST protocol, and Triton's extension binary_tensor_data). A message is JSON; with the
// extension the tensors' raw little-endian bytes follow it, in the order of the JSON, and a header
// says how long the JSON is. Pure functions.

#include <optional>
#include <string>

#include <torch/types.h>
#include <nlohmann/json.hpp>

#include "distal/base/json.h"

namespace distal::protocol {

constexpr const char* kLengthHeader = "Inference-Header-Content-Length";
constexpr const char* kBinaryExtension = "binary_tensor_data";

struct Message {
  nlohmann::json json = nlohmann::json::object();
  std::string raw;  // bytes of the binary tensors
  /// What goes over the wire; the JSON's length belongs in kLengthHeader when `raw` is not empty.
  std::string body() const { return json_text(json) + raw; }
};

/// NaN, Infinity and -Infinity, which Python and others write although JSON has none, are read as
/// the strings "NaN" and so on; `tensor` takes them for numbers. Throws Error: not JSON, nested
/// deeper than kMostJsonDepth, not an object, a length beyond the body.
Message parse(const std::string& body, std::optional<size_t> json_bytes);

/// Appends a tensor as FP32 to the list `list` ("inputs" or "outputs").
void append(Message& message, const char* list, const std::string& name,
            const torch::Tensor& tensor, bool binary);

/// The tensor `name` of a list: FP32 or FP64, from JSON (flat or nested; null is NaN) or raw bytes.
/// float32 or float64 on the CPU. Throws Error: absent (lists what is there), another datatype, a
/// value that is no number (named), data that do not fill the shape.
torch::Tensor tensor(const Message& message, const char* list, const std::string& name);

/// A member of an object as text: a string as it is, a number as written; empty where absent or
/// null.
std::string text_of(const nlohmann::json& object, const char* key);

/// Where an endpoint lives.
struct Url {
  std::string server;   // http://host:port
  std::string prefix;   // path before /v2, often empty
  std::string model;    // NAME
  std::string version;  // V, or empty
  bool slash = false;   // it ends with one, as some servers want it of a page
  std::string model_path() const;
  std::string metadata_path() const { return model_path() + (slash ? "/" : ""); }
};
/// Throws Error that shows what a url looks like.
Url parse_url(const std::string& url);

}  // namespace distal::protocol
