#include "distal/oracles/protocol.h"

#include <cstring>
#include <limits>

#include <fmt/ranges.h>

#include "distal/base/error.h"
#include "distal/base/options.h"
#include "distal/base/text.h"

namespace distal::protocol {
namespace {

constexpr int64_t kMostValues = int64_t{1} << 40;
constexpr size_t kMostDimensions = 16;

/// Python's json writes NaN, Infinity and -Infinity as they stand here. In quotes they are JSON.
std::string with_quoted_numbers(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    std::string_view word;
    for (const std::string_view name : {"NaN", "Infinity", "-Infinity"}) {
      if (!in_string && rest.starts_with(name)) word = name;
    }
    if (!word.empty()) {
      out += fmt::format("\"{}\"", word);
      i += word.size();
      continue;
    }
    const size_t bytes = in_string && text[i] == '\\' && i + 1 < text.size() ? 2 : 1;
    if (text[i] == '"') in_string = !in_string;
    out += rest.substr(0, bytes);
    i += bytes;
  }
  return out;
}

nlohmann::json json_of(std::string_view text) {
  constexpr const char* kPlace = "the message";
  if (text.find("NaN") == std::string_view::npos && text.find("Infinity") == std::string_view::npos)
    return parse_json(text, kPlace);
  return parse_json(with_quoted_numbers(text), kPlace);
}

std::string name_of(const nlohmann::json& entry) {
  const auto name = entry.find("name");
  return name != entry.end() && name->is_string() ? name->get<std::string>() : "(no name)";
}

const nlohmann::json& entry_of(const nlohmann::json& message, const char* list,
                               const std::string& name) {
  std::vector<std::string> there;
  if (const auto found = message.find(list); found != message.end() && found->is_array()) {
    for (const auto& entry : *found) {
      if (!entry.is_object()) continue;
      there.push_back(name_of(entry));
      if (there.back() == name) return entry;
    }
  }
  fail("{} hold no tensor '{}', only: {}; set the name in the recipe", list, name,
       there.empty() ? "nothing" : excerpt(fmt::format("{}", fmt::join(there, ", "))));
}

int64_t binary_size(const nlohmann::json& entry) {  // -1: the data are JSON
  if (!entry.contains("parameters") || !entry["parameters"].contains("binary_data_size")) return -1;
  return entry["parameters"]["binary_data_size"].get<int64_t>();
}

std::vector<int64_t> shape_of(const nlohmann::json& entry) {
  auto shape = entry.at("shape").get<std::vector<int64_t>>();
  if (shape.size() > kMostDimensions) fail("a shape of {} sizes is none", shape.size());
  int64_t values = 1;
  for (const int64_t size : shape) {
    if (size < 0 || size > kMostValues || (size > 0 && values > kMostValues / size))
      fail("a shape of {} is none", fmt::join(shape, "x"));
    values *= size;
  }
  return shape;
}

double number_of(const nlohmann::json& value, size_t position) {
  if (value.is_number()) return value.get<double>();
  if (value.is_null() || value == "NaN") return std::nan("");
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  fail("value {} is no number: {}", position, excerpt(json_text(value), 40));
}

void flatten(const nlohmann::json& data, std::vector<double>& values) {
  if (!data.is_array()) return values.push_back(number_of(data, values.size()));
  for (const auto& item : data) flatten(item, values);
}

torch::Tensor from_json(const nlohmann::json& entry, const std::vector<int64_t>& shape,
                        torch::ScalarType dtype) {
  std::vector<double> values;
  flatten(entry.at("data"), values);
  const auto flat = torch::tensor(values, torch::kFloat64);
  if (flat.numel() != c10::multiply_integers(shape))
    fail("a tensor of shape {} came with {} values", fmt::join(shape, "x"), flat.numel());
  return flat.view(shape).to(dtype);
}

torch::Tensor from_raw(const Message& message, const char* list, const nlohmann::json& entry,
                       const std::vector<int64_t>& shape, torch::ScalarType dtype) {
  int64_t offset = 0;
  for (const auto& other : message.json[list]) {
    if (&other == &entry) break;
    offset += std::clamp<int64_t>(binary_size(other), 0, std::ssize(message.raw) + 1);
  }
  const int64_t bytes = binary_size(entry);
  const int64_t want =
      c10::multiply_integers(shape) * static_cast<int64_t>(c10::elementSize(dtype));
  if (bytes != want || offset < 0 || offset > std::ssize(message.raw) - bytes)
    fail("a tensor of shape {} came with {} bytes of {}", fmt::join(shape, "x"),
         std::min(bytes, std::ssize(message.raw)), want);
  const auto values = torch::empty(shape, dtype);
  if (bytes > 0)
    std::memcpy(values.data_ptr(), message.raw.data() + offset, static_cast<size_t>(bytes));
  return values;
}

}  // namespace

