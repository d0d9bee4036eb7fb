#include "distal/networks/pt2_source.h"

#include <charconv>
#include <map>
#include <optional>

namespace distal {
namespace {

constexpr int64_t kMostPorts = 64;
constexpr int64_t kMostDimensions = 8;

// The number at the start of `text`, after what `text` begins with of spaces.
std::optional<int64_t> number_at(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

// Names in `PREFIX[i].name = "NAME";`, by i.
std::vector<NetworkPort> named_ports(std::string_view source, std::string_view prefix) {
  std::vector<NetworkPort> ports;
  for (size_t at = 0; (at = source.find(prefix, at)) != std::string_view::npos;) {
    at += prefix.size();
    const auto i = number_at(source.substr(at));
    const std::string_view mark = "].name = \"";
    const size_t name = source.find(mark, at);
    if (!i || *i != std::ssize(ports) || *i >= kMostPorts || name == std::string_view::npos ||
        name - at > 4)
      continue;
    const size_t begin = name + mark.size();
    const size_t end = source.find('"', begin);
    if (end == std::string_view::npos || end - begin > 200) continue;
    ports.push_back({std::string(source.substr(begin, end - begin)), "", {}});
  }
  return ports;
}

std::string type_called(std::string_view name) {
  static const std::map<std::string_view, const char*> kTypes = {
      {"at::kFloat", "f32"},  {"at::kHalf", "f16"},    {"at::kBFloat16", "bf16"},
      {"at::kDouble", "f64"}, {"at::kByte", "u8"},     {"at::kLong", "i64"},
      {"at::kInt", "i32"},    {"at::kBool", "boolean"}};
  const auto at = kTypes.find(name);
  return at == kTypes.end() ? "" : at->second;
}

// A check's message is printed over several lines of source: this is what stands between its
// quotation marks up to `<< "but got`.
std::string message_at(std::string_view source, size_t at) {
  constexpr size_t kMostMessage = 400;
  const std::string_view part = source.substr(at, kMostMessage);
  const std::string_view until = part.substr(0, std::min(part.find("but got"), part.size()));
  std::string message;
  for (const char letter : until) {
    if (letter != '"' && letter != '<' && letter != '\n') message += letter;
  }
  return message;
}

std::optional<int64_t> number_after(const std::string& message, std::string_view mark) {
  const size_t at = message.find(mark);
  if (at == std::string::npos) return std::nullopt;
  return number_at(std::string_view(message).substr(at + mark.size()));
}

// A dimension of a check that stands at `size`; nothing: it is none.
void take_check(const std::string& message, NetworkPort& port, int64_t& least_batch) {
  const auto at_dimension = [&](std::string_view mark) -> int64_t {
    const auto dimension = number_after(message, mark);
    return dimension && *dimension >= 0 && *dimension < kMostDimensions ? *dimension : -1;
  };
  const auto size_of = [&](int64_t dimension) -> int64_t& {
    if (std::ssize(port.shape) <= dimension)
      port.shape.resize(static_cast<size_t>(dimension) + 1, -1);
    return port.shape[static_cast<size_t>(dimension)];
  };
  if (message.find("unmatched dtype") != std::string::npos) {
    const size_t open = message.find('(');
    const size_t close = message.find(')', std::min(open, message.size()));
    if (close != std::string::npos)
      port.type = type_called(std::string_view(message).substr(open + 1, close - open - 1));
  } else if (const int64_t fixed = at_dimension("unmatched dim value at"); fixed >= 0) {
    size_of(fixed) = number_after(message, "expected:").value_or(-1);
  } else if (const int64_t small = at_dimension("dim value is too small at"); small >= 0) {
    size_of(small) = -1;
    if (small == 0) least_batch = number_after(message, "expected it to be >=").value_or(1);
  } else if (const int64_t large = at_dimension("dim value is too large at"); large >= 0) {
    size_of(large) = -1;
  }
}

}  // namespace

Pt2Source read_pt2_source(std::string_view source) {
  Pt2Source found;
  found.inputs = named_ports(source, "inputs_info_[");
  found.outputs = named_ports(source, "outputs_info_[");
  const std::string_view mark = "input_handles[";
  for (size_t at = 0; (at = source.find(mark, at)) != std::string_view::npos;) {
    at += mark.size();
    const auto i = number_at(source.substr(at));
    if (!i || *i < 0 || *i >= std::ssize(found.inputs)) continue;
    int64_t ignored = 1;
    take_check(message_at(source, at), found.inputs[static_cast<size_t>(*i)],
               *i == 0 ? found.least_batch : ignored);
  }
  found.least_batch = std::max<int64_t>(1, found.least_batch);
  return found;
}

}  // namespace distal