Message parse(const std::string& body, std::optional<size_t> json_bytes) {
  const size_t length = json_bytes.value_or(body.size());
  if (length > body.size())
    fail("the message ends after {} of {} bytes of JSON", body.size(), length);
  Message message;
  try {
    message = {json_of(std::string_view(body).substr(0, length)), body.substr(length)};
  } catch (const Error& error) {
    fail("'{}' is not a message of the Open Inference Protocol ({})", excerpt(body, 80),
         error.what());
  }
  if (!message.json.is_object())
    fail("'{}' is not a message of the Open Inference Protocol", excerpt(body, 80));
  return message;
}

void append(Message& message, const char* list, const std::string& name,
            const torch::Tensor& tensor, bool binary) {
  const auto values = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  const float* data = values.const_data_ptr<float>();
  nlohmann::json entry = {{"name", name}, {"datatype", "FP32"}, {"shape", values.sizes().vec()}};
  if (binary) {
    entry["parameters"]["binary_data_size"] = values.nbytes();
    message.raw.append(reinterpret_cast<const char*>(data), values.nbytes());
  } else {
    entry["data"] = std::vector<float>(data, data + values.numel());
  }
  message.json[list].push_back(std::move(entry));
}

torch::Tensor tensor(const Message& message, const char* list, const std::string& name) {
  const auto& entry = entry_of(message.json, list, name);
  try {
    const auto datatype = entry.at("datatype").get<std::string>();
    if (datatype != "FP32" && datatype != "FP64")
      fail("tensor '{}' is {}; FP32 and FP64 are understood", name, excerpt(datatype, 40));
    const auto dtype = datatype == "FP32" ? torch::kFloat32 : torch::kFloat64;
    const auto shape = shape_of(entry);
    return binary_size(entry) >= 0 ? from_raw(message, list, entry, shape, dtype)
                                   : from_json(entry, shape, dtype);
  } catch (const nlohmann::json::exception&) {
    fail("tensor '{}' breaks the Open Inference Protocol: its datatype, shape, data or "
         "binary_data_size is absent or of another kind",
         name);
  }
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : json_text(*found);
}

std::string Url::model_path() const {
  return prefix + "/v2/models/" + model + (version.empty() ? "" : "/versions/" + version);
}

Url parse_url(const std::string& url) {
  const auto refuse = [&]() {
    fail("oracle.url = '{}' is not like http://host:8000/v2/models/NAME or .../NAME/versions/1",
         url);
  };
  const size_t scheme = url.find("://");
  const size_t slash = scheme == std::string::npos ? scheme : url.find('/', scheme + 3);
  const size_t models = url.find("/v2/models/");
  if (scheme == std::string::npos || models == std::string::npos || slash > models ||
      slash == scheme + 3)
    refuse();
  if (url.substr(0, scheme) != "http" && url.substr(0, scheme) != "https") refuse();
  Url parts{url.substr(0, slash), url.substr(slash, models - slash),
            url.substr(models + std::strlen("/v2/models/")), ""};
  for (; !parts.model.empty() && parts.model.back() == '/'; parts.slash = true)
    parts.model.pop_back();
  if (const size_t at = parts.model.find("/versions/"); at != std::string::npos) {
    parts.version = parts.model.substr(at + std::strlen("/versions/"));
    parts.model.resize(at);
    if (parts.version.empty()) refuse();
  }
  if (parts.model.empty() ||
      (parts.model + parts.version).find_first_of("/?# ") != std::string::npos)
    refuse();
  return parts;
}

}  // namespace distal::protocol
